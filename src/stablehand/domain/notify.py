"""Whom a job tells about itself, besides what its account has chosen."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

#: of an address that somebody gives
ADDRESS_MAX_CHARACTERS = 2048


@dataclass(frozen=True, slots=True)
class MailPromise:
    """To whom the result of a job goes by mail, and by when it should be there."""

    to: str
    by: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Notify:
    """``email``: whether its result comes by mail; None: as the account has chosen. ``webhook_url``: told its end."""

    email: bool | None = None
    webhook_url: str | None = None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, value: Mapping[str, Any] | None) -> "Notify | None":
        return None if value is None else cls(email=value.get("email"), webhook_url=value.get("webhook_url"))
