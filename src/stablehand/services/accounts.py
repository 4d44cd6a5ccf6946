"""Accounts."""

from stablehand.domain.accounts import Account
from stablehand.services import Services


def owner(services: Services) -> Account:
    """The built-in owner of the machine; made on first use."""
    raise NotImplementedError
