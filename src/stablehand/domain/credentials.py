"""What an account signs in with, what it signed in to, and the keys it gave out."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from stablehand.domain.accounts import Account, AccountState, Role

#: What a key may be used for: ordering and changing, looking, administering.
Scope = Literal["generate", "read", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)

#: begins every API key, so that leaked ones are found by those who look for them
KEY_PREFIX = "sh_"
#: so much of a key is kept in the open, for people to tell their keys apart
KEY_HINT_CHARACTERS = len(KEY_PREFIX) + 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """``uniquifier``: stands for the account in cookies and mailed links, all of which are void when it changes."""

    account_id: str
    address: str
    password_hash: str | None
    uniquifier: str
    state: AccountState
    confirmed_at: datetime | None
    totp_method: str | None = None
    totp_secret: str | None = None  #: encrypted
    totp_counter: int | None = None  #: of the last code that was used: none is taken twice
    recovery_codes: tuple[str, ...] = ()
    suspended_reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrowserSession:
    """One browser that has signed in."""

    id: str
    account_id: str
    created_at: datetime
    last_seen_at: datetime  #: to within a few minutes
    address: str  #: that it came from
    browser: str  #: as it calls itself


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key that a program uses in an account's name. Only its hash is stored."""

    id: str
    account_id: str
    name: str
    hint: str  #: its first characters
    scopes: tuple[Scope, ...]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None  #: to within a few minutes

    def allows(self, scope: Scope) -> bool:
        """Whoever may order may look as well; whoever may administer may do everything."""
        return scope in self.scopes or "admin" in self.scopes or (scope == "read" and "generate" in self.scopes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """A link that lets somebody sign up; ``address``: only under this one."""

    id: str
    address: str | None
    role: Role
    tier: str
    made_by: str | None  #: account; None: whoever sits at the machine
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and by what right. ``session`` and ``key``: ids; neither where nobody has to sign in."""

    account: Account
    session: str | None = None
    key: ApiKey | None = None

    @property
    def credential(self) -> str:
        """What tells one client of an account from another: its key, else the account itself."""
        return f"account:{self.account.id}" if self.key is None else f"key:{self.key.id}"

    def may(self, scope: Scope) -> bool:
        """Whether account and credential allow this."""
        if scope == "admin" and not self.account.is_admin:
            return False
        return self.key is None or self.key.allows(scope)


def hash_secret(secret: str) -> str:
    """What is stored of a secret that we made ourselves: it has too many bits to be guessed, so one round will do."""
    return hashlib.sha256(secret.encode()).hexdigest()


def fold_address(address: str) -> str:
    """The form in which addresses are compared and stored: nobody has two that differ by case only."""
    return address.strip().casefold()


def in_order(scopes: Iterable[str]) -> tuple[Scope, ...]:
    return tuple(scope for scope in SCOPES if scope in set(scopes))
