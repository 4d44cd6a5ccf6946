"""What the administrator's routes about accounts take and give."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from stablehand.api.limits import TierOut
from stablehand.api.schemas import In, Out, PageQuery

_Reason = Annotated[str, StringConstraints(max_length=500, strip_whitespace=True)]


class AccountsQuery(PageQuery):
    search: str = Field("", max_length=254, description="Part of a name or address.")
    role: Literal["owner", "admin", "user"] | None = None
    tier: str | None = Field(None, max_length=64)
    state: Literal["active", "unconfirmed", "suspended"] | None = None


class AdminAccountOut(Out):
    id: str
    name: str
    email: str | None = Field(description="null: the built-in owner, before it is claimed.")
    role: Literal["owner", "admin", "user"]
    tier: str = Field(description="The best one that it may use.")
    state: Literal["active", "unconfirmed", "suspended"]
    suspended_at: datetime | None
    suspended_reason: str
    created_at: datetime
    last_seen_at: datetime | None = Field(description="Of a session or key of its, to within a few minutes.")
    quotas: dict[str, Any] = Field(
        description="Limits of its own, in place of its tier's: those of `/me/limits`, by name; null: no limit."
    )
    queued: int = Field(description="Pictures that wait now.")
    pictures: int = Field(description="Delivered within the last 30 days.")
    device_seconds: float = Field(description="Device time of those.")


class AdminAccountPage(Out):
    items: list[AdminAccountOut]
    next_cursor: str | None


class AccountPatch(In):
    """What is to be changed; what is left out, or null, stays."""

    role: Literal["admin", "user"] | None = None
    tier: str | None = Field(None, max_length=64)
    quotas: dict[str, Any] | None = Field(
        None,
        max_length=20,
        description="All limits of its own from now on, by name; null as a value: no limit; {}: those of its tier.",
    )
    suspended: bool | None = Field(
        None, description="True: its sessions end, its keys rest and its jobs are cancelled, at once."
    )
    reason: _Reason = Field("", description="Of a suspension; shown to whoever signs in to it.")


class TierWhole(TierOut):
    limits: dict[str, Any] = Field(description="Those of `/me/limits`, by name; null: no limit.")


class TierPage(Out):
    items: list[TierWhole]
    next_cursor: str | None


class AuditQuery(PageQuery):
    action: str = Field(
        "", max_length=64, description="Only this one, or all that begin so: `key` finds `key.made` and `key.revoked`."
    )
    account: str = Field("", max_length=64, description="Only what this account did, or what was done to it, by id.")


class AuditLineOut(Out):
    number: int
    at: datetime
    action: str
    account_id: str | None = Field(description="Who did it; null: somebody at the machine, or nobody known.")
    account: str | None = Field(description="Its name now.")
    subject: str = Field(description="Id of what it was done to.")
    subject_name: str | None = Field(description="Its name now, if it is an account.")
    address: str = Field(description="That the request came from.")
    details: dict[str, str]


class AuditPage(Out):
    items: list[AuditLineOut]
    next_cursor: str | None
