"""A connection to PostgreSQL that does not wait for ever.

A server that is frozen, or a network that swallows packets but still confirms them, leaves a client waiting for an
answer that never comes: neither the server's own time limits nor TCP's keepalives notice. Hence a limit of our own.
"""

from typing import Any

import psycopg
from psycopg.errors import _WaitTimeout
from psycopg.rows import TupleRow


class ImpatientConnection(psycopg.Connection[TupleRow]):
    """Raises OperationalError, and is closed, when an answer takes over ``patience_seconds`` (None: any time)."""

    patience_seconds: float | None = None

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        if timeout is not None or self.patience_seconds is None:
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(gen, interval, self.patience_seconds)
        except _WaitTimeout as error:
            self.pgconn.finish()
            raise psycopg.OperationalError(
                f"the server has not answered for {self.patience_seconds:g} seconds"
            ) from error


def connect(patience_seconds: float, *arguments: Any, **options: Any) -> ImpatientConnection:
    """As psycopg.connect. The time to connect has a limit of its own, ``connect_timeout``."""
    connection = ImpatientConnection.connect(*arguments, **options)
    connection.patience_seconds = patience_seconds
    return connection
