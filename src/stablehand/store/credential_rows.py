"""The tables of what accounts sign in with, and of what was done with it."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from stablehand.store.models import Number, Table


class CredentialRow(Table):
    """What an account signs in with: apart from the account's row, which every order locks."""

    __tablename__ = "credentials"

    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    address: Mapped[str] = mapped_column(unique=True)  #: domain.credentials.fold_address of it
    password_hash: Mapped[str | None]
    uniquifier: Mapped[str] = mapped_column(unique=True)
    confirmed_at: Mapped[datetime | None]
    totp_method: Mapped[str | None]
    totp_secret: Mapped[str | None]  #: encrypted
    totp_counter: Mapped[int | None] = mapped_column(BigInteger)  #: of the last code that was taken
    recovery_codes: Mapped[list[str]] = mapped_column(default=list)


class SessionRow(Table):
    """A browser that has signed in."""

    __tablename__ = "sessions"

    id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), index=True)
    created_at: Mapped[datetime]
    last_seen_at: Mapped[datetime] = mapped_column(index=True)
    address: Mapped[str]
    browser: Mapped[str]
    ended_at: Mapped[datetime | None]


class ApiKeyRow(Table):
    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), index=True)
    name: Mapped[str]
    hint: Mapped[str]
    key_hash: Mapped[str] = mapped_column(unique=True)
    scopes: Mapped[list[str]]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class InvitationRow(Table):
    """A link that makes an account; with the role ``owner`` it claims the built-in one."""

    __tablename__ = "invitations"

    id: Mapped[str] = mapped_column(primary_key=True)
    token_hash: Mapped[str] = mapped_column(unique=True)
    address: Mapped[str | None]
    role: Mapped[str]
    tier: Mapped[str]
    made_by: Mapped[str | None]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    used_by: Mapped[str | None]
    revoked_at: Mapped[datetime | None]


class AuditRow(Table):
    """Triggers of the database refuse to change or delete a line."""

    __tablename__ = "audit"
    __table_args__ = ({"sqlite_autoincrement": True},)

    number: Mapped[int] = mapped_column(Number, primary_key=True)
    at: Mapped[datetime]
    account_id: Mapped[str | None]
    action: Mapped[str]
    subject: Mapped[str]
    address: Mapped[str]
    details: Mapped[dict[str, Any]]
