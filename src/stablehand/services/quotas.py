"""Quotas: what accounts may have, looked at and changed."""

from collections.abc import Mapping
from typing import Any

from stablehand.domain.accounts import Account
from stablehand.domain.audit import Deed
from stablehand.domain.quotas import Quotas, own_text, read_own
from stablehand.services import Services
from stablehand.store.quotas import Allowance as Allowance  # noqa: PLC0414 - the doors know it from here


def allowance(services: Services, account: Account) -> Allowance:
    """What an account may have, and what it has. Raises NotFound."""
    return services.store.allowance(account.id)


def quotas_of(services: Services, account: Account) -> Quotas:
    """What an account may have. Raises NotFound."""
    return services.store.quotas(account.id)


def change_quotas(services: Services, account: Account, changes: Mapping[str, Any], *, forget: bool = False) -> None:
    """Whoever sits at the machine gives an account limits of its own beside those it has; None: no limit.

    Args:
        forget: forget those that it has first.

    Raises:
        InvalidFields: naming every wrong one; nothing is changed. NotFound.
    """
    own = read_own(changes)
    before = services.store.account_entry(account.id).own_quotas
    after = own if forget else {**before, **own}
    deed = Deed(action="account.quotas", subject=account.id, details={"from": own_text(before), "to": own_text(after)})
    services.store.change_quotas(account.id, own, forget=forget, deed=deed)
