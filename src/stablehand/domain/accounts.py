"""An account: somebody who orders pictures, and what they may ask for."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

#: ``owner``: the built-in account of whoever runs the machine, an administrator who cannot be demoted.
Role = Literal["owner", "admin", "user"]
#: Unconfirmed: nobody has shown yet that the address is theirs. Only an active account may sign in or use its keys.
AccountState = Literal["active", "unconfirmed", "suspended"]

#: Name of the account that exists when nobody has to log in.
OWNER_NAME = "owner"
#: Tier of accounts that nobody gave another.
FIRST_TIER = "normal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    id: str
    name: str
    role: Role
    tier: str  #: name of the best tier it may use
    tiers: tuple[str, ...]  #: names of the tiers it may use, best first; the first is its default
    created_at: datetime

    @property
    def is_admin(self) -> bool:
        return self.role in ("owner", "admin")


def account_state(*, suspended: bool, has_address: bool, confirmed: bool) -> AccountState:
    """Whether an account may be used. The built-in owner has no address until it is claimed, and needs none."""
    if suspended:
        return "suspended"
    return "active" if confirmed or not has_address else "unconfirmed"
