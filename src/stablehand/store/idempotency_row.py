"""The table of remembered Idempotency-Keys."""

from datetime import datetime

from sqlalchemy import LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from stablehand.store.columns import Table


class IdempotencyRow(Table):
    __tablename__ = "idempotency_keys"

    account_id: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[str]  #: of the request, or of the order
    job_id: Mapped[str | None]  #: of an order
    answer: Mapped[bytes | None] = mapped_column(LargeBinary)  #: to any other request, encrypted; None: not yet
    created_at: Mapped[datetime] = mapped_column(index=True)
