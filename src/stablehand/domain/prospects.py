"""Prospects: when a job's pictures will be ready, from what stands before them. For orders and for quotes alike.

Agents draw their shots together, so the time of one picture is said in device-seconds: its share of the ticks that it
was in, at the speed of full batches. Shots that an agent holds share it evenly (processor sharing), which gives two
facts that everything here rests on: all work before a shot takes its device-seconds over the number of agents; and
shots that begin together end together, the first no earlier than the last.

Source: Kleinrock, "Queueing Systems" II (1976), chapter 4: under processor sharing a job of size x leaves when each of
its neighbours has had min(what was left of it, x).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, exp
from statistics import median

from stablehand.domain.estimates import RANGE_DEVIATIONS, Range

#: Before so many jobs have shown it, nothing is added; and never more than this, whatever they took.
HANDLINGS_LEAST = 3
HANDLING_SECONDS_MOST = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Prospect:
    """What stands before a job's queued shots. Seconds are device-seconds."""

    running_seconds: tuple[float, ...]  #: what is left of each shot that agents of its pool hold
    ahead_shots: int  #: queued shots of others that are claimed before its first one
    ahead_seconds: float  #: of those
    between_seconds: float  #: of others that are claimed between its first and its last
    shots: int  #: its own queued ones; at least 1
    shot_seconds: float  #: of each of them
    agents: int  #: live ones that serve its pool
    seats: int  #: of one of them that its tier may fill; at least 1
    load_seconds: float  #: to load its checkpoint; 0 when an agent holds it
    spread: float  #: of the rate that all this was reckoned with; domain.estimates.Rate
    handling_seconds: float = 0.0  #: see :func:`learn_handling`

    @property
    def free_seats(self) -> int:
        return max(0, self.agents * self.seats - len(self.running_seconds))


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """Seconds from now."""

    begins_seconds: float  #: until its first shot should be claimed and its checkpoint be there
    first: Range  #: until its first picture is ready
    last: Range
    handling_seconds: float = 0.0  #: the part of both that is no drawing


def due(prospect: Prospect) -> Due | None:
    """None while no agent could ever draw it."""
    p = prospect
    if p.agents <= 0:
        return None
    abreast = p.agents * p.seats
    together = min(p.shots, p.seats)  # one agent's claim takes as many as it has seats for
    used = min(p.agents, ceil(p.shots / p.seats))  # so few shots never spread over more agents

    before = p.ahead_seconds + _shared(p, p.ahead_seconds / abreast + p.shot_seconds)
    first = before / p.agents + together * p.shot_seconds
    others = p.ahead_seconds + p.between_seconds
    beside = others + _shared(p, others / abreast + ceil(p.shots / abreast) * p.shot_seconds)
    last = max(first, beside / p.agents + p.shots * p.shot_seconds / used)

    factor = exp(RANGE_DEVIATIONS * p.spread)
    # At best its shots spread, at worst agents are taken by what became more urgent.
    first_low = (before / p.agents + p.shot_seconds) / factor
    last_low = (beside / p.agents + p.shots * p.shot_seconds / min(p.agents, p.shots)) / factor
    waiting = p.ahead_shots + len(p.running_seconds)
    behind = max(0, waiting + 1 - abreast) / (waiting + 1)
    return Due(
        begins_seconds=behind * (sum(p.running_seconds) + p.ahead_seconds) / p.agents + p.load_seconds,
        first=_whole(p, first, first_low, factor),
        last=_whole(p, last, max(first_low, last_low), factor),
        handling_seconds=p.handling_seconds,
    )


def due_of_running(held: Mapping[str, tuple[Sequence[float], Sequence[float]]], *, spread: float) -> Range | None:
    """When the last of a job's shots is done if all that are left are running.

    Args:
        held: agent -> (what is left of the job's own shots there, what is left of others), in device-seconds.
        spread: as of a Prospect.
    """
    ends = [sum(mine) + sum(min(left, max(mine)) for left in others) for mine, others in held.values() if mine]
    if not ends:
        return None
    factor = exp(RANGE_DEVIATIONS * spread)
    return Range(max(ends), max(ends) / factor, max(ends) * factor)


def _shared(p: Prospect, share_seconds: float) -> float:
    """What running shots still take of the devices until one that joins them has had ``share_seconds`` of its own."""
    joins = 0.0 if p.free_seats or not p.running_seconds else min(p.running_seconds)
    return sum(min(left, joins + share_seconds) for left in p.running_seconds)


def _whole(p: Prospect, seconds: float, low_seconds: float, factor: float) -> Range:
    """With what is no drawing; at best the checkpoint comes by itself."""
    likely = seconds + p.load_seconds + p.handling_seconds
    low = low_seconds + p.handling_seconds / factor
    return Range(likely, min(low, likely), likely * factor + p.load_seconds)


def learn_handling(besides: Iterable[float]) -> float:
    """Seconds of a job that are no drawing: orders and pictures on their way, encoding, storing.

    Args:
        besides: of the latest jobs that waited for nobody, what they took less what was reckoned to stand before them
            and less the device time that they really took, in seconds.
    """
    known = list(besides)
    if len(known) < HANDLINGS_LEAST:
        return 0.0
    return min(HANDLING_SECONDS_MOST, max(0.0, median(known)))
