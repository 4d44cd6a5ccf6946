"""What the routes about accounts take and give."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from stablehand.api.schemas import In, Out
from stablehand.domain.credentials import Scope

_Address = Annotated[
    str, StringConstraints(min_length=3, max_length=254, pattern=r"^[^\s@<>,;:\x00-\x1f\x7f]+@[^\s@]+$")
]
#: names stand in lists and logs
_ONE_LINE = r"^[^\x00-\x1f\x7f\u2028\u2029]*$"
_Token = Annotated[str, StringConstraints(min_length=1, max_length=200)]
_Password = Annotated[
    str, StringConstraints(min_length=1, max_length=1000), Field(json_schema_extra={"format": "password"})
]


class DoorOut(Out):
    authentication: bool = Field(description="Whether people must sign in here at all.")
    signed_in: bool = Field(description="Whether this browser has.")
    sign_up: Literal["open", "invitation", "closed"] = Field(description="Who may make an account.")
    password_length: int = Field(description="Fewest characters of a password.")
    provider: str | None = Field(
        description="What the button says that leads to an identity provider, at `/api/v1/auth/oidc/sign-in`; "
        "null: there is none."
    )


class ClaimIn(In):
    token: _Token = Field(description="From the link on the server's console.")
    email: _Address
    password: _Password


class AccountOut(Out):
    id: str
    email: str
    role: str
    tier: str
    has_password: bool = Field(description="Whether it can sign in with one; else an identity provider vouches for it.")
    totp: bool = Field(description="Whether signing in takes a one-time code.")
    recovery_codes: int = Field(description="How many recovery codes are left.")
    sign_out_path: str | None = Field(
        description="Where a browser goes on to after signing out, to sign out at the identity provider too."
    )


class FarewellIn(In):
    """One of the two."""

    password: _Password | None = Field(None, description="Of the account, if it has one.")
    email: _Address | None = Field(None, description="The account's own address, if it signs in without a password.")


class SessionOut(Out):
    id: str
    current: bool = Field(description="The one that is asking.")
    created_at: datetime
    last_seen_at: datetime
    address: str
    browser: str


class SessionPage(Out):
    items: list[SessionOut]
    next_cursor: str | None = None


class KeyIn(In):
    name: Annotated[str, StringConstraints(min_length=1, max_length=100, strip_whitespace=True, pattern=_ONE_LINE)]
    scopes: list[Scope] = Field(
        default=["generate", "read"],
        min_length=1,
        max_length=3,
        description="`generate` orders and changes, `read` looks, `admin` administers.",
    )
    days: float | None = Field(None, gt=0, le=3650, description="Until it expires; null: never.")


class KeyOut(Out):
    id: str
    name: str
    hint: str = Field(description="Its first characters.")
    scopes: list[Scope]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


class NewKeyOut(KeyOut):
    key: str = Field(description="The key itself. It is shown now and never again.")


class KeyPage(Out):
    items: list[KeyOut]
    next_cursor: str | None = None


class InvitationIn(In):
    email: _Address | None = Field(
        None, description="Good for this address only, which is sent the link; null: for whoever has it."
    )
    role: Literal["user", "admin"] = "user"
    tier: str = "normal"
    days: float = Field(7.0, gt=0, le=90, description="Until it expires.")


class InvitationOut(Out):
    id: str
    email: str | None
    role: str
    tier: str
    created_at: datetime
    expires_at: datetime


class NewInvitationOut(InvitationOut):
    link: str = Field(description="To give to whoever is invited. It is shown now and never again.")


class InvitationPage(Out):
    items: list[InvitationOut]
    next_cursor: str | None = None
