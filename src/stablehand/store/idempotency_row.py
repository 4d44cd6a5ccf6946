"""The table of remembered Idempotency-Keys."""

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from stablehand.store.columns import Table


class IdempotencyRow(Table):
    __tablename__ = "idempotency_keys"

    account_id: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[str]
    job_id: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(index=True)
