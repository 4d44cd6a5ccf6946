"""Usage: the ledger summed up. Days that are over stand in a summary, so that a million lines need not be read again.

The summary holds all lines up to a number, and queries read the others themselves. Numbers are given before the commit,
so a smaller one may still appear after a larger one; no transaction lives as long as ``SETTLED``, after which none can.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import Select, Text, cast, func, insert, literal, select, union_all

from stablehand.domain.usage import Key, UsageLine, UsageSums, total
from stablehand.store.columns import Table, table_of
from stablehand.store.day_row import LedgerDayRow
from stablehand.store.ledger_rows import ChargeRow, WasteRow
from stablehand.store.models import AccountRow, CheckpointRow
from stablehand.store.transactions import Transaction, Transactions, repeatable

#: how old lines are at least that are summed up
SETTLED = timedelta(hours=1)
#: lines that are read in one transaction; on SQLite nobody else writes meanwhile
LINES_AT_ONCE = 20_000

_DAYS = table_of(LedgerDayRow)
_CHARGES, _WASTE = "charges", "waste"
_SOURCES: dict[str, type[Table]] = {_CHARGES: ChargeRow, _WASTE: WasteRow}
_COLUMNS: dict[Key, str] = {
    "day": "day",
    "account": "account_id",
    "checkpoint": "checkpoint_id",
    "pool": "pool",
    "tier": "tier",
    "reason": "reason",
    "currency": "currency",
}
_GROUPED = tuple(_COLUMNS.values())
_MEASURES = ("device_seconds", "charge_micros", "cost_micros")


class Ledger(Transactions):
    def now(self) -> datetime:
        """The database's clock."""
        with self.reading() as tx:
            return tx.now

    def usage(
        self, *, since: date, until: date, by: Sequence[Key], account_id: str | None = None
    ) -> tuple[UsageLine, ...]:
        """Of the days from ``since`` to ``until`` (UTC, both included), a line for all that is alike in ``by``.

        The newest day first, then what has cost most device time.
        """
        columns = [_COLUMNS[key] for key in by]
        with self.reading() as tx:
            lines = union_all(*_all_lines(tx, since, until, account_id)).subquery()
            keys = [lines.c[column] for column in dict.fromkeys((*columns, "currency"))]
            sums = select(
                *keys,
                lines.c.source,
                *(func.sum(lines.c[column]).label(column) for column in ("lines", *_MEASURES)),
            ).group_by(*keys, lines.c.source)
            found: dict[tuple[str, ...], list[UsageSums]] = {}
            for row in tx.session.execute(sums):
                found.setdefault(tuple(row[: len(columns)]), []).append(_sums(row))
            names = _names(tx, columns)
        made = [_line(by, key, total(sums), names) for key, sums in found.items()]
        return tuple(sorted(made, key=_order))

    @repeatable
    def fold_ledger(self) -> int:
        """Sum up some lines of days that are over; returns how many lines. 0: that is done for now."""
        with self.writing() as tx:
            tx.alone("ledger days")
            today = (tx.now - SETTLED).replace(hour=0, minute=0, second=0, microsecond=0)
            return sum(_fold(tx, source, today) for source in _SOURCES)


def _fold(tx: Transaction, source: str, today: datetime) -> int:
    row: Any = _SOURCES[source]
    done = _done(tx, source)
    # From the end: only the lines of today are looked at in vain.
    last = tx.session.scalar(select(row.number).where(row.created_at < today).order_by(row.number.desc()).limit(1))
    if last is None or last <= done:
        return 0
    some = select(row.number).where(row.number > done, row.number <= last).order_by(row.number).limit(LINES_AT_ONCE)
    upto = tx.session.scalar(select(func.max(some.subquery().c.number)))
    lines = _lines(tx, source).where(row.number > done, row.number <= upto).subquery()
    grouped = select(
        literal(source),
        literal(upto),
        *(lines.c[column] for column in _GROUPED),
        *(func.sum(lines.c[column]) for column in ("lines", *_MEASURES)),
    ).group_by(*(lines.c[column] for column in _GROUPED))
    tx.session.execute(insert(_DAYS).from_select(["source", "upto", *_GROUPED, "lines", *_MEASURES], grouped))
    return tx.session.scalar(select(func.count()).where(row.number > done, row.number <= upto)) or 0


def _done(tx: Transaction, source: str) -> int:
    """The last line that is in the summary. Asked apart, so that plans can be made for what is left."""
    return tx.session.scalar(select(func.max(LedgerDayRow.upto)).where(LedgerDayRow.source == source)) or 0


def _all_lines(tx: Transaction, since: date, until: date, account_id: str | None) -> list[Select[Any]]:
    """What is summed up, and the lines that are not yet."""
    begin = datetime.combine(since, time(), UTC)
    end = datetime.combine(until + timedelta(days=1), time(), UTC)
    summed = select(*(_DAYS.c[column] for column in ("source", *_GROUPED, "lines", *_MEASURES))).where(
        _DAYS.c.day >= since.isoformat(), _DAYS.c.day <= until.isoformat()
    )
    if account_id is not None:
        summed = summed.where(_DAYS.c.account_id == account_id)
    queries = [summed]
    for source, row in _SOURCES.items():
        found: Any = row
        lines = _lines(tx, source).where(
            found.number > _done(tx, source), found.created_at >= begin, found.created_at < end
        )
        queries.append(lines if account_id is None else lines.where(found.account_id == account_id))
    return queries


def _lines(tx: Transaction, source: str) -> Select[Any]:
    """Single lines of the ledger in the form of the summary."""
    row: Any = _SOURCES[source]
    if tx.is_postgresql:
        day = func.to_char(func.timezone("UTC", row.created_at), "YYYY-MM-DD")
    else:
        day = func.substr(cast(row.created_at, Text), 1, 10)
    return select(
        literal(source).label("source"),
        day.label("day"),
        row.account_id,
        row.checkpoint_id,
        row.pool,
        row.tier,
        (row.reason if source == _WASTE else literal("")).label("reason"),
        row.currency,
        literal(1).label("lines"),
        row.device_seconds,
        (literal(0) if source == _WASTE else row.charge_micros).label("charge_micros"),
        row.cost_micros,
    )


def _sums(row: Any) -> UsageSums:
    def amounts(micros: Any) -> dict[str, int]:
        return {row.currency: int(micros)} if row.currency else {}

    if row.source == _WASTE:
        return UsageSums(
            wasted_leases=int(row.lines), wasted_seconds=row.device_seconds, wasted_cost=amounts(row.cost_micros)
        )
    return UsageSums(
        pictures=int(row.lines),
        device_seconds=row.device_seconds,
        charged=amounts(row.charge_micros),
        cost=amounts(row.cost_micros),
    )


def _names(tx: Transaction, columns: Sequence[str]) -> dict[str, str]:
    """id -> name, of accounts that were not deleted and of checkpoints."""
    names: dict[str, str] = {}
    if "account_id" in columns:
        known = select(AccountRow.id, AccountRow.name).where(AccountRow.deleted_at.is_(None))
        names |= dict(tx.session.execute(known).tuples().all())
    if "checkpoint_id" in columns:
        names |= dict(tx.session.execute(select(CheckpointRow.id, CheckpointRow.name)).tuples().all())
    return names


def _line(by: Sequence[Key], values: tuple[str, ...], sums: UsageSums, names: dict[str, str]) -> UsageLine:
    said: dict[str, Any] = {}
    for key, value in zip(by, values, strict=True):
        if key == "day":
            said["day"] = date.fromisoformat(value)
        elif key in ("account", "checkpoint"):
            said |= {f"{key}_id": value, key: names.get(value)}
        else:
            said[key] = value
    return UsageLine(**said, sums=sums)


def _order(line: UsageLine) -> tuple[Any, ...]:
    names = (line.account_id, line.checkpoint_id, line.pool, line.tier, line.reason, line.currency)
    seconds = line.sums.device_seconds + line.sums.wasted_seconds
    return -(line.day or date.min).toordinal(), -seconds, tuple(name or "" for name in names)
