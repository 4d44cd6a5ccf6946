"""The tables of links to pictures."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from stablehand.store.columns import Number, Table


class LinkRow(Table):
    """A link, which stays a while after it has ended: whoever follows it is told why it does not work."""

    __tablename__ = "links"
    __table_args__ = (Index("links_of_account", "account_id", "number"), {"sqlite_autoincrement": True})

    number: Mapped[int] = mapped_column(Number, primary_key=True)
    id: Mapped[str] = mapped_column(unique=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    kind: Mapped[str]
    job_id: Mapped[str | None]
    image_ids: Mapped[list[str]]
    created_at: Mapped[datetime]
    until: Mapped[datetime] = mapped_column(index=True)
    revoked_at: Mapped[datetime | None]


class LinkStampRow(Table):
    """How often an account has revoked all its links. Links that have no row carry the number they were made under."""

    __tablename__ = "link_stamps"

    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    stamp: Mapped[int] = mapped_column(BigInteger)
