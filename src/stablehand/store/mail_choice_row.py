"""The table of what accounts want to be told by mail."""

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from stablehand.store.columns import Table


class MailChoiceRow(Table):
    """An account that has said nothing, and was told nothing of its limits, has none."""

    __tablename__ = "mail_choices"

    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    results: Mapped[bool | None]  #: None: as it is at first
    failures: Mapped[bool | None]
    notices: Mapped[bool | None]
    stopped_at: Mapped[datetime | None]  #: when it last said no to anything
    limit_told_at: Mapped[datetime | None]  #: when it was last told that a limit by the day is used up
