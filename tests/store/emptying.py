"""A database as it was made; quicker than making one for each example of a test."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import column, delete, select, text

from stablehand.services import Services
from stablehand.store.models import Table
from stablehand.store.transactions import Transaction
from tests.store.house import found


@contextmanager
def unguarded(tx: Transaction, *tables: str) -> Iterator[None]:
    """Lines of the ledger can be deleted in here."""
    if tx.is_postgresql:
        for table in tables:
            tx.session.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
        yield
        for table in tables:
            tx.session.execute(text(f"ALTER TABLE {table} ENABLE TRIGGER USER"))
        return
    found = select(text("name, sql FROM sqlite_master")).where(text("type = 'trigger'"), column("tbl_name").in_(tables))
    guards = tx.session.execute(found).tuples().all()
    for name, _ in guards:
        tx.session.execute(text(f"DROP TRIGGER {name}"))
    yield
    for _, sql in guards:
        tx.session.execute(text(sql))


def empty(services: Services) -> None:
    """A database as it was made; quicker than making one for each example."""
    with services.store.writing() as tx, unguarded(tx, "charges", "waste"):
        for table in reversed(Table.metadata.sorted_tables):
            if table.name != "audit":  # the database itself refuses that
                tx.session.execute(delete(table))
    services.store.note_scan([found("alpha"), found("beta")])
