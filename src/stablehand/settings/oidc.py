"""Settings of signing in by an identity provider."""

from ipaddress import ip_address
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr, model_validator
from pydantic_settings import NoDecode

from stablehand.settings.section import Section


def _as_list(value: Any) -> Any:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


Values = Annotated[list[str], NoDecode, BeforeValidator(_as_list)]


class OidcSettings(Section):
    issuer: str | None = Field(
        None,
        pattern=r"^https?://[^\s?#]+$",
        description="Address of an OpenID Connect provider that people may sign in by. Default: there is none.",
    )
    client_id: str | None = Field(None, description="What the provider calls this server.")
    client_secret: SecretStr | None = Field(
        None, description="The secret that belongs to it. Default: none; the provider must take a public client then."
    )
    scopes: str = Field("openid email profile", description="What is asked of the provider, with spaces in between.")
    label: str = Field(
        "Sign in with your organisation", min_length=1, max_length=60, description="What its button says."
    )
    sign_up: Literal["open", "invitation", "closed"] | None = Field(
        None,
        description="Who gets an account on the first visit: everybody whom the provider lets in, the invited, nobody. "
        "Default: as `auth.sign_up`.",
    )
    link_addresses: bool = Field(
        False,
        description="Lets people into the account that has their address already, if the provider has verified it.",
    )
    trust_addresses: bool = Field(
        False, description="Takes the provider's addresses for verified even though it does not say so."
    )
    role_claim: str | None = Field(
        None,
        description="Claim that says who is an administrator, such as `groups` or `realm_access.roles`. Default: none.",
    )
    admins: Values = Field(default_factory=list, description="Values of it that make somebody an administrator.")
    tier_claim: str | None = Field(None, description="Claim that says what tier somebody has. Default: none.")
    tiers: dict[str, str] = Field({}, description="Its values -> names of tiers; whoever has none gets the plain one.")
    sign_out: bool = Field(False, description="Signing out leads on to the provider, to sign out there too.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.issuer is None:
            return self
        if self.client_id is None:
            raise ValueError("client_id is needed with issuer: the provider says it when this server is registered")
        if "openid" not in self.scopes.split():
            raise ValueError("scopes must hold openid")
        parts = urlsplit(self.issuer)
        if parts.scheme != "https" and not _is_here(parts.hostname or ""):
            raise ValueError("issuer must begin with https://, unless the provider runs on this machine")
        return self


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
