"""The tables of dialects: calls that wait for their pictures, and settings that clients take for the server's."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from stablehand.store.columns import Number, Table


class CallRow(Table):
    __tablename__ = "calls"
    __table_args__ = (Index("calls_of_credential", "credential", "number"), {"sqlite_autoincrement": True})

    number: Mapped[int] = mapped_column(Number, primary_key=True)
    account_id: Mapped[str]
    credential: Mapped[str]
    kind: Mapped[str]
    task_id: Mapped[str]
    fingerprint: Mapped[str]
    job_id: Mapped[str] = mapped_column(index=True)
    batches: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(index=True)
    resumable_until: Mapped[datetime | None]  #: set while nobody waits for it


class ClientOptionsRow(Table):
    """What one credential has set for itself."""

    __tablename__ = "client_options"

    credential: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str]
    chosen: Mapped[dict[str, Any]]
    changed_at: Mapped[datetime]
