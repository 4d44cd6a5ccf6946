"""Dispatches: one notice on its way to one destination outside the house.

A dispatch arrives at least once: what was sent by a process that died before it could write that down is sent again,
under the same id of its notice. Dispatches of one notice to several destinations know nothing of each other.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

#: Pauses after the first, second, … failure, in seconds: a little more than three days in all.
PAUSES_SECONDS = (5, 60, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
#: A pause is stretched or cut by up to this part of it, lest everything that failed together comes back together.
JITTER = 0.2
#: The longest that a receiver may ask us to wait, in seconds.
LONGEST_WISH_SECONDS = 86_400.0
#: What is kept of a receiver's answer.
ANSWER_MAX_BYTES = 1024

#: Under way at once to one destination; of one account, to all of its own.
PER_DESTINATION, PER_ACCOUNT = 4, 8
#: Of the places in all, those that destinations in trouble may take together, each of them one.
TROUBLED_SHARE = 0.5


class DispatchState(StrEnum):
    WAITING = "waiting"  #: for its next try
    HELD = "held"  #: until its destination is resumed
    ARRIVED = "arrived"
    DEAD = "dead"  #: given up; it can be tried anew by hand


@dataclass(frozen=True, slots=True, order=True)
class Road:
    """Where a dispatch goes: a channel, and what that channel calls a destination (an id or an address)."""

    channel: str
    destination: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatch:
    """``failures``: since it was made or revived. ``token``: grows with every claim, and the claimer's word counts
    under it only.
    """

    id: str
    road: Road
    failures: int
    token: int
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a try ended. ``status``: of the answer, where the channel knows such a thing; ``answer``: its first KB.

    ``is_try``: False when nothing was sent at all, which is then not counted.
    """

    error: str = ""
    status: int | None = None
    answer: str = ""
    is_try: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived(Outcome):
    """The receiver has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotNow(Outcome):
    """It is to be tried again; ``after_seconds``: not earlier, as the receiver asks."""

    after_seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Never(Outcome):
    """Trying again is pointless. ``gone``: so is sending anything else to this destination."""

    gone: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Held(Outcome):
    """Its destination wants nothing for now."""

    is_try: bool = False


@dataclass(frozen=True, slots=True)
class Due:
    """A dispatch that may be carried now."""

    number: int
    road: Road
    account_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DispatchTry:
    tried_at: datetime
    milliseconds: int
    status: int | None
    error: str
    answer: str


def pause_seconds(
    failures: int, jitter: float, *, pauses: Sequence[float] = PAUSES_SECONDS, wish: float = 0.0
) -> float | None:
    """How long to wait after so many failures (1 and more); None: give up.

    ``jitter``: random, 0 to 1. ``wish``: seconds that the receiver asks for at least.
    """
    if failures > len(pauses):
        return None
    pause = pauses[failures - 1] * (1 + JITTER * (2 * jitter - 1))
    return max(pause, min(wish, LONGEST_WISH_SECONDS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """Where there is room for more: on these channels, but not on these roads nor for these accounts."""

    channels: frozenset[str]
    full_roads: frozenset[Road] = frozenset()
    full_accounts: frozenset[str] = frozenset()


class Traffic:
    """What is under way, and what may join it, so that a receiver that stalls holds up nobody else.

    ``troubled``: roads whose last try failed. ``places``: dispatches under way in all; ``at_once``: of each channel.
    """

    def __init__(
        self, under_way: Iterable[Due], troubled: Collection[Road], *, places: int, at_once: Mapping[str, int]
    ) -> None:
        self._troubled = troubled
        self._places = places
        self._at_once = at_once
        self._count = 0
        self._roads: Counter[Road] = Counter()
        self._accounts: Counter[str] = Counter()
        self._channels: Counter[str] = Counter()
        for one in under_way:
            self._join(one)

    @property
    def free(self) -> int:
        return max(0, self._places - self._count)

    def room(self) -> Room:
        roads = {road for road in self._roads if self._is_taken(road)}
        if self._has_trouble_enough():
            roads |= set(self._troubled)
        return Room(
            full_roads=frozenset(roads),
            full_accounts=frozenset(account for account, count in self._accounts.items() if count >= PER_ACCOUNT),
            channels=frozenset(channel for channel in self._at_once if not self._is_closed(channel)),
        )

    def choose(self, due: Iterable[Due]) -> list[int]:
        """Numbers of those that join, in their order."""
        chosen: list[int] = []
        for one in due:
            if not self.free:
                break
            if (
                self._is_taken(one.road)
                or self._is_closed(one.road.channel)
                or self._accounts[one.account_id] >= PER_ACCOUNT
                or (one.road in self._troubled and self._has_trouble_enough())
            ):
                continue
            self._join(one)
            chosen.append(one.number)
        return chosen

    def _join(self, one: Due) -> None:
        self._count += 1
        self._roads[one.road] += 1
        self._accounts[one.account_id] += 1
        self._channels[one.road.channel] += 1

    def _is_taken(self, road: Road) -> bool:
        return self._roads[road] >= (1 if road in self._troubled else PER_DESTINATION)

    def _is_closed(self, channel: str) -> bool:
        return self._channels[channel] >= self._at_once.get(channel, 0)

    def _has_trouble_enough(self) -> bool:
        most = max(1, int(self._places * TROUBLED_SHARE))
        return sum(count for road, count in self._roads.items() if road in self._troubled) >= most
