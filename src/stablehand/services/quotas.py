"""Quotas: what accounts may have, looked at and changed."""

from collections.abc import Mapping
from typing import Any

from stablehand.domain.accounts import Account
from stablehand.domain.quotas import Quotas, read_own
from stablehand.services import Services
from stablehand.store.quotas import Allowance as Allowance  # noqa: PLC0414 - the doors know it from here


def allowance(services: Services, account: Account) -> Allowance:
    """What an account may have, and what it has. Raises NotFound."""
    return services.store.allowance(account.id)


def quotas_of(services: Services, account: Account) -> Quotas:
    """What an account may have. Raises NotFound."""
    return services.store.quotas(account.id)


def change_quotas(services: Services, account: Account, changes: Mapping[str, Any], *, forget: bool = False) -> None:
    """Give an account limits of its own beside those it has already; None as a value means no limit.

    Args:
        forget: forget those that it has first.

    Raises:
        InvalidFields: naming every wrong one; nothing is changed. NotFound.
    """
    services.store.change_quotas(account.id, read_own(changes), forget=forget)
