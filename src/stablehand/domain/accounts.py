"""An account: somebody who orders pictures, and what they may ask for."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from stablehand.domain.tiers import TIERS

Role = Literal["owner", "user"]

#: Name of the account that exists when nobody has to log in.
OWNER_NAME = "owner"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    id: str
    name: str
    role: Role
    tiers: tuple[str, ...]  #: names of the tiers it may use, best first; the first is its default
    created_at: datetime


def tiers_of(role: Role) -> tuple[str, ...]:
    """The tiers an account of this role may use, best first. The owner of the machine has them all."""
    names = tuple(tier.name for tier in TIERS)
    return names if role == "owner" else names[-1:]
