"""Lanes: which checkpoint an agent serves next, and when it pays to load another one.

The rule, for an agent with resident checkpoints, among open lanes of its pool in which work waits:

* ``a`` is the most urgent lane whose checkpoint is resident. ``b`` is the most urgent one of the others that is not
  *covered*: a lane is covered while the live agents that hold its checkpoint will have done its work before this agent
  could have loaded it, ``W_b / n_b < S_b``.
* It switches to ``b`` only if there is no ``a``, or ``U_b > U_a + bias`` with ``bias = (S_b / τ) · ρ / (1 − ρ)``, where
  τ is the premium deadline and ρ the share of their time in which agents are busy. An idle fleet switches as soon as
  somebody else is more urgent; a full one stays as long as time lost by loading would cost more than it has to spare.
* An agent that would have nothing to do looks once more, with all queued work instead of what counts by account: then
  one account's large order may take what the others leave spare, ``n_b ≤ s · (1 − ρ) · agents``, but no more, since
  whoever orders next would find every agent in the middle of it and fewer checkpoints resident.

Source of the bias: the dwell that keeps the share of time lost by loading at the share that is spare, after Hsieh, Hou,
Liu, "Biased Max-Weight" (2017), and the cycle time of polling systems.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from stablehand.domain.busy import capped

#: What part of the spare agents may hold a checkpoint only because one account has much to do; see docs/benchmarks.md.
IDLE_SHARE = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneView:
    """A lane of a pool as one agent sees it."""

    checkpoint_id: str
    urgency: float  #: U: share of its deadline that the worst-served account has waited; see domain.urgency
    work_seconds: float  #: W: queued device-seconds, an account counting a few shots only; 0 when nothing waits
    queued_seconds: float  #: all queued device-seconds
    load_seconds: float  #: S: time this agent needs to load the checkpoint
    holders: int  #: n: live other agents that hold it or are loading it
    is_open: bool = True  #: no breaker keeps it closed


def switch_bias(load_seconds: float, *, busy_share: float | None, premium_deadline_seconds: float) -> float:
    """How much more urgent another lane must be before its checkpoint is loaded, in shares of a deadline."""
    share = capped(busy_share)
    return load_seconds / premium_deadline_seconds * share / (1 - share)


def is_covered(lane: LaneView) -> bool:
    """True while those who hold the checkpoint will have done the work before this agent could begin."""
    return lane.holders > 0 and lane.work_seconds / lane.holders < lane.load_seconds


def needs_help(
    lane: LaneView, *, busy_share: float | None, agents: int | None = None, idle_share: float = IDLE_SHARE
) -> bool:
    """True when an agent with nothing else to do should load the checkpoint although others hold it.

    Args:
        busy_share: ρ.
        agents: live agents of the pool; None while unknown, when any number may hold the checkpoint.
        idle_share: s: 0 keeps every idle agent free, infinity none.
    """
    if lane.holders == 0:
        return True
    if agents is not None and lane.holders > idle_share * (1 - capped(busy_share)) * agents:
        return False
    return lane.queued_seconds / lane.holders >= lane.load_seconds


def choose_lane(
    lanes: Iterable[LaneView],
    *,
    resident: Collection[str],
    busy_share: float | None,
    premium_deadline_seconds: float,
    agents: int | None = None,
    idle_share: float = IDLE_SHARE,
) -> str | None:
    """The checkpoint that the agent should serve now, resident or to be loaded; None when it should wait.

    The answer does not depend on the order of ``lanes``: ties go to more counted work, then to the smaller id. A pool
    may have thousands of lanes; for a caller that has an index by urgency, see :func:`choose_ranked`.

    Args:
        lanes: of the agent's pool; those that are closed or empty are passed over.
        resident: ids of the checkpoints in the agent's memory.
        busy_share: ρ of the pool's agents, see domain.busy; None while unknown.
        premium_deadline_seconds: τ.
        agents, idle_share: when an idle agent helps holders out, see :func:`needs_help`.
    """
    waiting = [lane for lane in lanes if lane.is_open and lane.queued_seconds > 0]
    return choose_ranked(
        (lane for lane in waiting if lane.checkpoint_id in resident),
        sorted((lane for lane in waiting if lane.checkpoint_id not in resident), key=_rank),
        busy_share=busy_share,
        premium_deadline_seconds=premium_deadline_seconds,
        agents=agents,
        idle_share=idle_share,
    )


def choose_ranked(
    at_hand: Iterable[LaneView],
    others: Iterable[LaneView],
    *,
    busy_share: float | None,
    premium_deadline_seconds: float,
    agents: int | None = None,
    idle_share: float = IDLE_SHARE,
) -> str | None:
    """:func:`choose_lane` for a caller that keeps its lanes in order: reads no more of them than the answer needs.

    Args:
        at_hand: open lanes with work whose checkpoint is resident, in any order.
        others: the other open lanes with work, the most urgent first.
    """
    a = min(at_hand, key=_rank, default=None)
    passed_over: LaneView | None = None
    for lane in others:
        if a is not None and lane.urgency <= a.urgency:
            break
        if is_covered(lane):
            if passed_over is None and needs_help(lane, busy_share=busy_share, agents=agents, idle_share=idle_share):
                passed_over = lane
            continue
        if a is None:
            return lane.checkpoint_id
        bias = switch_bias(lane.load_seconds, busy_share=busy_share, premium_deadline_seconds=premium_deadline_seconds)
        return lane.checkpoint_id if lane.urgency > a.urgency + bias else a.checkpoint_id
    if a is not None:
        return a.checkpoint_id
    return passed_over.checkpoint_id if passed_over is not None else None


def _rank(lane: LaneView) -> tuple[float, float, str]:
    return -lane.urgency, -lane.work_seconds, lane.checkpoint_id
