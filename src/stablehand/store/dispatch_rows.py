"""The tables of dispatches and of their tries."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index, String, literal, text
from sqlalchemy.orm import Mapped, mapped_column

from stablehand.store.columns import Number, Table

# Conditions of partial indexes; queries must repeat them to the letter.
_WAITING = text("state = 'waiting'")
_DEAD = text("state = 'dead'")
_OPEN = text("state <> 'arrived'")
#: to addresses that jobs brought along: see domain.webhooks.ADDRESS_MARK
IS_BROUGHT = text("channel = 'webhook' AND destination LIKE '%://%'")


class DispatchRow(Table):
    """A notice on its way to one destination. It has all of the notice, whose own row goes earlier."""

    __tablename__ = "dispatches"
    __table_args__ = (
        Index("dispatches_id", "id", unique=True),
        Index("dispatches_once", "notice_id", "channel", "destination", unique=True),
        Index(
            "dispatches_due",
            "next_try_at",
            "channel",
            "destination",
            sqlite_where=_WAITING,
            postgresql_where=_WAITING,
        ),
        Index("dispatches_dead", "number", sqlite_where=_DEAD, postgresql_where=_DEAD),
        Index(
            "dispatches_open_of_road",
            "channel",
            "destination",
            "state",
            sqlite_where=_OPEN,
            postgresql_where=_OPEN,
        ),
        Index("dispatches_of_road", "channel", "destination", "number"),
        Index("dispatches_of_account", "account_id", "number"),
        Index("dispatches_brought", "account_id", "number", sqlite_where=IS_BROUGHT, postgresql_where=IS_BROUGHT),
        Index("dispatches_by_age", "ended_at"),
        {"sqlite_autoincrement": True},
    )

    number: Mapped[int] = mapped_column(Number, primary_key=True)
    id: Mapped[str]
    notice_id: Mapped[str]
    kind: Mapped[str]
    account_id: Mapped[str]
    job_id: Mapped[str]
    payload: Mapped[dict[str, Any]]
    noticed_at: Mapped[datetime]  #: when the notice was written
    channel: Mapped[str]
    destination: Mapped[str]  #: an id or an address, as its channel knows it
    state: Mapped[str] = mapped_column(String(16))  #: domain.dispatches.DispatchState
    tries: Mapped[int]  #: in all
    failures: Mapped[int]  #: since it was made or revived
    next_try_at: Mapped[datetime]
    token: Mapped[int] = mapped_column(BigInteger)  #: grows with every claim
    status: Mapped[int | None]  #: of the last answer
    error: Mapped[str]  #: of the last try
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class DispatchTryRow(Table):
    """One try, and what the receiver answered."""

    __tablename__ = "dispatch_tries"
    __table_args__ = (Index("dispatch_tries_of", "dispatch_id", "number"), {"sqlite_autoincrement": True})

    number: Mapped[int] = mapped_column(Number, primary_key=True)
    dispatch_id: Mapped[str]
    tried_at: Mapped[datetime]
    milliseconds: Mapped[int]
    status: Mapped[int | None]
    error: Mapped[str]
    answer: Mapped[str]  #: its first KB


#: Written into the SQL as they stand, because a partial index answers only what provably lies inside it.
IS_WAITING = DispatchRow.state == literal("waiting", literal_execute=True)
IS_OPEN = DispatchRow.state != literal("arrived", literal_execute=True)
IS_DEAD = DispatchRow.state == literal("dead", literal_execute=True)
