"""Busy share: the part of their time that agents draw in, learned as a moving average.

Loading checkpoints does not count as busy: the rule that decides about loading spends the rest, and would otherwise
take its own spending for load. Nor does what is drawn for one account's large order beyond what counts of it: such work
can wait, and whoever else comes should not find a fleet that believes itself too full to load anything.
"""

from math import exp

#: The rule divides by what is left over, so that a full fleet must not leave nothing.
BUSY_SHARE_MAX = 0.97

#: Half a minute forgets slowly enough to bridge single batches, and quickly enough to follow a rush.
HORIZON_SECONDS = 30.0


def counted_share(work_seconds: float, queued_seconds: float) -> float:
    """The part of a lane's work that counts (see domain.urgency), by which those count as busy who draw for it."""
    return min(1.0, work_seconds / queued_seconds) if queued_seconds > 0 else 1.0


def learn_busy_share(
    previous: float | None, *, drawing_seconds: float, agent_seconds: float, elapsed_seconds: float
) -> float | None:
    """The busy share after one more look at the agents of a pool.

    Args:
        previous: the share so far; None before the first look.
        drawing_seconds: device time in which agents drew since the last look, without loading; summed over agents, each
            weighed by :func:`counted_share` of its lane.
        agent_seconds: time that agents were there since the last look, summed over agents.
        elapsed_seconds: since the last look.

    Returns:
        0 to 1 (see :func:`capped`); ``previous`` while no agent was there.
    """
    if agent_seconds <= 0:
        return previous
    now = min(1.0, max(0.0, drawing_seconds / agent_seconds))
    if previous is None:
        return now
    kept = exp(-max(0.0, elapsed_seconds) / HORIZON_SECONDS)
    return kept * previous + (1 - kept) * now


def capped(busy_share: float | None) -> float:
    """The share that the switch rule may use; an unknown one counts as idle."""
    return min(BUSY_SHARE_MAX, max(0.0, busy_share or 0.0))
