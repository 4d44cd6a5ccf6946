"""An account: somebody who orders pictures, and what they may ask for."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from stablehand.domain.errors import AccountProtected

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
    suspended_at: datetime | None = None  #: since when it may do nothing
    suspended_reason: str = ""  #: shown to whoever signs in to it

    @property
    def is_admin(self) -> bool:
        return self.role in ("owner", "admin")


def account_state(*, suspended: bool, has_address: bool, confirmed: bool) -> AccountState:
    """Whether an account may be used. The built-in owner has no address until it is claimed, and needs none."""
    if suspended:
        return "suspended"
    return "active" if confirmed or not has_address else "unconfirmed"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountEntry:
    """An account as administrators see it."""

    account: Account
    address: str | None  #: that it signs in with; None: the built-in owner before it is claimed
    state: AccountState
    own_quotas: Mapping[str, Any]  #: limits of its own, in place of its tier's
    last_seen_at: datetime | None  #: of a session or key of its, to within a few minutes
    queued: int  #: shots
    pictures: int  #: delivered within the last 30 days, deleted ones too
    device_seconds: float  #: that those took


def check_may_lose_power(account: Account, *, by: str | None, deed: str, others: int) -> None:
    """See that somebody can still administer when this account cannot any more.

    Args:
        by: id of the account that asks for it; None: whoever sits at the machine.
        deed: what is about to be done to it, as in "be suspended".
        others: administrators besides it who can sign in.

    Raises:
        AccountProtected.
    """
    if account.role == "owner":
        raise AccountProtected(
            f"The built-in owner cannot {deed}.",
            hint="It belongs to whoever runs the machine; it can only be left alone.",
        )
    if account.is_admin and by is not None and others == 0:
        raise AccountProtected(
            f"The last administrator cannot {deed}.", hint="Make somebody else an administrator first."
        )
