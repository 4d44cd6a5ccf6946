"""Standings: whether an agent is given work, as its administrator or its own record decides.

An agent whose last attempts at several different shots all failed is paused by itself, before it fails the whole
queue: one bad device answers faster than all good ones. After a while it is tried with one shot; a picture puts it back
to work, another failure makes the next pause longer. What is the checkpoint's or the recipe's fault is not held
against it, and a process that restarts does not shake off its record.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

#: different shots that must fail in a row, with no picture between them
TROUBLES_BEFORE_PAUSE = 5
#: length of a pause that ends by itself: doubling from the first to the last
FIRST_PAUSE_SECONDS = 60.0
LAST_PAUSE_SECONDS = 1800.0

#: errors of the recipe or of the server, which any agent would report
INNOCENT_CODES = frozenset({"recipe_unsupported", "out_of_memory", "storage_full"})


class Standing(StrEnum):
    WORKING = "working"
    DRAINING = "draining"  #: it finishes what it holds and gets no more
    PAUSED = "paused"  #: it gets nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Conduct:
    """What is known and decided about an agent. ``probe_at`` is set for pauses that end by themselves."""

    standing: Standing = Standing.WORKING
    reason: str = ""
    since: datetime | None = None
    probe_at: datetime | None = None
    pauses: int = 0  #: in a row, without a picture between them
    troubles: tuple[str, ...] = ()  #: shots that failed since the last picture


def seats_granted(conduct: Conduct, now: datetime, *, held: int, asked: int) -> int:
    """How many of the seats that it asks for an agent gets, which holds ``held`` shots."""
    if conduct.standing is Standing.WORKING:
        return asked
    if is_shut(conduct, now) or held:
        return 0
    return min(1, asked)


def is_shut(conduct: Conduct, now: datetime) -> bool:
    """True while it need not ask for work at all."""
    if conduct.standing is Standing.PAUSED:
        return conduct.probe_at is None or now < conduct.probe_at
    return conduct.standing is Standing.DRAINING


def standing_shown(conduct: Conduct, now: datetime) -> Standing:
    """A paused agent whose probe is due works as far as anybody can see."""
    return conduct.standing if is_shut(conduct, now) else Standing.WORKING


def after_trouble(conduct: Conduct, shot_ids: Sequence[str], error: str, now: datetime) -> Conduct:
    """Attempts at these shots failed with ``error`` and the agent may be to blame."""
    if conduct.standing is Standing.PAUSED:
        was_probe = conduct.probe_at is not None and now >= conduct.probe_at
        return _pause(conduct, error, now, pause_seconds(conduct.pauses + 1)) if was_probe else conduct
    troubles = tuple(dict.fromkeys((*conduct.troubles, *shot_ids)))[-TROUBLES_BEFORE_PAUSE:]
    conduct = replace(conduct, troubles=troubles)
    if conduct.standing is Standing.DRAINING or len(troubles) < TROUBLES_BEFORE_PAUSE:
        return conduct
    reason = f"The last {TROUBLES_BEFORE_PAUSE} pictures that it tried all failed; the latest said: {error}"
    return _pause(conduct, reason, now, pause_seconds(conduct.pauses + 1))


def after_sickness(conduct: Conduct, error: str, now: datetime) -> Conduct:
    """Its device stopped working. Its next process is tried with one shot: at once the first time, then later."""
    if conduct.standing is not Standing.WORKING and conduct.probe_at is None:
        return conduct
    return _pause(conduct, f"Its device stopped working: {error}", now, pause_seconds(conduct.pauses))


def after_picture(conduct: Conduct) -> Conduct:
    """It has delivered: its record is clean, and a pause that was to end by itself is over."""
    if conduct.probe_at is not None:
        return Conduct()
    return replace(conduct, pauses=0, troubles=())


def decided(standing: Standing, reason: str, now: datetime) -> Conduct:
    """What its administrator decides; it stays so until that is taken back."""
    return Conduct() if standing is Standing.WORKING else Conduct(standing=standing, reason=reason, since=now)


def pause_seconds(pauses: int) -> float:
    """Length of the ``pauses``-th pause in a row; the zeroth has none."""
    return 0.0 if pauses <= 0 else min(LAST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** min(pauses - 1, 30))


def _pause(conduct: Conduct, reason: str, now: datetime, seconds: float) -> Conduct:
    return Conduct(
        standing=Standing.PAUSED,
        reason=reason,
        since=conduct.since or now,
        probe_at=now + timedelta(seconds=seconds),
        pauses=conduct.pauses + 1,
    )
