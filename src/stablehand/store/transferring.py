"""Transferring: everything of one database into another one, in one transaction."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Integer, func, insert, select, text
from sqlalchemy import Table as SqlTable

from stablehand.domain.errors import BadTransfer
from stablehand.store.connections import in_our_words
from stablehand.store.models import Table
from stablehand.store.transactions import Transactions

#: Rows that are held in memory and sent at once.
ROWS_AT_ONCE = 2_000

#: What was copied so far: table, rows of it that are done, rows of it in all.
Tell = Callable[[str, int, int], None]


class Transferring(Transactions):
    def refuse_unless_empty(self) -> None:
        """Raises BadTransfer when there is a row in any table."""
        with self.reading() as tx:
            _refuse_unless_empty(tx.session.connection(), Table.metadata.sorted_tables)

    def take_over(self, source: Transactions, tell: Tell) -> dict[str, int]:
        """Copy every row of ``source`` into this database's empty tables; returns table -> rows.

        Everything is there when this returns, and nothing when it raises. Numbers go on where the source's would have.

        Raises:
            BadTransfer: a table is not empty, or does not hold afterwards what it should. StorageFull,
            StoreUnavailable.
        """
        tables = Table.metadata.sorted_tables
        counts: dict[str, int] = {}
        with in_our_words(), source.engine.connect() as old, self.engine.begin() as new:
            new.execute(text("SET LOCAL statement_timeout = 0"))
            new.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
            names = ", ".join(new.dialect.identifier_preparer.format_table(table) for table in tables)
            new.execute(text(f"LOCK TABLE {names} IN SHARE ROW EXCLUSIVE MODE"))
            _refuse_unless_empty(new, tables)
            for table in tables:
                rows = _count(old, table)
                tell(table.name, 0, rows)
                done = 0
                for chunk in _chunks(old, table):
                    new.execute(insert(table), chunk)
                    done += len(chunk)
                    tell(table.name, done, rows)
                counts[table.name] = _count(new, table)
                if not rows == done == counts[table.name]:
                    raise BadTransfer(
                        f"{table.name} has {rows} rows, of which {counts[table.name]} arrived.",
                        hint="Nothing was kept. Try again; if it stays, this is a fault worth reporting.",
                    )
                _go_on_counting(old, new, table)
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as new:
            new.execute(text("ANALYZE"))  # the first plans should know what is there
        return counts


def _refuse_unless_empty(connection: Connection, tables: Sequence[SqlTable]) -> None:
    taken = [table.name for table in tables if connection.scalar(select(select(table).exists()))]
    if taken:
        raise BadTransfer(
            f"The database is not empty: there are rows in {', '.join(taken)}.",
            hint="Make a new database for this; nothing is ever overwritten.",
        )


def _count(connection: Connection, table: SqlTable) -> int:
    return connection.scalar(select(func.count()).select_from(table)) or 0


def _chunks(connection: Connection, table: SqlTable) -> Iterator[list[dict[str, Any]]]:
    rows = connection.execution_options(yield_per=ROWS_AT_ONCE).execute(
        select(table).order_by(*table.primary_key.columns)
    )
    for chunk in rows.mappings().partitions():
        yield [dict(row) for row in chunk]


def _go_on_counting(old: Connection, new: Connection, table: SqlTable) -> None:
    """A number that was given once is never given again, even when its row is long gone."""
    column = table.autoincrement_column
    if column is None or not isinstance(column.type, Integer):
        return
    given = old.scalar(text("SELECT seq FROM sqlite_sequence WHERE name = :name"), {"name": table.name})
    if given:
        new.execute(
            text("SELECT setval(pg_get_serial_sequence(:table, :column), :given)"),
            {"table": table.name, "column": column.name, "given": given},
        )
