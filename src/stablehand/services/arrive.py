"""Arrive: come in by an identity provider."""

import uuid
from collections.abc import Mapping
from typing import Any

from stablehand.domain.accounts import Account
from stablehand.domain.credentials import fold_address, hash_secret
from stablehand.domain.provider import ProviderRules, person_from
from stablehand.services import Services
from stablehand.services.identity import new_id
from stablehand.store.credentials import SignUp
from stablehand.store.identities import Arrival


def arrive(
    services: Services,
    claims: Mapping[str, Any],
    issuer: str,
    rules: ProviderRules,
    *,
    invitation: str | None = None,
    came_from: str = "",
) -> Account:
    """The account of whom these claims, which somebody has checked, are about; made on the first visit.

    ``invitation``: the token of one, which is used up if the account is made now. Raises SignInRefused.
    """
    person = person_from(claims, issuer, rules, services.store.tiers)
    new = SignUp(
        new_id=new_id(),
        address=fold_address(person.address or ""),
        password_hash=None,
        uniquifier=uuid.uuid4().hex,
        invitation_hash=None if invitation is None else hash_secret(invitation),
    )
    return services.store.arrive(Arrival(person=person, new=new, came_from=came_from), rules)
