"""Settings of accounts and of the mail that they need."""

from typing import Literal

from pydantic import Field, SecretStr

from stablehand.settings.oidc import OidcSettings
from stablehand.settings.section import Section
from stablehand.settings.values import Rate


class MailSettings(Section):
    sender: str = Field(
        "stablehand@localhost", pattern=r"^[^\s@]+@[^\s@]+$", description="Address that mail comes from."
    )
    sender_name: str = Field(
        "Stablehand", pattern=r"^[^\x00-\x1f\x7f]*$", description="Name that stands beside it; empty: none."
    )
    smtp_host: str | None = Field(
        None, description="Server that mail leaves by. Default: it is written to `mail/` in the data directory instead."
    )
    smtp_port: int = Field(587, ge=1, le=65535, description="Its port; 465 for `tls`.")
    smtp_security: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="How the line is encrypted; `none` only for a server on this machine."
    )
    smtp_user: str | None = Field(None, description="Name to sign in to the mail server with.")
    smtp_password: SecretStr | None = Field(None, description="The password that belongs to it.")
    attach_megabytes: float = Field(
        3.0, ge=0, le=50, description="Pictures travel with a letter when all of its together are no larger; 0: never."
    )
    link_days: float = Field(
        7.0, gt=0, le=90, description="Days that links in letters work. They need `api.public_url`."
    )


class AuthSettings(Section):
    secret_key: SecretStr | None = Field(
        None, description="Key for signatures, at least 32 characters. Default: made once into the data directory."
    )
    sign_up: Literal["open", "invitation", "closed"] = Field(
        "invitation", description="Who may make an account: everybody with an address, the invited, nobody."
    )
    session_days: float = Field(30.0, gt=0, le=365, description="Days without a visit after which a session ends.")
    password_length: int = Field(10, ge=8, le=128, description="Fewest characters of a password.")
    argon2_memory_kib: int = Field(
        19_456, ge=8, le=1_048_576, description="Memory that hashing one password takes, in KiB."
    )
    argon2_rounds: int = Field(2, ge=1, le=100, description="Rounds that hashing one password takes.")
    attempts_per_address: Rate = Field(
        "30/10 minutes", description="Wrong passwords, codes, links or keys that may come from one address; empty: any."
    )
    attempts_per_account: Rate = Field(
        "10/10 minutes;100/day",
        description="Wrong passwords or codes for one account, whoever sends them; browsers that it has signed in with "
        "before are counted each for itself. Empty: any.",
    )
    letters_per_address: Rate = Field(
        "30/hour", description="Letters (to confirm, to reset) that may be asked for from one address; empty: any."
    )
    letters_per_mailbox: Rate = Field("5/hour", description="Letters that one mailbox may be sent; empty: any.")
    oidc: OidcSettings = OidcSettings()
