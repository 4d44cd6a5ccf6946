"""What becomes of a shot when an attempt at it ends without a picture.

Two counters are kept apart. ``errors``: an agent reported that it could not draw the shot; ``retry_count`` limits them.
``losses``: the lease was lost, because the agent died or fell silent; that is rarely the shot's fault, so it never
fails a shot by itself. Only a shot that was lost three times runs alone on an agent, where it can take nobody with it,
and is quarantined when it is lost alone twice more.
"""

from dataclasses import dataclass

from stablehand.domain.jobs import ShotError, State

LOSSES_BEFORE_ALONE = 3
LOSSES_BEFORE_QUARANTINE = LOSSES_BEFORE_ALONE + 2

QUARANTINED = ShotError(
    code="quarantined",
    message=f"Agents were lost {LOSSES_BEFORE_QUARANTINE} times while they drew this picture.",
    hint="Look at the agent's log; try a smaller picture or another checkpoint, then retry the job.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How the shot stands after the attempt."""

    state: State
    errors: int
    losses: int
    error: ShotError | None


def runs_alone(losses: int) -> bool:
    """True for a shot that may only run on an agent that holds nothing else."""
    return losses >= LOSSES_BEFORE_ALONE


def after_error(
    *, final: bool, error: ShotError, errors: int, losses: int, retry_count: int, cancel_requested: bool
) -> Ending:
    """An agent reported ``error``. ``final``: trying again would end the same."""
    errors += 1
    if cancel_requested:
        return Ending(state=State.CANCELLED, errors=errors, losses=losses, error=error)
    spent = final or errors > retry_count
    return Ending(state=State.FAILED if spent else State.QUEUED, errors=errors, losses=losses, error=error)


def after_loss(*, errors: int, losses: int, error: ShotError | None, cancel_requested: bool) -> Ending:
    """The lease was lost. ``error``: what the shot carries from an earlier attempt."""
    losses += 1
    if cancel_requested:
        return Ending(state=State.CANCELLED, errors=errors, losses=losses, error=error)
    if losses >= LOSSES_BEFORE_QUARANTINE:
        return Ending(state=State.FAILED, errors=errors, losses=losses, error=QUARANTINED)
    return Ending(state=State.QUEUED, errors=errors, losses=losses, error=error)


def after_release(*, errors: int, losses: int, error: ShotError | None, cancel_requested: bool) -> Ending:
    """The agent gave the shot back, or never learned that it had it: nothing is counted."""
    state = State.CANCELLED if cancel_requested else State.QUEUED
    return Ending(state=state, errors=errors, losses=losses, error=error)
