"""Seats: which of the next shots of a lane an agent takes into its running batch."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from stablehand.domain.attempts import runs_alone

#: Seats of an agent that normal shots leave free, so that a premium one can begin at once.
PREMIUM_SEATS = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Seating:
    """How many shots an agent may hold."""

    normal: int  #: with which normal shots may fill it
    premium: int  #: with which premium shots may fill it


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A queued shot that the agent could run."""

    shot_id: str
    account_id: str
    is_premium: bool
    losses: int = 0


def seating(seats: int, *, seats_max: int | None = None, premium_seats: int = PREMIUM_SEATS) -> Seating:
    """How far each tier may fill an agent.

    Args:
        seats: the normal fill, where more company no longer pays; 0 for an agent that takes nothing.
        seats_max: what its memory holds; premium shots may go so far. None: as ``seats``.
        premium_seats: seats that normal shots leave free; an agent with one seat has none to spare.
    """
    reserved = min(premium_seats, seats - 1)
    return Seating(normal=seats - max(0, reserved), premium=max(seats, seats_max or 0))


def fill(
    candidates: Iterable[Candidate],
    *,
    limits: Seating,
    held: int,
    holds_alone: bool,
    left: Mapping[str, int] | None = None,
) -> list[str]:
    """Ids of the shots an agent gets, given the next ones in claim order and how many it holds.

    A shot that must run alone is never overtaken by its own lane: when it is next, the agent gets nothing more until it
    is empty, and then that shot only. Otherwise a stream of others could make it wait for ever.

    Args:
        candidates: of one lane, in claim order (tier, then tag).
        limits: how far the agent may be filled.
        held: shots it holds already.
        holds_alone: one of them runs alone.
        left: account id -> how many more of its shots agents may hold; those of a full account are passed over. One
            that is not named may have any number.
    """
    chosen: list[str] = []
    if holds_alone:
        return chosen
    room = dict(left or {})
    for candidate in candidates:
        total = held + len(chosen)
        if total >= limits.premium:
            break
        if room.get(candidate.account_id, 1) <= 0:
            continue
        if runs_alone(candidate.losses):
            if total == 0:
                chosen.append(candidate.shot_id)
            break
        if not candidate.is_premium and total >= limits.normal:
            break  # after the first normal shot no premium one comes
        chosen.append(candidate.shot_id)
        if candidate.account_id in room:
            room[candidate.account_id] -= 1
    return chosen
