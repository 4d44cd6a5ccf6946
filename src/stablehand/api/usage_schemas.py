"""What is asked about usage, and what is answered."""

from datetime import date

from pydantic import Field

from stablehand.api.schemas import Out, PageQuery, Query

_DAYS = "So many days, today among them. Default: 30, unless `since` is given."
_SINCE = "First day (UTC)."
_UNTIL = "Last day; default: today."
_BY = "What lines are told apart by, with commas: "
_AMOUNTS = "By currency, as exact decimal numbers; {}: nothing had a price."


class OwnUsageQuery(PageQuery):
    days: int | None = Field(None, ge=1, le=366, description=_DAYS)
    since: date | None = Field(None, description=_SINCE)
    until: date | None = Field(None, description=_UNTIL)
    by: str = Field("day", max_length=100, description=_BY + "`day`, `checkpoint`, `tier`, `currency`.")


class OwnUsageCsvQuery(Query):
    days: int | None = Field(None, ge=1, le=366, description=_DAYS)
    since: date | None = Field(None, description=_SINCE)
    until: date | None = Field(None, description=_UNTIL)
    by: str = Field("day,checkpoint,tier", max_length=100, description=_BY + "`day`, `checkpoint`, `tier`.")


class UsageQuery(PageQuery):
    days: int | None = Field(None, ge=1, le=366, description=_DAYS)
    since: date | None = Field(None, description=_SINCE)
    until: date | None = Field(None, description=_UNTIL)
    by: str = Field(
        "day,account",
        max_length=100,
        description=_BY + "`day`, `account`, `checkpoint`, `pool`, `tier`, `reason` (of waste), `currency`.",
    )
    account: str | None = Field(None, max_length=64, description="Only of this account, by id.")


class UsageCsvQuery(Query):
    days: int | None = Field(None, ge=1, le=366, description=_DAYS)
    since: date | None = Field(None, description=_SINCE)
    until: date | None = Field(None, description=_UNTIL)
    by: str = Field(
        "day,account,checkpoint,pool,tier",
        max_length=100,
        description=_BY + "`day`, `account`, `checkpoint`, `pool`, `tier`, `reason` (of waste).",
    )
    account: str | None = Field(None, max_length=64, description="Only of this account, by id.")


class OwnSumsOut(Out):
    pictures: int = Field(description="Delivered.")
    device_seconds: float = Field(description="Of those.")
    charged: dict[str, str] = Field(description=_AMOUNTS)


class OwnUsageLineOut(OwnSumsOut):
    """null: the lines were not asked to be told apart by that."""

    day: date | None = Field(description="UTC.")
    checkpoint_id: str | None
    checkpoint: str | None = Field(description="Its name.")
    tier: str | None = Field(description="Of the orders.")
    currency: str | None


class OwnUsagePage(Out):
    items: list[OwnUsageLineOut]
    next_cursor: str | None
    since: date
    until: date
    totals: OwnSumsOut = Field(description="Of all pages.")
    is_priced: bool = Field(description="Whether device time has a price now.")


class SumsOut(OwnSumsOut):
    cost: dict[str, str] = Field(description="What their device time costs you. " + _AMOUNTS)
    wasted_leases: int = Field(description="Lines of waste: attempts that brought no picture, and what came on top.")
    wasted_seconds: float = Field(description="Device time that nobody is charged for.")
    wasted_cost: dict[str, str] = Field(description="What that costs you. " + _AMOUNTS)


class UsageLineOut(SumsOut):
    """null: the lines were not asked to be told apart by that."""

    day: date | None = Field(description="UTC.")
    account_id: str | None
    account: str | None = Field(description="Its name; null: it was deleted since, if there is an id.")
    checkpoint_id: str | None
    checkpoint: str | None = Field(description="Its name.")
    pool: str | None
    tier: str | None = Field(description="Of the orders.")
    reason: str | None = Field(description="Of waste; empty: charges.")
    currency: str | None


class UsagePage(Out):
    items: list[UsageLineOut]
    next_cursor: str | None
    since: date
    until: date
    totals: SumsOut = Field(description="Of all pages.")
    is_priced: bool = Field(description="Whether device time has a price now.")
