"""The identity provider that people may sign in by, as the settings name it."""

import httpx

from stablehand.api import ProviderOptions
from stablehand.domain.errors import BadSettings
from stablehand.domain.provider import ProviderRules
from stablehand.settings.accounts import AuthSettings


def provider_options(auth: AuthSettings) -> ProviderOptions | None:
    """What the doors are told of it; None where there is none."""
    oidc = auth.oidc
    if oidc.issuer is None:
        return None
    assert oidc.client_id is not None  # the settings have seen to that
    return ProviderOptions(
        issuer=oidc.issuer,
        client_id=oidc.client_id,
        client_secret=oidc.client_secret.get_secret_value() if oidc.client_secret else None,
        scopes=oidc.scopes,
        label=oidc.label,
        sign_out=oidc.sign_out,
        rules=ProviderRules(
            sign_up=oidc.sign_up or auth.sign_up,
            link_addresses=oidc.link_addresses,
            trust_addresses=oidc.trust_addresses,
            role_claim=oidc.role_claim,
            admin_values=frozenset(oidc.admins),
            tier_claim=oidc.tier_claim,
            tiers=oidc.tiers,
        ),
    )


def try_out_provider(issuer: str) -> str:
    """Ask it what it is, as the first sign-in would; returns what to say of it. Raises BadSettings."""
    address = issuer.rstrip("/") + "/.well-known/openid-configuration"
    try:
        answer = httpx.get(address, timeout=10.0, follow_redirects=True)
        said = answer.raise_for_status().json().get("issuer")
    except (httpx.HTTPError, ValueError, AttributeError) as error:
        raise BadSettings(
            f"{address} does not answer as an OpenID Connect provider does: {error}",
            hint="Mend auth.oidc.issuer, or see whether this machine reaches the provider.",
        ) from error
    if str(said).rstrip("/") != issuer.rstrip("/"):
        raise BadSettings(f"The provider calls itself {said}.", hint="Set auth.oidc.issuer to exactly that.")
    return f"people can sign in by {said}"
