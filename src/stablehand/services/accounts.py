"""Accounts."""

from stablehand.domain.accounts import Account
from stablehand.services import Services
from stablehand.services.identity import new_id


def owner(services: Services) -> Account:
    """The built-in owner of the machine; made on first use."""
    return services.store.owner(new_id())
