"""Quotes: what an order would cost and how long it would wait, and how good quotes turned out to be."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from typing import Any, Literal

from stablehand.domain.estimates import Range
from stablehand.domain.jobs import QueuePlace
from stablehand.domain.prices import Money
from stablehand.domain.tiers import Tier

#: What the device time was learned from: pictures of this size on this device, others of its family, or none.
Basis = Literal["kind", "family", "nothing"]

#: A tier whose deadline is not longer is served at once, as people say it.
AT_ONCE_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """Something that the account may not have, or not now, because of which the order would be refused."""

    name: str  #: of domain.quotas.NAMES; ``pool`` when no agents could ever draw it
    code: str  #: of the error that the order would get
    message: str
    hint: str
    most: float | None = None
    used: float | None = None  #: without the order
    asked: float | None = None
    frees_at: datetime | None = None  #: when there would be room for it; None when waiting alone makes none

    @property
    def left(self) -> float | None:
        return None if self.most is None else max(0.0, self.most - (self.used or 0.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """Of an order that nobody has sent yet."""

    tier: Tier
    count: int
    device: Range | None  #: device-seconds of all its pictures; None while nothing like it was measured
    basis: Basis
    measurements: int  #: pictures that ``device`` was learned from
    charge: Money | None  #: what it would be charged; None without prices, or without ``device``
    charge_low: Money | None
    charge_high: Money | None
    place: QueuePlace | None  #: None when no pool could ever draw it
    limits: tuple[Limit, ...]  #: each one that it would hit

    @property
    def accepted(self) -> bool:
        return not self.limits

    @property
    def keeps_promise(self) -> bool | None:
        """Whether it should begin within its tier's deadline; None while nobody can tell."""
        if self.place is None or self.place.due is None:
            return None
        return self.place.due.begins_seconds <= self.tier.deadline_seconds


def promise(tier: Tier) -> str:
    """A tier's promise in words: ``at once``, ``within 30 minutes``."""
    if tier.deadline_seconds <= AT_ONCE_SECONDS:
        return "at once"
    if tier.deadline_seconds < 2 * 3600:
        return f"within {ceil(tier.deadline_seconds / 60)} minutes"
    return f"within {ceil(tier.deadline_seconds / 3600)} hours"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """The part of a quote that is kept with the job, to be held against what happened. Seconds from the order."""

    device: Range
    first: Range | None  #: until the first picture; None when nobody could tell
    last: Range | None
    held_by: str | None  #: what it waited for
    handling_seconds: float = 0.0  #: the part of ``first`` and ``last`` that is no drawing

    def besides(self, *, device_seconds: float, last_seconds: float) -> float | None:
        """What a job took that is no drawing (domain.prospects.learn_handling); None when it waited for something."""
        if self.last is None or self.held_by is not None:
            return None
        before = self.last.seconds - self.handling_seconds - self.device.seconds
        return last_seconds - before - device_seconds

    @classmethod
    def of(cls, quote: Quote) -> "Kept | None":
        """None while nothing like the order was measured: there is nothing to be held against."""
        if quote.device is None:
            return None
        due = None if quote.place is None else quote.place.due
        return cls(
            device=quote.device,
            first=None if due is None else due.first,
            last=None if due is None else due.last,
            held_by=None if quote.place is None else quote.place.held_by,
            handling_seconds=0.0 if due is None else due.handling_seconds,
        )

    def as_dict(self) -> dict[str, Any]:
        parts = {"device": self.device, "first": self.first, "last": self.last}
        seconds = {name: _rounded(one) for name, one in parts.items()}
        return {**seconds, "held_by": self.held_by, "handling": round(self.handling_seconds, 3)}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> "Kept":
        parts = {name: None if value[name] is None else Range(*value[name]) for name in ("device", "first", "last")}
        assert parts["device"] is not None
        return cls(
            device=parts["device"],
            first=parts["first"],
            last=parts["last"],
            held_by=value["held_by"],
            handling_seconds=value["handling"],
        )


def _rounded(seconds: Range | None) -> list[float] | None:
    if seconds is None:
        return None
    return [round(value, 3) for value in (seconds.seconds, seconds.low_seconds, seconds.high_seconds)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A job that was delivered whole, beside its quote."""

    checkpoint: str  #: name
    count: int
    kept: Kept
    device_seconds: float
    first_seconds: float  #: from the order to its first picture
    last_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """How far quotes of one thing were from what happened."""

    jobs: int
    median_error: float  #: share of what happened by which half of the quotes were off at most, to either side
    p90_error: float  #: the same of nine in ten
    median_error_seconds: float
    p90_error_seconds: float
    bias: float  #: median of what happened over what was quoted; above 1: quotes are too short
    inside: float  #: share of what happened that lay inside its range


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """How good the quotes of a checkpoint's jobs were; None: nothing to hold against."""

    checkpoint: str | None  #: name; None: of all
    jobs: int
    device: Accuracy | None
    first: Accuracy | None
    last: Accuracy | None


def accuracy(pairs: Iterable[tuple[Range, float]]) -> Accuracy | None:
    """Of (quote, what happened) in seconds; pairs of which either is not more than 0 say nothing and are left out."""
    known = [(quoted, actual) for quoted, actual in pairs if quoted.seconds > 0 and actual > 0]
    if not known:
        return None
    shares = [abs(quoted.seconds - actual) / actual for quoted, actual in known]
    seconds = [abs(quoted.seconds - actual) for quoted, actual in known]
    inside = sum(quoted.low_seconds <= actual <= quoted.high_seconds for quoted, actual in known)
    return Accuracy(
        jobs=len(known),
        median_error=quantile(shares, 0.5),
        p90_error=quantile(shares, 0.9),
        median_error_seconds=quantile(seconds, 0.5),
        p90_error_seconds=quantile(seconds, 0.9),
        bias=quantile([actual / quoted.seconds for quoted, actual in known], 0.5),
        inside=inside / len(known),
    )


def quantile(values: Iterable[float], share: float) -> float:
    """The smallest value that at least ``share`` of them do not pass; there must be one."""
    ordered = sorted(values)
    return ordered[max(0, ceil(share * len(ordered)) - 1)]


def records(outcomes: Iterable[Outcome]) -> list[Record]:
    """Of all jobs together, then of each checkpoint by name."""
    known = list(outcomes)
    names = sorted({one.checkpoint for one in known})
    return [_record(None, known), *(_record(name, [one for one in known if one.checkpoint == name]) for name in names)]


def _record(checkpoint: str | None, outcomes: list[Outcome]) -> Record:
    return Record(
        checkpoint=checkpoint,
        jobs=len(outcomes),
        device=accuracy((one.kept.device, one.device_seconds) for one in outcomes),
        first=accuracy((one.kept.first, one.first_seconds) for one in outcomes if one.kept.first is not None),
        last=accuracy((one.kept.last, one.last_seconds) for one in outcomes if one.kept.last is not None),
    )
