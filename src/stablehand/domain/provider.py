"""Signing in by an identity provider (OpenID Connect): what its claims mean here, and whom it lets in."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from stablehand.domain.accounts import Role
from stablehand.domain.errors import Forbidden
from stablehand.domain.tiers import Tiers

#: Why signing in by a provider did not work. The page has words of its own for each.
Problem = Literal[
    "provider_away",
    "provider_refused",
    "provider_trouble",
    "sign_in_expired",
    "address_missing",
    "address_unverified",
    "address_taken",
    "invitation_needed",
    "sign_up_closed",
    "account_unusable",
]

#: what is done with somebody whom no account is linked with yet
Entry = Literal["make", "link"]


class SignInRefused(Forbidden):
    """Somebody came from the provider and does not get in. ``code`` is the problem."""

    code = "sign_in_refused"

    def __init__(self, problem: Problem) -> None:
        super().__init__(f"Signing in by the provider did not work: {problem}.", hint="The sign-in page says more.")
        self.code = problem


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderRules:
    """Whom the provider lets in, and which of its claims count here.

    ``sign_up``: who gets an account on the first visit. A claim is named by its path, such as ``realm_access.roles``.
    """

    sign_up: Literal["open", "invitation", "closed"] = "invitation"
    link_addresses: bool = False  #: an account of the same address, verified by the provider, is theirs
    trust_addresses: bool = False  #: the provider's addresses count as verified although it does not say so
    role_claim: str | None = None
    admin_values: frozenset[str] = frozenset()  #: of that claim
    tier_claim: str | None = None
    tiers: Mapping[str, str] = field(default_factory=dict)  #: value of that claim -> name of a tier


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody whom a provider vouches for. ``role``, ``tier``: what the claims say; None where they do not count."""

    issuer: str
    subject: str
    address: str | None
    is_verified: bool
    role: Role | None = None
    tier: str | None = None


def person_from(claims: Mapping[str, Any], issuer: str, rules: ProviderRules, tiers: Tiers) -> Person:
    """``claims``: checked ones. Whoever has none of a claim's values gets what everybody has: user, the plain tier."""
    role: Role | None = None
    tier = None
    if rules.role_claim is not None:
        role = "admin" if values_of(claims, rules.role_claim) & rules.admin_values else "user"
    if rules.tier_claim is not None:
        given = values_of(claims, rules.tier_claim)
        names = {name for value, name in rules.tiers.items() if value in given}
        tier = next((tier.name for tier in tiers if tier.name in names), tiers.plain.name)
    address, verified = claims.get("email"), claims.get("email_verified")
    return Person(
        issuer=issuer,
        subject=str(claims["sub"]),
        address=address if isinstance(address, str) and address.strip() else None,
        # Some providers say it as a text.
        is_verified=rules.trust_addresses or verified is True or verified == "true",
        role=role,
        tier=tier,
    )


def values_of(claims: Mapping[str, Any], path: str) -> frozenset[str]:
    """What stands at ``path``, be it one value or many. A claim whose own name has dots is found as well."""
    found: Any = claims
    for part in [path] if path in claims else path.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    several = found if isinstance(found, list | tuple) else [found]
    return frozenset(str(value) for value in several if isinstance(value, str | int))


def entry_of(person: Person, rules: ProviderRules, *, is_taken: bool, is_invited: bool) -> Entry:
    """How somebody new comes in. ``is_taken``: an account has the address. Raises SignInRefused.

    An address that the provider does not vouch for opens nothing and tells nothing, not even whether it has an account.
    """
    if person.address is None:
        raise SignInRefused("address_missing")
    if not person.is_verified:
        raise SignInRefused("address_unverified")
    if is_taken:
        if rules.link_addresses:
            return "link"
        raise SignInRefused("address_taken")
    if rules.sign_up == "closed":
        raise SignInRefused("sign_up_closed")
    if rules.sign_up == "invitation" and not is_invited:
        raise SignInRefused("invitation_needed")
    return "make"
