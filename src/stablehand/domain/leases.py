"""Leases: which queued shots an agent gets, and when the right to run one is written again, or doubted."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from stablehand.domain.attempts import runs_alone

#: A lease that its agent has not named for so long after it was given never reached it: an answer takes far less, and
#: an agent names what it runs every second.
STRAY_AFTER = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A queued shot that the agent could run."""

    shot_id: str
    losses: int


def pick(candidates: Iterable[Candidate], *, free_seats: int, held: int, holds_alone: bool) -> list[str]:
    """Ids of the shots an agent gets, given the next ones in claim order and how many it holds.

    A shot that must run alone is never overtaken: when it is next, the agent gets nothing more until it is empty, and
    then that shot only. Otherwise a stream of others could make it wait for ever.
    """
    chosen: list[str] = []
    if holds_alone:
        return chosen
    for candidate in candidates:
        if len(chosen) >= free_seats:
            break
        if runs_alone(candidate.losses):
            if not chosen and held == 0:
                chosen.append(candidate.shot_id)
            break
        chosen.append(candidate.shot_id)
    return chosen


def is_renewal_due(lease_until: datetime, now: datetime, lease_seconds: float) -> bool:
    """Leases are written once each quarter of their length, however often agents renew."""
    return lease_until - now < timedelta(seconds=lease_seconds * 0.75)


def is_stray(leased_at: datetime, now: datetime) -> bool:
    """For a lease that its agent does not name: True once that cannot be an answer still on its way."""
    return now - leased_at > STRAY_AFTER
