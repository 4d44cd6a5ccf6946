"""What becomes of a shot when an attempt at it ends without a picture.

Two counters are kept apart. ``errors``: an agent reported that it could not draw the shot; ``retry_count`` limits them,
and each makes the shot wait longer before it is tried again. ``losses``: the lease was lost, because the agent died or
fell silent; that is rarely the shot's fault, so it never fails a shot by itself. Only a shot that was lost three times
runs alone on an agent, where it can take nobody with it, and is quarantined when it is lost alone twice more.

What is the agent's fault (a sick device) or the lane's (a checkpoint that does not load) counts as neither.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from stablehand.domain.jobs import ShotError, State

LOSSES_BEFORE_ALONE = 3
LOSSES_BEFORE_QUARANTINE = LOSSES_BEFORE_ALONE + 2

#: A device that falls sick over a shot is to blame, unless so many different ones do.
AGENTS_BEFORE_QUARANTINE = 3

#: seconds between a failed attempt and the next: doubling from the first to the last
FIRST_RETRY_SECONDS = 1.0
LAST_RETRY_SECONDS = 60.0

#: bad attempts of one shot that are remembered, the latest
ATTEMPTS_KEPT = 16

QUARANTINED = ShotError(
    code="quarantined",
    message=f"Agents were lost {LOSSES_BEFORE_QUARANTINE} times while they drew this picture.",
    hint="Look at the agent's log; try a smaller picture or another checkpoint, then retry the job.",
)
SICKENING = ShotError(
    code="quarantined",
    message=f"The devices of {AGENTS_BEFORE_QUARANTINE} different agents stopped working over this picture.",
    hint=QUARANTINED.hint,
)
LOST = ShotError(
    code="lost",
    message="The agent died or fell silent while it drew this picture.",
    hint="The agent's log may say why; the picture is tried again by itself.",
)


class Kind(StrEnum):
    """How an attempt ended badly."""

    ERROR = "error"  #: the agent could not draw it
    TIMEOUT = "timeout"  #: it took longer than an attempt may
    SICK = "sick"  #: the agent's device stopped working
    LOAD = "load"  #: the checkpoint did not load
    LOSS = "loss"  #: the lease was lost


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """An attempt that ended badly, for those who look for the reason."""

    agent: str  #: name
    attempt: int  #: the how-manieth of its shot
    kind: Kind
    error: ShotError
    began_at: datetime | None
    ended_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How the shot stands after the attempt."""

    state: State
    errors: int
    losses: int
    error: ShotError | None
    wait_seconds: float = 0.0  #: how long it may not be claimed


def runs_alone(losses: int) -> bool:
    """True for a shot that may only run on an agent that holds nothing else."""
    return losses >= LOSSES_BEFORE_ALONE


def retry_seconds(failures: int, chance: float) -> float:
    """How long a shot waits after its ``failures``-th failed attempt (1, 2, …): exponential with jitter.

    Between half of and the whole of ``first · 2ⁿ⁻¹``, so that shots which failed together part. ``chance``: 0 to 1.
    """
    whole = min(LAST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2.0 ** min(failures - 1, 30))
    return whole * (0.5 + 0.5 * chance)


def after_error(
    *,
    final: bool,
    error: ShotError,
    errors: int,
    losses: int,
    retry_count: int,
    cancel_requested: bool,
    chance: float,
) -> Ending:
    """An agent reported ``error``. ``final``: trying again would end the same. ``chance``: 0 to 1, at random."""
    errors += 1
    if cancel_requested:
        return Ending(state=State.CANCELLED, errors=errors, losses=losses, error=error)
    if final or errors > retry_count:
        return Ending(state=State.FAILED, errors=errors, losses=losses, error=error)
    return Ending(
        state=State.QUEUED, errors=errors, losses=losses, error=error, wait_seconds=retry_seconds(errors, chance)
    )


def after_sickness(
    *,
    error: ShotError,
    errors: int,
    losses: int,
    sicknesses: int,
    agents: int,
    cancel_requested: bool,
    chance: float,
) -> Ending:
    """The agent's device stopped working. Nothing is counted, but the shot steps back to let others be tried.

    ``sicknesses`` and ``agents``: how often that has happened over this shot, and to how many agents, this time
    included. A shot that takes down one device after the other is quarantined: else it would end the whole fleet.
    """
    if cancel_requested:
        return Ending(state=State.CANCELLED, errors=errors, losses=losses, error=error)
    if agents >= AGENTS_BEFORE_QUARANTINE:
        return Ending(state=State.FAILED, errors=errors, losses=losses, error=SICKENING)
    return Ending(
        state=State.QUEUED, errors=errors, losses=losses, error=error, wait_seconds=retry_seconds(sicknesses, chance)
    )


def after_loss(*, errors: int, losses: int, error: ShotError | None, cancel_requested: bool) -> Ending:
    """The lease was lost. ``error``: what the shot carries from an earlier attempt."""
    losses += 1
    if cancel_requested:
        return Ending(state=State.CANCELLED, errors=errors, losses=losses, error=error)
    if losses >= LOSSES_BEFORE_QUARANTINE:
        return Ending(state=State.FAILED, errors=errors, losses=losses, error=QUARANTINED)
    return Ending(state=State.QUEUED, errors=errors, losses=losses, error=error)


def after_release(*, errors: int, losses: int, error: ShotError | None, cancel_requested: bool) -> Ending:
    """The agent gave the shot back, or never learned that it had it, or its checkpoint did not load: nothing counts."""
    state = State.CANCELLED if cancel_requested else State.QUEUED
    return Ending(state=state, errors=errors, losses=losses, error=error)
