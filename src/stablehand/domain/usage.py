"""Usage: what an account was charged on one day."""

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageLine:
    day: date  #: UTC
    account_id: str
    account: str | None  #: its name; None: it was deleted since
    tier: str  #: its best one now
    pictures: int  #: delivered
    device_seconds: float
