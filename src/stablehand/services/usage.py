"""usage: what stands in the ledger of some days, for those whom it concerns."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from stablehand.domain.errors import InvalidFields
from stablehand.domain.usage import Key, UsageLine, UsageSums, total
from stablehand.services import Services

DAYS_MAX = 366
DAYS_DEFAULT = 30


@dataclass(frozen=True, slots=True)
class Period:
    """Days in UTC, both included."""

    since: date
    until: date

    def days(self) -> Iterator[date]:
        """The newest first."""
        for back in range((self.until - self.since).days + 1):
            yield self.until - timedelta(days=back)


@dataclass(frozen=True, slots=True)
class Report:
    period: Period
    lines: tuple[UsageLine, ...]
    total: UsageSums


def period(
    services: Services, *, days: int | None = None, since: date | None = None, until: date | None = None
) -> Period:
    """The last days, today among them; or from one day to another, to today where the other is not said.

    Raises InvalidFields.
    """
    if since is None:
        if until is not None:
            raise InvalidFields({"since": "must be given with until"})
        wanted = DAYS_DEFAULT if days is None else days
        if not 1 <= wanted <= DAYS_MAX:
            raise InvalidFields({"days": f"1 to {DAYS_MAX}"})
        today = services.store.now().date()
        return Period(today - timedelta(days=wanted - 1), today)
    if days is not None:
        raise InvalidFields({"days": "either days, or since"})
    last = services.store.now().date() if until is None else until
    if not 0 <= (last - since).days < DAYS_MAX:
        raise InvalidFields({"until": f"not before since, and at most {DAYS_MAX} days in all"})
    return Period(since, last)


def report(services: Services, when: Period, *, by: Sequence[Key], account_id: str | None = None) -> Report:
    """All sums of a period, and their total. ``account_id``: of one account alone."""
    lines = services.store.usage(since=when.since, until=when.until, by=by, account_id=account_id)
    return Report(when, lines, total(line.sums for line in lines))


def day_by_day(
    services: Services, when: Period, *, by: Sequence[Key], account_id: str | None = None
) -> Iterator[UsageLine]:
    """The same lines, read as they are taken: with ``day`` among the keys no more than one day is in memory."""
    if "day" not in by:
        yield from report(services, when, by=by, account_id=account_id).lines
        return
    for day in when.days():
        yield from services.store.usage(since=day, until=day, by=by, account_id=account_id)
