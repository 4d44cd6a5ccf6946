"""The table of the outbox."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index, and_, text
from sqlalchemy.orm import Mapped, mapped_column

from stablehand.store.models import Number, Table

# Conditions of partial indexes; queries must repeat them to the letter.
_OPEN = text("delivered_at IS NULL AND dead_at IS NULL")
_DEAD = text("dead_at IS NOT NULL")


class OutboxRow(Table):
    """Notices that must leave the house, each written in the transaction that makes it true."""

    __tablename__ = "outbox"
    __table_args__ = (
        Index("outbox_open", "number", sqlite_where=_OPEN, postgresql_where=_OPEN),
        Index("outbox_due", "next_try_at", sqlite_where=_OPEN, postgresql_where=_OPEN),
        Index("outbox_open_of_job", "job_id", "number", sqlite_where=_OPEN, postgresql_where=_OPEN),
        Index("outbox_dead", "number", sqlite_where=_DEAD, postgresql_where=_DEAD),
        Index("outbox_id", "id", unique=True),
        {"sqlite_autoincrement": True},
    )

    number: Mapped[int] = mapped_column(Number, primary_key=True)
    id: Mapped[str] = mapped_column(default=lambda: uuid.uuid4().hex)  #: of the notice, for whoever receives it
    account_id: Mapped[str]
    job_id: Mapped[str]
    kind: Mapped[str]
    payload: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(index=True)
    next_try_at: Mapped[datetime]
    tries: Mapped[int] = mapped_column(default=0)  #: that failed
    token: Mapped[int] = mapped_column(BigInteger, default=0)  #: grows with every claim by a courier
    error: Mapped[str] = mapped_column(default="")  #: of the last try
    delivered_at: Mapped[datetime | None]
    dead_at: Mapped[datetime | None]


IS_OPEN = and_(OutboxRow.delivered_at.is_(None), OutboxRow.dead_at.is_(None))
IS_DEAD = OutboxRow.dead_at.is_not(None)
