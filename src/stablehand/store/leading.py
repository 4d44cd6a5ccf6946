"""Leading: of several processes over one database, one does what must not be done twice at a time.

On PostgreSQL the leader holds an advisory lock, which belongs to its session: when the process, or its line to the
database, ends, so does the lock. Over SQLite there is one process, and a lock in its memory will do. A leader that has
lost its lock may go on for a moment without knowing; whatever it writes must be fenced by itself.
"""

import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from stablehand.store.connections import in_our_words
from stablehand.store.transactions import Transactions

_TAKE = text("SELECT pg_try_advisory_lock(hashtextextended(:name, 0))")
_GIVE_BACK = text("SELECT pg_advisory_unlock(hashtextextended(:name, 0))")
# A leader that vanished without a word is noticed by the server, else nobody could follow it for hours.
_NOTICE_SILENCE = text(
    "SELECT set_config('tcp_keepalives_idle', '10', false), set_config('tcp_keepalives_interval', '5', false),"
    " set_config('tcp_keepalives_count', '3', false)"
)

_leading_here: set[tuple[str, str]] = set()  # (database, name) led in this process, over SQLite
_leading_here_lock = threading.Lock()


class Lead:
    """The right to lead in one matter. A context manager; leaving it lets another process lead."""

    def __init__(self, name: str, url: str, connection: Connection | None) -> None:
        self.name = name
        self._url = url
        self._connection = connection

    def holds(self) -> bool:
        """False once the lock is lost, which never comes back: ask for a new one. Asks the database."""
        if self._connection is None:
            return True
        try:
            self._connection.execute(text("SELECT 1"))
        except SQLAlchemyError:
            return False
        return not self._connection.invalidated

    def close(self) -> None:
        if self._connection is None:
            with _leading_here_lock:
                _leading_here.discard((self._url, self.name))
            return
        with suppress(SQLAlchemyError):  # the lock goes with the session, whatever becomes of our words
            self._connection.execute(_GIVE_BACK, {"name": self.name})
        with suppress(SQLAlchemyError):
            self._connection.invalidate()
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Leading(Transactions):
    def try_lead(self, name: str) -> Lead | None:
        """The lead in the matter ``name``, or None while somebody else has it. Raises StoreUnavailable."""
        name = f"stablehand {name}"
        if not self.is_postgresql:
            with _leading_here_lock:
                if (self.url, name) in _leading_here:
                    return None
                _leading_here.add((self.url, name))
            return Lead(name, self.url, None)
        with in_our_words():
            connection = self.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            try:
                if connection.scalar(_TAKE, {"name": name}):
                    connection.execute(_NOTICE_SILENCE)
                    return Lead(name, self.url, connection)
            except BaseException:
                connection.invalidate()
                connection.close()
                raise
            connection.close()
            return None
