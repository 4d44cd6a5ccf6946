"""Transactions: readers beside writers, and the database's own clock.

On SQLite one writer at a time, waiting for a lock of our own. On PostgreSQL writers work side by side under
``READ COMMITTED``: each method locks the rows that its decision rests on, in this order, so that no two wait for each
other: account, agent, shots by id, jobs by number.
"""

import functools
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

from stablehand.domain.prices import NO_PRICES, Prices
from stablehand.domain.tiers import SHIPPED, Tiers
from stablehand.store.connections import CONNECTIONS, TIMEOUT_SECONDS, WRITES, Contended, in_our_words, make_engine

#: How often a transaction is tried in all when others get in its way, and the longest first pause in between.
REPEATS = 6
REPEAT_SECONDS = 0.01

#: How rows are locked: against other writers, not against new rows that refer to them. (SQLite locks none.)
ONLY_ROW: dict[str, Any] = {"key_share": True}

# On SQLite, SQLAlchemy would hand out rows of the last second otherwise: this has milliseconds.
_NOW_SQLITE = text("SELECT strftime('%Y-%m-%d %H:%M:%f', 'now')")
_NOW_POSTGRESQL = text("SELECT now()")

_P = ParamSpec("_P")
_R = TypeVar("_R")
_S = TypeVar("_S", bound="Transactions")


class Transaction:
    """``writes``: False for one that may only look. ``tiers``, ``prices``: in force as long as it lasts."""

    def __init__(
        self,
        session: Session,
        *,
        writes: bool,
        clock: Callable[[], datetime] | None,
        tiers: Tiers = SHIPPED,
        prices: Prices = NO_PRICES,
    ) -> None:
        self.session = session
        self.writes = writes
        self.tiers = tiers
        self.prices = prices
        self._clock = clock

    @functools.cached_property
    def now(self) -> datetime:
        """The database's clock, read once a transaction; on PostgreSQL it is the moment when that began."""
        if self._clock is not None:
            return self._clock()
        if self.is_postgresql:
            now: datetime = self.session.execute(_NOW_POSTGRESQL).scalar_one()
            return now.astimezone(UTC)
        return datetime.fromisoformat(self.session.execute(_NOW_SQLITE).scalar_one()).replace(tzinfo=UTC)

    def told_now(self, moment: datetime) -> None:
        """PostgreSQL has said in passing when the transaction began, which spares a statement that asks."""
        if self._clock is None:
            self.__dict__["now"] = moment.astimezone(UTC)

    @functools.cached_property
    def is_postgresql(self) -> bool:
        return self.session.get_bind().dialect.name == "postgresql"

    @property
    def core(self) -> Connection:
        """For statements that read or write columns without the session's objects; these are not flushed before."""
        return self.session.connection()

    def alone(self, name: str) -> None:
        """Until this transaction ends, no other one that asks for ``name`` goes on; SQLite's never do."""
        if self.is_postgresql:
            self.session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": name})


class Transactions:
    """Opens transactions. ``clock`` stands in for the database's clock in tests.

    ``tiers`` are those in force; whoever puts others there should call ``adopt_tiers``. ``prices``, too, are those in
    force: what is written down from now on is worth that much.
    """

    def __init__(
        self,
        url: str,
        *,
        connections: int = CONNECTIONS,
        timeout_seconds: float = TIMEOUT_SECONDS,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self.url = url
        self.engine = make_engine(url, connections=connections, timeout_seconds=timeout_seconds)
        self._clock = clock
        self.tiers = SHIPPED
        self.prices = NO_PRICES
        self._writer = threading.Lock()
        self.is_postgresql = self.engine.dialect.name == "postgresql"
        # One snapshot for all statements of a reader, as SQLite's WAL gives it by itself.
        self._readers = (
            self.engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            if self.is_postgresql
            else self.engine
        )

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        """A consistent view of the database; does not wait for writers. Raises StoreUnavailable."""
        with in_our_words(), Session(self._readers) as session:
            yield Transaction(session, writes=False, clock=self._clock, tiers=self.tiers, prices=self.prices)

    @contextmanager
    def writing(self) -> Iterator[Transaction]:
        """A transaction that commits at the end of the block, or leaves no trace if that raises.

        SQLite admits one writer: waiting for our own lock is fair and cheap, waiting for the file's is neither.

        Raises:
            StorageFull, StoreUnavailable; Contended, on which a method that is ``repeatable`` begins again.
        """
        with (
            nullcontext() if self.is_postgresql else self._writer,
            in_our_words(),
            self.engine.connect().execution_options(**{WRITES: True}) as connection,
            Session(connection, expire_on_commit=False) as session,
            session.begin(),
        ):
            yield Transaction(session, writes=True, clock=self._clock, tiers=self.tiers, prices=self.prices)

    def close(self) -> None:
        self.engine.dispose()


def repeatable(method: Callable[Concatenate[_S, _P], _R]) -> Callable[Concatenate[_S, _P], _R]:
    """Begin the method again when the database ended its transaction for the sake of another.

    For methods that are one transaction and build all they return anew: then nothing of the first try is left. A
    connection lost at the commit is not repeated, because nobody knows whether the commit happened.
    """

    @functools.wraps(method)
    def again(self: _S, /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        for tried in range(1, REPEATS):
            try:
                return method(self, *args, **kwargs)
            except Contended:
                time.sleep(random.uniform(0, REPEAT_SECONDS * 2**tried))
        return method(self, *args, **kwargs)

    return again
