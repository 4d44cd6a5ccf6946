"""Parking: when the state of a running shot is saved, and who may go on from it.

A picture goes on from a saved state only where it becomes the same picture: same runtime, version, kind of device,
precision and weights. Between two devices of one kind the last bits may differ, as they may between any two attempts;
a recipe that says ``exact`` goes on only on a device of the same name. Everywhere else the shot begins anew.
"""

from dataclasses import dataclass

#: Leases that are told to go on from one saved state. One that brought nothing to its end or to a newer state for so
#: long may be what brings agents down; the next lease begins anew.
OFFERS_MOST = 3
#: Codes of errors that say nothing against the state of the shot; after any other one its state is forgotten.
SPARING_ERRORS = frozenset({"attempt_timeout", "timeout"})
#: At most this share of the time may be spent on sending states away: after a slow one the next comes later.
SENDING_SHARE = 0.1
#: Of the grace after SIGTERM, what is kept back for sending away the states of the shots that do not fit: at most a
#: third.
SENDING_RESERVE_SECONDS = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What a shot is drawn with, as far as the picture depends on it."""

    runtime: str
    version: str  #: of the program; another one may write states in another form
    device_kind: str
    device_name: str
    precision: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """A checkpoint's content. The hash may still be unknown; the stamp changes when the files do."""

    sha256: str | None
    stamp: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """What is known of a parked state."""

    bench: Bench
    weights: Weights
    recipe_fingerprint: str
    offers: int


def may_resume(
    saved: Saved, bench: Bench, weights: Weights, *, recipe_fingerprint: str, exact: bool, runs_alone: bool = False
) -> bool:
    """True when the picture that goes on from ``saved`` at ``bench`` is the one that was begun.

    ``runs_alone``: the shot has been lost so often that whatever may be at fault is left behind, its state too.
    """
    here, there = bench, saved.bench
    return (
        (here.runtime, here.version, here.device_kind, here.precision)
        == (there.runtime, there.version, there.device_kind, there.precision)
        and (not exact or here.device_name == there.device_name)
        and _are_same(weights, saved.weights)
        and recipe_fingerprint == saved.recipe_fingerprint
        and saved.offers < OFFERS_MOST
        and not runs_alone
    )


def _are_same(one: Weights, other: Weights) -> bool:
    if one.sha256 is not None and other.sha256 is not None:
        return one.sha256 == other.sha256
    return one.stamp == other.stamp


def remaining_seconds(*, progress: float, began_at_progress: float, seconds: float) -> float:
    """How long a shot will still take at its pace so far; infinite before it has moved."""
    gained = progress - began_at_progress
    if gained <= 0 or seconds <= 0:
        return float("inf")
    return (1.0 - progress) * seconds / gained


def is_due(
    *, every_seconds: float, running_seconds: float, since_last_seconds: float, last_took_seconds: float
) -> bool:
    """Whether a running shot should be parked now. ``every_seconds`` 0: never.

    ``since_last_seconds``: since the last state of this shot was saved, or since the attempt began.
    ``last_took_seconds``: how long it took to send the last state of any shot away.
    """
    if every_seconds <= 0 or running_seconds < every_seconds:
        return False
    return since_last_seconds >= max(every_seconds, last_took_seconds / SENDING_SHARE)


def pays(*, every_seconds: float, remaining_seconds: float) -> bool:
    """Whether saving a state that is due is worth it: a shot that is nearly done will be safe sooner by itself."""
    return remaining_seconds > every_seconds / 4


def drawing_seconds(grace_seconds: float) -> float:
    """Of the grace that an agent has before it must be gone, how long it may go on drawing."""
    return grace_seconds - min(SENDING_RESERVE_SECONDS, grace_seconds / 3)
