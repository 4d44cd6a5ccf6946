"""Connections to the two databases, and what their errors mean in our words.

SQLite is a file that admits one writer; PostgreSQL is a server that may go away, and whose transactions may get into
each other's way.
"""

import select
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from sqlalchemy import URL, Connection, create_engine, event, make_url
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError, InvalidatePoolError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import ConnectionPoolEntry

from stablehand.domain.errors import StorageFull, StoreUnavailable
from stablehand.store.patience import connect

#: How long a connection waits for another process (a backup, a migration) to let go of the file.
BUSY_TIMEOUT_MS = 10_000

#: Connections for one process unless a setting says otherwise, and how many of them stay open when idle. Who waits for
#: an agent or a job holds none.
CONNECTIONS, CONNECTIONS_KEPT = 64, 16
POOL_TIMEOUT_SECONDS = 30.0
#: A connection that lay idle for longer is asked whether it still lives before it is used. Of one that spoke a moment
#: ago it is enough that the server has said nothing since: asking costs a round trip.
ASKED_AFTER_SECONDS = 1.0

#: One statement of ours takes milliseconds; what takes this long waits for something that does not come.
TIMEOUT_SECONDS = 30.0
#: A process that was stopped in mid-transaction must not hold its locks for ever.
IDLE_IN_TRANSACTION_TIMEOUT_MS = 30_000

#: A server that vanished without a word (a pulled cable, a lost node) is given up after about half a minute.
_KEEPALIVE = {
    "connect_timeout": 5,
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}

#: execution option that marks a connection of SQLite as a writer's
WRITES = "stablehand_writes"

_LAID_DOWN = "stablehand_laid_down"

_DISK_FULL = "53100"
_CONTENDED = {"40001", "40P01"}  # serialization failure, deadlock
_TOO_SLOW = {"57014", "55P03", "25P03"}  # a timeout: of a statement, of a lock, of an idle transaction
_AWAY = {"57P01", "57P02", "57P03", "53300", "53200"}  # shut down, crashed, starting, no connection or memory left


class Contended(StoreUnavailable):
    """Transactions stood in each other's way and the database ended this one; it may be repeated as a whole."""


def parse(url: str) -> URL:
    """``url`` with the driver we use: ``postgresql://`` and ``postgres://`` are spoken by psycopg 3."""
    parsed = make_url(url)
    if parsed.drivername in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    return parsed


def place_of(url: str) -> str:
    """The database for people to read: the file's path, or the address without its password."""
    parsed = parse(url)
    if parsed.get_backend_name() == "sqlite":
        return parsed.database or "memory"
    parsed = parsed.set(drivername="postgresql", query={k: v for k, v in parsed.query.items() if k == "host"})
    return parsed.render_as_string(hide_password=True)


def make_engine(url: str, *, connections: int = CONNECTIONS, timeout_seconds: float = TIMEOUT_SECONDS) -> Engine:
    """An engine that has not connected yet.

    ``connections``: as many as this process may have open at once; ``timeout_seconds``: for one statement.
    """
    parsed = parse(url)
    kept = min(CONNECTIONS_KEPT, connections)
    if parsed.get_backend_name() == "sqlite":
        return _sqlite(parsed, kept, connections - kept)
    settings = (
        f"-c statement_timeout={timeout_seconds * 1000:.0f}"
        f" -c idle_in_transaction_session_timeout={IDLE_IN_TRANSACTION_TIMEOUT_MS} -c timezone=UTC"
    )
    given = parsed.query.get("options", "")
    options = " ".join([settings, *([given] if isinstance(given, str) else given)]).strip()
    engine = create_engine(
        parsed.difference_update_query(["options"]),
        pool_size=kept,
        max_overflow=connections - kept,
        pool_timeout=POOL_TIMEOUT_SECONDS,
        isolation_level="READ COMMITTED",
        connect_args={**_KEEPALIVE, "application_name": "stablehand", "options": options}
        | {name: value for name, value in parsed.query.items() if name in _KEEPALIVE or name == "application_name"},
    )

    @event.listens_for(engine, "do_connect")
    def do_connect(dialect: object, entry: object, arguments: list[Any], options: dict[str, Any]) -> object:
        # The server gives up first, where it can still be heard.
        return connect(1.2 * timeout_seconds + 1.0, *arguments, **options)

    _replace_the_dead(engine)
    return engine


def _replace_the_dead(engine: Engine) -> None:
    """A connection that died while it lay idle is replaced before anybody notices, and with it all of its age."""

    @event.listens_for(engine, "checkin")
    def laid_down(_connection: object, entry: ConnectionPoolEntry) -> None:
        entry.info[_LAID_DOWN] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def picked_up(connection: Any, entry: ConnectionPoolEntry, _proxy: object) -> None:
        laid_down_at = entry.info.get(_LAID_DOWN)  # none: it has only just been opened
        if laid_down_at is None:
            return
        try:
            if time.monotonic() - laid_down_at > ASKED_AFTER_SECONDS or _has_been_told(connection):
                engine.dialect.do_ping(connection)
        except psycopg.Error as error:
            raise InvalidatePoolError from error


def _has_been_told(connection: Any) -> bool:
    """True when something lies unread on a connection that asked for nothing: its end, as a rule."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def _sqlite(url: URL, kept: int, more: int) -> Engine:
    engine = create_engine(url, pool_size=kept, max_overflow=more, pool_timeout=POOL_TIMEOUT_SECONDS)

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
        writes = connection.get_execution_options().get(WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


@contextmanager
def in_our_words() -> Iterator[None]:
    """What a database says of itself becomes an error of ours; what it says of our statements passes as it is.

    Raises:
        StorageFull, StoreUnavailable, Contended.
    """
    try:
        yield
    except PoolTimeout as error:
        raise StoreUnavailable(
            "Too many requests wait for the database.",
            hint="Try again in a moment; if it stays, raise storage.database_connections.",
            reason=str(error),
        ) from error
    except DBAPIError as error:
        ours = _translated(error)
        if ours is None:
            raise
        raise ours from error


def _translated(error: DBAPIError) -> StorageFull | StoreUnavailable | None:
    lines = str(error.orig).strip().splitlines()
    reason = lines[0] if lines else type(error.orig).__name__
    if isinstance(error.orig, sqlite3.Error):
        # The low byte is the primary code; what stands above it tells variants apart.
        code = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_FULL:
            return _full("Free some space in the data directory, then try again.")
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return StoreUnavailable("The database is held by another process.", reason=reason)
        return None
    state: str | None = getattr(error.orig, "sqlstate", None)
    if state == _DISK_FULL:
        return _full("Free some space where PostgreSQL keeps its data, then try again.")
    if state in _CONTENDED:
        return Contended("Too many changes met in the database.", reason=reason)
    if state in _TOO_SLOW:
        return StoreUnavailable("The database took too long to answer.", reason=reason)
    # A driver that could not even connect, or lost the line, has no state to tell.
    lost = state is None and type(error.orig).__name__ in ("OperationalError", "InterfaceError", "ConnectionTimeout")
    if error.connection_invalidated or lost or state in _AWAY or (state or "").startswith("08"):
        return StoreUnavailable("The database cannot be reached right now.", reason=reason)
    return None


def _full(hint: str) -> StorageFull:
    return StorageFull("The disk that holds the database is full.", hint=hint)
