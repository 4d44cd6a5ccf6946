"""The audit log: who did what that matters for the safety of the house. Lines are added and never changed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """Something that somebody did. ``account_id``: who did it; None: nobody known, or whoever sits at the machine."""

    action: str  #: such as "key.made"
    account_id: str | None = None
    subject: str = ""  #: id of what it was done to
    address: str = ""  #: that the request came from
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    number: int
    at: datetime
    deed: Deed
