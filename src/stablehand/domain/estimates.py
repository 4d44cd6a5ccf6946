"""Estimates: how long a picture takes, as a range, learned from what agents delivered."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import exp, log
from statistics import median

#: Weight of the newest measurement in the moving averages.
NEWEST_WEIGHT = 0.2

#: Before anything was drawn: device-seconds for a unit of cost (domain.pace), about those of a large GPU.
FIRST_SECONDS_PER_COST = 0.05

#: Until a rate has been measured often, its range is this factor up and down.
FIRST_SPREAD = log(2.0)

#: Mean deviations to each side of the estimate that a range spans: about nine of ten when deviations are bell-shaped.
RANGE_DEVIATIONS = 2.0

#: Upper ends of the size classes, in megapixels: work costs more a pixel where attention is wide.
_SIZE_CLASSES = ((0.15, "tiny"), (0.4, "small"), (0.8, "medium"), (1.6, "large"))


@dataclass(frozen=True, slots=True)
class RateKey:
    """What pictures must have in common to take the same time for the same work."""

    family: str
    device: str
    size_class: str


@dataclass(frozen=True, slots=True)
class Rate:
    """Seconds of a device for a unit of work (see domain.pace), and how far measurements lie from it."""

    seconds_per_cost: float
    spread: float  #: mean absolute deviation of the logarithm
    measurements: int


@dataclass(frozen=True, slots=True)
class Range:
    """An estimate in seconds, with the range in which the truth should lie."""

    seconds: float
    low_seconds: float
    high_seconds: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """How good estimates were, held against what happened."""

    count: int
    inside_share: float  #: of the actual times, those that lay inside their range
    median_ratio: float  #: of actual to estimated time; 1 when estimates are neither too short nor too long


def size_class(width: int, height: int) -> str:
    """The class of pictures of so many pixels."""
    megapixels = width * height / 1e6
    return next((name for end, name in _SIZE_CLASSES if megapixels <= end), "huge")


def learn_rate(rate: Rate | None, *, cost: float, seconds: float) -> Rate:
    """The rate after one more picture of ``cost`` took ``seconds`` of the device; both more than 0.

    Averages are taken over logarithms, so that one picture that took ten times as long weighs no more than one that
    took a tenth.
    """
    measured = seconds / cost
    if rate is None:
        return Rate(measured, FIRST_SPREAD, 1)
    deviation = log(measured) - log(rate.seconds_per_cost)
    return Rate(
        seconds_per_cost=rate.seconds_per_cost * exp(NEWEST_WEIGHT * deviation),
        spread=(1 - NEWEST_WEIGHT) * rate.spread + NEWEST_WEIGHT * abs(deviation),
        measurements=rate.measurements + 1,
    )


def stand_in(rate: Rate) -> Rate:
    """A rate as it may be used for other pictures or devices than those it was learned from: with a wider range."""
    return Rate(rate.seconds_per_cost, max(FIRST_SPREAD, rate.spread), 0)


def draw_seconds(rate: Rate, cost: float) -> Range:
    """How long a picture of this cost takes."""
    seconds = rate.seconds_per_cost * cost
    factor = exp(RANGE_DEVIATIONS * rate.spread)
    return Range(seconds, seconds / factor, seconds * factor)


def calibration(outcomes: Iterable[tuple[Range, float]]) -> Calibration | None:
    """How estimates (made before) compare with what happened (seconds); None without any."""
    known = [(estimate, actual) for estimate, actual in outcomes]
    if not known:
        return None
    inside = sum(estimate.low_seconds <= actual <= estimate.high_seconds for estimate, actual in known)
    ratios = [actual / estimate.seconds for estimate, actual in known if estimate.seconds > 0]
    return Calibration(len(known), inside / len(known), median(ratios) if ratios else 1.0)
