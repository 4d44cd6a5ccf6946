"""API keys: made and shown once, used, revoked."""

import secrets
from collections.abc import Collection
from datetime import UTC, datetime

from stablehand.domain.accounts import Account
from stablehand.domain.audit import Deed
from stablehand.domain.credentials import KEY_HINT_CHARACTERS, KEY_PREFIX, ApiKey, Caller, Scope, hash_secret, in_order
from stablehand.domain.errors import InvalidFields, NotFound
from stablehand.services import Services
from stablehand.services.identity import new_id

#: 160 random bits
_KEY_BYTES = 20


def make_key(
    services: Services,
    account: Account,
    *,
    name: str,
    scopes: Collection[Scope],
    days: float | None,
    came_from: str = "",
) -> tuple[ApiKey, str]:
    """A new key, and its secret, which nobody can look up later. ``days``: until it expires.

    Raises:
        InvalidFields: a user's key cannot administer. Conflict: the account has too many.
    """
    if "admin" in scopes and not account.is_admin:
        raise InvalidFields({"scopes": "`admin` is for administrators' keys"})
    secret = KEY_PREFIX + secrets.token_urlsafe(_KEY_BYTES)
    new = ApiKey(
        id=new_id(),
        account_id=account.id,
        name=name,
        hint=secret[:KEY_HINT_CHARACTERS],
        scopes=in_order(scopes),
        created_at=datetime.now(UTC),  # the store puts its own in place
        expires_at=None,
        last_used_at=None,
    )
    deed = Deed(
        action="key.made",
        account_id=account.id,
        subject=new.id,
        address=came_from,
        details={"name": name, "scopes": " ".join(new.scopes)},
    )
    return services.store.add_key(new, hash_secret(secret), days=days, deed=deed), secret


def list_keys(services: Services, account: Account) -> tuple[ApiKey, ...]:
    """The account's keys, the newest first."""
    return services.store.keys(account.id)


def revoke_key(services: Services, account: Account, key_id: str, *, came_from: str = "") -> ApiKey:
    """Void a key at once. Raises NotFound."""
    key = next((key for key in services.store.keys(account.id) if key.id == key_id), None)
    if key is None:
        raise NotFound("There is no such key.", hint="It may have been revoked already.")
    deed = Deed(action="key.revoked", account_id=account.id, subject=key_id, address=came_from)
    services.store.revoke_key(account.id, key_id, deed)
    return key


def key_is_good(services: Services, key_id: str) -> bool:
    """Whether a key that was good is so still, and its account may be used."""
    return services.store.key_is_good(key_id)


def caller_by_key(services: Services, secret: str) -> Caller | None:
    """Who asks with this key; None when it is none (any more). The account may be suspended."""
    if not secret.startswith(KEY_PREFIX):
        return None
    found = services.store.account_by_key(hash_secret(secret))
    return None if found is None else Caller(account=found[1], key=found[0])
