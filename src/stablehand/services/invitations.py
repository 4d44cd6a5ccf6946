"""Invitations to sign up, and the links by which the built-in owner is claimed."""

import secrets
from datetime import UTC, datetime

from stablehand.domain.accounts import FIRST_TIER, Account, Role
from stablehand.domain.audit import Deed
from stablehand.domain.credentials import Invitation, fold_address, hash_secret
from stablehand.domain.errors import InvalidFields
from stablehand.services import Services
from stablehand.services.accounts import owner
from stablehand.services.identity import new_id

INVITATION_DAYS = 7.0
CLAIM_DAYS = 1.0


def invite(
    services: Services,
    maker: Account | None,
    *,
    address: str | None = None,
    role: Role = "user",
    tier: str = FIRST_TIER,
    days: float = INVITATION_DAYS,
    came_from: str = "",
) -> tuple[Invitation, str]:
    """An invitation and its token, which nobody can look up later. ``address``: only for that one.

    Raises:
        InvalidFields: there is no such tier, or the role cannot be given away.
    """
    wrong = {}
    if role == "owner":
        wrong["role"] = "admin or user"
    tiers = services.store.tiers
    if tier not in {known.name for known in tiers.all}:
        wrong["tier"] = "one of: " + ", ".join(known.name for known in tiers.all)
    if wrong:
        raise InvalidFields(wrong)
    return _invite(services, maker, address=address, role=role, tier=tier, days=days, came_from=came_from)


def claim_token(services: Services) -> str | None:
    """A token that claims the built-in owner, for whoever sits at the machine; None when that has happened."""
    owner(services)
    if services.store.owner_is_claimed():
        return None
    _, token = _invite(
        services,
        None,
        address=None,
        role="owner",
        tier=services.store.tiers.best.name,
        days=CLAIM_DAYS,
        came_from="console",
    )
    return token


def invitation(services: Services, token: str) -> Invitation | None:
    """One that can be used now."""
    return services.store.invitation(hash_secret(token))


def list_invitations(services: Services) -> tuple[Invitation, ...]:
    """Those that can be used now, the newest first; links that claim the owner are not among them."""
    return tuple(found for found in services.store.invitations() if found.role != "owner")


def revoke_invitation(services: Services, maker: Account, invitation_id: str, *, came_from: str = "") -> None:
    """Raises NotFound."""
    deed = Deed(action="invitation.revoked", account_id=maker.id, subject=invitation_id, address=came_from)
    services.store.revoke_invitation(invitation_id, deed)


def _invite(
    services: Services,
    maker: Account | None,
    *,
    address: str | None,
    role: Role,
    tier: str,
    days: float,
    came_from: str,
) -> tuple[Invitation, str]:
    token = secrets.token_urlsafe(24)
    now = datetime.now(UTC)  # the store puts its own in place
    new = Invitation(
        id=new_id(),
        address=None if address is None else fold_address(address),
        role=role,
        tier=tier,
        made_by=None if maker is None else maker.id,
        created_at=now,
        expires_at=now,
    )
    deed = Deed(
        action="owner.link" if role == "owner" else "invitation.made",
        account_id=new.made_by,
        subject=new.id,
        address=came_from,
        details={"role": role, "tier": tier},
    )
    return services.store.invite(new, hash_secret(token), days=days, deed=deed), token
