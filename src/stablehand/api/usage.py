"""What stands in the ledger: for every account its own, for the administrator everybody's; as pages and as CSV."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, cast

from flask import Response
from flask_openapi.blueprint import APIBlueprint

from stablehand.api.door import Door, blueprint, reply
from stablehand.api.usage_schemas import (
    OwnSumsOut,
    OwnUsageCsvQuery,
    OwnUsageLineOut,
    OwnUsagePage,
    OwnUsageQuery,
    SumsOut,
    UsageCsvQuery,
    UsageLineOut,
    UsagePage,
    UsageQuery,
)
from stablehand.domain.errors import InvalidFields
from stablehand.domain.pages import page_of
from stablehand.domain.spreadsheets import csv_line
from stablehand.domain.usage import KEYS, OWN_KEYS, Amounts, Key, UsageLine, UsageSums, in_units
from stablehand.services.usage import Period, day_by_day, period, report

_CSV: dict[Any, Any] = {
    200: {
        "description": "Comma-separated values, sent as they are read. One line for each currency.",
        "content": {"text/csv": {"schema": {"type": "string"}}},
    }
}
_OWN_COLUMNS = ("pictures", "device_seconds", "charged", "currency")
_COLUMNS = (*_OWN_COLUMNS[:-1], "cost", "wasted_leases", "wasted_seconds", "wasted_cost", "currency")


def routes(door: Door) -> APIBlueprint:
    api = blueprint("usage", "What you have used, and what it costs.")

    @api.get("/usage", responses={200: OwnUsagePage})
    def browse_own_usage(query: OwnUsageQuery) -> Response:
        """Look at your pictures, their device time and what it costs, the newest day first."""
        when, by = _period(door, query), _keys(query.by, OWN_KEYS)
        found = report(door.services, when, by=by, account_id=door.account.id)
        lines = tuple(line for line in found.lines if line.sums.pictures)
        page = page_of("own-usage", lines, limit=query.limit, cursor=query.cursor)
        return reply(
            OwnUsagePage(
                items=[OwnUsageLineOut(**_own_names(line), **_own_sums(line.sums)) for line in page.items],
                next_cursor=page.next_cursor,
                since=when.since,
                until=when.until,
                totals=OwnSumsOut(**_own_sums(found.total)),
                is_priced=door.services.store.prices.are_set,
            )
        )

    @api.get("/usage.csv", responses=_CSV)
    def fetch_own_usage(query: OwnUsageCsvQuery) -> Response:
        """Fetch the same as comma-separated values."""
        when, by = _period(door, query), _keys(query.by, OWN_KEYS, "currency")
        lines = day_by_day(door.services, when, by=by, account_id=door.account.id)
        names = [name for key in by if key != "currency" for name in _NAMES[key] if name != "checkpoint_id"]
        return _as_csv("usage", when, [*names, *_OWN_COLUMNS], (line for line in lines if line.sums.pictures))

    return api


def admin_routes(door: Door) -> APIBlueprint:
    api = blueprint("admin-usage", "What accounts have used and what was wasted, for the administrator.")

    @api.get("/admin/usage", responses={200: UsagePage})
    def browse_usage(query: UsageQuery) -> Response:
        """Look at pictures, device time and money, the newest day first, then the most device time."""
        door.check_admin()
        when = _period(door, query)
        found = report(door.services, when, by=_keys(query.by, KEYS), account_id=query.account)
        page = page_of("usage", found.lines, limit=query.limit, cursor=query.cursor)
        return reply(
            UsagePage(
                items=[UsageLineOut(**_names(line), **_sums(line.sums)) for line in page.items],
                next_cursor=page.next_cursor,
                since=when.since,
                until=when.until,
                totals=SumsOut(**_sums(found.total)),
                is_priced=door.services.store.prices.are_set,
            )
        )

    @api.get("/admin/usage.csv", responses=_CSV)
    def fetch_usage(query: UsageCsvQuery) -> Response:
        """Fetch the same as comma-separated values."""
        door.check_admin()
        when, by = _period(door, query), _keys(query.by, KEYS, "currency")
        lines = day_by_day(door.services, when, by=by, account_id=query.account)
        names = [name for key in by if key != "currency" for name in _NAMES[key]]
        return _as_csv("usage-of-all", when, [*names, *_COLUMNS], lines)

    return api


#: the fields of a line that say what is alike
_NAMES: dict[Key, tuple[str, ...]] = {
    key: (f"{key}_id", key) if key in ("account", "checkpoint") else (key,) for key in KEYS
}


def _period(door: Door, query: OwnUsageQuery | OwnUsageCsvQuery | UsageQuery | UsageCsvQuery) -> Period:
    return period(door.services, days=query.days, since=query.since, until=query.until)


def _keys(text: str, known: Sequence[Key], *always: Key) -> list[Key]:
    """In the order of ``known``. Raises InvalidFields."""
    wanted = {word.strip() for word in text.split(",") if word.strip()}
    if wanted - set(known):
        raise InvalidFields({"by": "any of " + ", ".join(known) + ", with commas"})
    return [key for key in known if key in wanted or key in always]


def _own_names(line: UsageLine) -> dict[str, Any]:
    return {name: getattr(line, name) for key in OWN_KEYS for name in _NAMES[key]}


def _names(line: UsageLine) -> dict[str, Any]:
    return {name: getattr(line, name) for key in KEYS for name in _NAMES[key]}


def _own_sums(sums: UsageSums) -> dict[str, Any]:
    return {
        "pictures": sums.pictures,
        "device_seconds": sums.device_seconds,
        "charged": _text(sums.charged),
    }


def _sums(sums: UsageSums) -> dict[str, Any]:
    return {
        **_own_sums(sums),
        "cost": _text(sums.cost),
        "wasted_leases": sums.wasted_leases,
        "wasted_seconds": sums.wasted_seconds,
        "wasted_cost": _text(sums.wasted_cost),
    }


def _text(amounts: Amounts) -> dict[str, str]:
    return {currency: format(amount, "f") for currency, amount in in_units(amounts).items()}


def _as_csv(name: str, when: Period, columns: Sequence[str], lines: Iterable[UsageLine]) -> Response:
    def sent() -> Iterator[str]:
        yield csv_line(columns)
        for line in lines:
            values = {**_names(line), **_sums(line.sums)}
            # A line is of one currency, or of none.
            cells = (
                next(iter(value.values()), "") if isinstance(value, dict) else value
                for value in map(values.get, columns)
            )
            yield csv_line(cast("Iterable[object]", cells))

    answer = Response(sent(), content_type="text/csv; charset=utf-8")
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}-{when.since}-{when.until}.csv"'
    return answer
