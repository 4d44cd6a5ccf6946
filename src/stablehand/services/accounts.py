"""Accounts: the built-in one, and those that people make by signing up."""

import uuid
from collections.abc import Collection

from stablehand.domain.accounts import Account
from stablehand.domain.audit import Deed
from stablehand.domain.credentials import Credentials, fold_address, hash_secret
from stablehand.services import Services
from stablehand.services.identity import new_id
from stablehand.store.credentials import SignUp


def owner(services: Services) -> Account:
    """The built-in owner of the machine; made on first use."""
    return services.store.owner(new_id())


def account_names(services: Services, account_ids: Collection[str]) -> dict[str, str]:
    """id -> name, of those that are accounts and were not deleted."""
    return services.store.account_names(account_ids)


def sign_up(
    services: Services,
    *,
    address: str,
    password_hash: str | None,
    uniquifier: str,
    invitation: str | None = None,
    came_from: str = "",
) -> Account:
    """Make an account whose address is not confirmed yet. ``invitation``: the token of one, which is used up.

    Raises:
        Conflict: the address has an account. NotFound: the invitation is not good.
    """
    new = SignUp(
        new_id=new_id(),
        address=fold_address(address),
        password_hash=password_hash,
        uniquifier=uniquifier,
        invitation_hash=None if invitation is None else hash_secret(invitation),
    )
    return services.store.sign_up(
        new, Deed(action="account.made", account_id=new.new_id, subject=new.new_id, address=came_from)
    )


def claim_owner(services: Services, token: str, *, address: str, password_hash: str, came_from: str = "") -> Account:
    """Let whoever holds a link from the console sign in as the built-in owner from now on.

    Raises:
        NotFound: the token is not good, or the owner is claimed. Conflict: the address has another account.
    """
    owner_id = owner(services).id
    claim = SignUp(
        new_id=owner_id,
        address=fold_address(address),
        password_hash=password_hash,
        uniquifier=uuid.uuid4().hex,
        invitation_hash=hash_secret(token),
        confirmed=True,
    )
    deed = Deed(action="owner.claimed", account_id=owner_id, subject=owner_id, address=came_from)
    return services.store.claim_owner(claim, deed)


def credentials(
    services: Services, *, account_id: str | None = None, address: str | None = None, uniquifier: str | None = None
) -> Credentials | None:
    """What an account signs in with, found by whatever is given."""
    folded = None if address is None else fold_address(address)
    return services.store.credentials(account_id=account_id, address=folded, uniquifier=uniquifier)


def save_credentials(services: Services, changed: Credentials) -> None:
    """Write them; another uniquifier ends every session. Raises Conflict, NotFound."""
    services.store.save_credentials(changed)


def take_totp_counter(services: Services, account_id: str, counter: int) -> bool:
    """Note that a one-time code was used; False when it cannot be taken any more."""
    return services.store.take_totp_counter(account_id, counter)


def note_deed(services: Services, deed: Deed) -> None:
    """Add a line to the audit log."""
    services.store.add_deed(deed)
