"""The table of inputs."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from stablehand.store.models import Table


class InputRow(Table):
    """A picture that an account has brought, or has taken from its images, for orders to start from."""

    __tablename__ = "inputs"

    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)  #: SHA-256 of its bytes
    object_key: Mapped[str]
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    width: Mapped[int]
    height: Mapped[int]
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime] = mapped_column(index=True)
