"""What a simulation measured."""

from array import array
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import chain, product
from typing import Any

from stablehand.domain.tiers import Tiers


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """Seconds from submitting shots until their pictures were done; one that still waits counts with its age."""

    shots: int
    p50_s: float
    p95_s: float
    max_s: float
    begun_p50_s: float  #: the same until they began to be drawn
    begun_p95_s: float
    missed_share: float  #: of shots whose pictures were not done by the deadline of their tier


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Of one policy. Shots submitted, and pictures drawn, during the warm-up do not count."""

    premium_p95_s: float  #: of the best tier
    normal_p95_s: float  #: of the plain one
    missed_share: float  #: of all shots
    switches_per_100: float  #: checkpoints loaded for 100 pictures
    shots_per_second: float  #: pictures drawn
    utilisation: float  #: share of agents' time in which they draw
    loading_share: float  #: share in which they load
    cost_an_hour: float
    cost_per_1000: float  #: of pictures drawn
    agents_mean: float
    interrupted: int  #: agents taken away
    repeated: int  #: shots begun again, because their agent was taken away
    submitted: int
    drawn: int
    tiers: dict[str, Waits]
    crowds: dict[str, Waits]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class WaitBook:
    """Collects waits by crowd and tier."""

    def __init__(self, crowds: list[str], tiers: Tiers) -> None:
        self._tiers = tiers
        self._names = crowds
        self._begun = [[array("d") for _ in tiers] for _ in crowds]
        self._done = [[array("d") for _ in tiers] for _ in crowds]

    def add(self, crowd: int, rank: int, begun_seconds: float, done_seconds: float) -> None:
        self._begun[crowd][rank].append(begun_seconds)
        self._done[crowd][rank].append(done_seconds)

    def of_tiers(self) -> dict[str, Waits]:
        return {tier.name: self._waits(range(len(self._names)), [rank]) for rank, tier in enumerate(self._tiers)}

    def of_crowds(self) -> dict[str, Waits]:
        return {name: self._waits([crowd], range(len(self._tiers))) for crowd, name in enumerate(self._names)}

    def _waits(self, crowds: Iterable[int], ranks: Iterable[int]) -> Waits:
        places = list(product(crowds, ranks))
        begun = sorted(chain.from_iterable(self._begun[crowd][rank] for crowd, rank in places))
        done = sorted(chain.from_iterable(self._done[crowd][rank] for crowd, rank in places))
        deadlines = [tier.deadline_seconds for tier in self._tiers]
        missed = sum(wait > deadlines[rank] for crowd, rank in places for wait in self._done[crowd][rank])
        return Waits(
            shots=len(done),
            p50_s=round(quantile(done, 0.5), 3),
            p95_s=round(quantile(done, 0.95), 3),
            max_s=round(done[-1], 3) if done else 0.0,
            begun_p50_s=round(quantile(begun, 0.5), 3),
            begun_p95_s=round(quantile(begun, 0.95), 3),
            missed_share=round(missed / len(done), 5) if done else 0.0,
        )


def quantile(ordered: list[float], share: float) -> float:
    """The value below which so large a share lies, by nearest rank; 0 without any."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
