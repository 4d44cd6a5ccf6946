"""What administrators do with accounts: look at them, and change what they may."""

from collections.abc import Mapping
from typing import Any

from stablehand.domain.accounts import AccountEntry, AccountState, Role
from stablehand.domain.audit import AuditEntry, Deed
from stablehand.domain.errors import InvalidFields
from stablehand.domain.pages import LIMIT_DEFAULT, Page, check_limit
from stablehand.domain.quotas import own_text, read_own
from stablehand.domain.versions import Expected
from stablehand.services import Services


def list_accounts(
    services: Services,
    *,
    search: str = "",
    role: Role | None = None,
    tier: str | None = None,
    state: AccountState | None = None,
    limit: int = LIMIT_DEFAULT,
    cursor: str | None = None,
) -> Page[AccountEntry]:
    """By name. Raises InvalidFields."""
    check_limit(limit)
    return services.store.list_accounts(search=search, role=role, tier=tier, state=state, limit=limit, cursor=cursor)


def show_account(services: Services, account_id: str) -> AccountEntry:
    """Raises NotFound."""
    return services.store.account_entry(account_id)


def change_account(
    services: Services,
    account_id: str,
    *,
    by: str | None,
    role: Role | None = None,
    tier: str | None = None,
    own_quotas: Mapping[str, Any] | None = None,
    came_from: str = "",
    expected: Expected = None,
) -> None:
    """Give an account another role, another tier, other limits of its own (in place of those it had); None: as it was.

    Jobs that it has ordered keep their tier.

    Raises:
        InvalidFields: naming every wrong one; nothing is changed. NotFound. ChangedMeanwhile.
        AccountProtected: the built-in owner, or the last administrator, cannot get another role.
    """
    wrong: dict[str, str] = {}
    if role == "owner":
        wrong["role"] = "admin or user"
    tiers = services.store.tiers.names
    if tier is not None and tier not in tiers:
        wrong["tier"] = "one of: " + ", ".join(tiers)
    own = None
    if own_quotas is not None:
        try:
            own = read_own(own_quotas)
        except InvalidFields as error:
            wrong |= {f"quotas.{name}": words for name, words in error.fields.items()}
    if wrong:
        raise InvalidFields(wrong)
    before = services.store.account_entry(account_id)
    changes = {
        "account.role": (before.account.role, role),
        "account.tier": (before.account.tier, tier),
        "account.quotas": (own_text(before.own_quotas), None if own is None else own_text(own)),
    }
    deeds = [
        Deed(action=action, account_id=by, subject=account_id, address=came_from, details={"from": old, "to": str(new)})
        for action, (old, new) in changes.items()
        if new is not None and new != old
    ]
    services.store.change_account(
        account_id, role=role, tier=tier, own_quotas=own, deeds=deeds, by=by, expected=expected
    )


def audit_log(
    services: Services, *, action: str = "", account_id: str = "", limit: int = LIMIT_DEFAULT, cursor: str | None = None
) -> Page[AuditEntry]:
    """The newest first; as the store's. Raises InvalidFields."""
    check_limit(limit)
    return services.store.audit_log(limit=limit, cursor=cursor, action=action, account_id=account_id)
