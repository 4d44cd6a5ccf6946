"""What an order would cost, and how long it would wait; and how good such quotes were."""

from datetime import datetime
from decimal import Decimal
from typing import Literal

from flask import Response
from flask_openapi.blueprint import APIBlueprint
from pydantic import Field

from stablehand.api.door import BODY_ERRORS, Door, blueprint, reply
from stablehand.api.job_in import JobIn
from stablehand.api.jobs import order_of
from stablehand.api.schemas import Out, Query
from stablehand.domain.estimates import Range
from stablehand.domain.prices import Money
from stablehand.domain.quotes import Accuracy, Limit, Quote, Record, promise
from stablehand.domain.waiting import HeldBy
from stablehand.services.quote import JOBS, JOBS_MOST, quote, quote_records


class RangeOut(Out):
    """An estimate, with the range that about nine of ten should lie in."""

    likely: float
    low: float
    high: float

    @classmethod
    def of(cls, range_: Range | None) -> "RangeOut | None":
        if range_ is None:
            return None
        return cls(likely=range_.seconds, low=range_.low_seconds, high=range_.high_seconds)


class QuotedMoneyOut(Out):
    likely: Decimal
    low: Decimal
    high: Decimal
    currency: str = Field(description="ISO 4217.")


class WaitingOut(Out):
    """Seconds from now, were the order sent now."""

    first: RangeOut | None = Field(description="Until its first picture is ready; null while nobody can tell.")
    last: RangeOut | None = Field(description="Until all are.")
    ahead: int = Field(description="Pictures for its checkpoint that come before its first one; many: at most so many.")
    held_by: HeldBy | None = Field(description="What it would wait for; null when it would simply be next.")
    reason: str | None = Field(description="The same as a sentence.")


class PromiseOut(Out):
    tier: str
    within_seconds: float = Field(description="In which its tier's pictures should have begun.")
    words: str = Field(examples=["at once", "within 30 minutes"])
    is_likely: bool | None = Field(description="Whether this order should; null while nobody can tell.")


class QuoteLimitOut(Out):
    """A limit that the order would hit."""

    name: str = Field(description="As `GET /api/v1/me/limits` names it; `pool`: no agents could ever draw this.")
    code: str = Field(description="Of the error that `POST /api/v1/jobs` would answer.")
    message: str
    hint: str
    most: float | None
    used: float | None = Field(description="Without this order.")
    left: float | None
    asked: float | None = Field(description="By this order.")
    frees_at: datetime | None = Field(description="When there is room for it; null when time alone makes none.")

    @classmethod
    def of(cls, limit: Limit) -> "QuoteLimitOut":
        return cls(**{name: getattr(limit, name) for name in cls.model_fields})


class QuoteOut(Out):
    accepted: bool = Field(description="Whether `POST /api/v1/jobs` would take the order now.")
    limits: list[QuoteLimitOut] = Field(description="Every limit that it would hit; none when it is accepted.")
    count: int
    device_seconds: RangeOut | None = Field(
        description="Of all its pictures together; null while nothing like them was measured here."
    )
    basis: Literal["kind", "family", "nothing"] = Field(
        description="What `device_seconds` was learned from: pictures of this size on this device, others of the "
        "checkpoint's family, or nothing yet."
    )
    measurements: int = Field(description="How many of the latest pictures of this kind it was learned from.")
    money: QuotedMoneyOut | None = Field(description="null: nothing has a price here, or nothing was measured.")
    waiting: WaitingOut
    promise: PromiseOut


class AccuracyOut(Out):
    """Quotes held against what happened."""

    jobs: int
    median_error: float = Field(description="Half were off by at most this share of what happened, to either side.")
    p90_error: float = Field(description="Nine of ten were.")
    median_error_seconds: float
    p90_error_seconds: float
    bias: float = Field(description="Median of what happened over what was quoted; above 1: quotes are too short.")
    inside: float = Field(description="Share of what happened that lay in its range.")


class QuoteRecordOut(Out):
    checkpoint: str | None = Field(description="Name; null: of all.")
    jobs: int
    device_seconds: AccuracyOut | None
    first: AccuracyOut | None = Field(description="Of the waiting for the first picture.")
    last: AccuracyOut | None


class QuoteRecordsOut(Out):
    items: list[QuoteRecordOut]


class RecordsQuery(Query):
    jobs: int = Field(JOBS, ge=1, le=JOBS_MOST, description="How many of the latest jobs to look back on.")


def routes(door: Door) -> APIBlueprint:
    api = blueprint("quotes", "What an order would cost, and how long it would wait.")

    @api.post("/quote", responses={200: QuoteOut, **BODY_ERRORS})
    def quote_job(body: JobIn) -> Response:
        """Ask what an order would cost and how long it would wait; nothing is ordered.

        Takes the body of `POST /api/v1/jobs` and refuses the same fields. An order that a limit would stop is answered
        like any other, with `accepted` false and the limits.
        """
        return reply(quote_out(quote(door.services, door.account, order_of(door, body))))

    @api.get("/admin/quotes", responses={200: QuoteRecordsOut})
    def read_quotes(query: RecordsQuery) -> Response:
        """Look how good quotes were: of all the latest jobs that were delivered whole, then by checkpoint."""
        door.check_admin()
        found = quote_records(door.services, jobs=query.jobs)
        return reply(QuoteRecordsOut(items=[_record_out(record) for record in found]))

    return api


def quote_out(quoted: Quote) -> QuoteOut:
    place = quoted.place
    due = None if place is None else place.due
    return QuoteOut(
        accepted=quoted.accepted,
        limits=[QuoteLimitOut.of(limit) for limit in quoted.limits],
        count=quoted.count,
        device_seconds=RangeOut.of(quoted.device),
        basis=quoted.basis,
        measurements=quoted.measurements,
        money=_money(quoted.charge, quoted.charge_low, quoted.charge_high),
        waiting=WaitingOut(
            first=None if due is None else RangeOut.of(due.first),
            last=None if due is None else RangeOut.of(due.last),
            ahead=0 if place is None else place.ahead,
            held_by=None if place is None else place.held_by,
            reason=None if place is None else place.reason,
        ),
        promise=PromiseOut(
            tier=quoted.tier.name,
            within_seconds=quoted.tier.deadline_seconds,
            words=promise(quoted.tier),
            is_likely=quoted.keeps_promise,
        ),
    )


def _money(likely: Money | None, low: Money | None, high: Money | None) -> QuotedMoneyOut | None:
    if likely is None or low is None or high is None:
        return None
    return QuotedMoneyOut(likely=likely.amount, low=low.amount, high=high.amount, currency=likely.currency)


def _record_out(record: Record) -> QuoteRecordOut:
    return QuoteRecordOut(
        checkpoint=record.checkpoint,
        jobs=record.jobs,
        device_seconds=_accuracy_out(record.device),
        first=_accuracy_out(record.first),
        last=_accuracy_out(record.last),
    )


def _accuracy_out(accuracy: Accuracy | None) -> AccuracyOut | None:
    if accuracy is None:
        return None
    return AccuracyOut(**{name: getattr(accuracy, name) for name in AccuracyOut.model_fields})
