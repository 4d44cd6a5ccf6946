"""The tables of webhooks and of accounts' signing secrets."""

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from stablehand.store.columns import Table


class WebhookRow(Table):
    __tablename__ = "webhooks"

    id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), index=True)
    url: Mapped[str]
    description: Mapped[str]
    types: Mapped[list[str]]  #: of domain.webhooks.CHOICES
    created_at: Mapped[datetime]
    paused_at: Mapped[datetime | None]
    disabled_at: Mapped[datetime | None]
    disabled_reason: Mapped[str] = mapped_column(default="")
    failing_since: Mapped[datetime | None]
    last_arrived_at: Mapped[datetime | None]
    secret_version: Mapped[int] = mapped_column(default=1)
    rotated_at: Mapped[datetime | None]


class AccountSecretRow(Table):
    """The signing secret of addresses that jobs bring along. An account without a row has the first one."""

    __tablename__ = "account_secrets"

    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    secret_version: Mapped[int]
    rotated_at: Mapped[datetime | None]
