"""Connections and transactions: one writer at a time, readers beside it, and the database's own clock."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, create_engine, event, text
from sqlalchemy.engine import Engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from stablehand.domain.errors import StorageFull

#: How long a connection waits for another process (a backup, a migration) to let go of the file.
BUSY_TIMEOUT_MS = 10_000

#: Connections for readers; who waits for an agent or a job holds none.
CONNECTIONS_KEPT, CONNECTIONS_MORE = 16, 48

_WRITES = "stablehand_writes"

# SQLAlchemy would hand out rows of the last second otherwise: this has milliseconds.
_NOW = text("SELECT strftime('%Y-%m-%d %H:%M:%f', 'now')")


@dataclass(frozen=True, slots=True)
class Transaction:
    session: Session
    now: datetime  #: the database's clock when the transaction began


class Transactions:
    """Opens transactions. ``clock`` stands in for the database's clock in tests."""

    def __init__(self, url: str, *, clock: Callable[[], datetime] | None = None) -> None:
        self.url = url
        self.engine = _make_engine(url)
        self._clock = clock
        self._writer = threading.Lock()

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        """A consistent view of the database; does not wait for writers."""
        with Session(self.engine) as session, _in_our_words():
            yield Transaction(session, self._now(session))

    @contextmanager
    def writing(self) -> Iterator[Transaction]:
        """A transaction that commits at the end of the block, or leaves no trace if that raises.

        SQLite admits one writer: waiting for our own lock is fair and cheap, waiting for the file's is neither.
        """
        with (
            self._writer,
            _in_our_words(),
            self.engine.connect().execution_options(**{_WRITES: True}) as connection,
            Session(connection, expire_on_commit=False) as session,
            session.begin(),
        ):
            yield Transaction(session, self._now(session))

    def close(self) -> None:
        self.engine.dispose()

    def _now(self, session: Session) -> datetime:
        if self._clock is not None:
            return self._clock()
        return datetime.fromisoformat(session.execute(_NOW).scalar_one()).replace(tzinfo=UTC)


def _make_engine(url: str) -> Engine:
    engine = create_engine(url, pool_size=CONNECTIONS_KEPT, max_overflow=CONNECTIONS_MORE, pool_timeout=30.0)

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, entry: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # the driver must not open transactions of its own; ``begin`` below does
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
            f"busy_timeout = {BUSY_TIMEOUT_MS}",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A transaction that reads first and writes later can only fail on SQLite, so writers say so at once.
        writes = connection.get_execution_options().get(_WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


@contextmanager
def _in_our_words() -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        if getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
            raise StorageFull(
                "The disk that holds the database is full.",
                hint="Free some space in the data directory, then try again.",
            ) from error
        raise
