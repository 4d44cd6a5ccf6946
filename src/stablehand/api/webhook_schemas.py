"""Bodies and queries of webhooks and dispatches."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, StringConstraints

from stablehand.api.schemas import In, Out, PageQuery
from stablehand.domain.notify import ADDRESS_MAX_CHARACTERS
from stablehand.domain.webhooks import CHOICES, DESCRIPTION_MAX_CHARACTERS, USUAL

_Url = Annotated[str, StringConstraints(min_length=1, max_length=ADDRESS_MAX_CHARACTERS, strip_whitespace=True)]
_Words = Annotated[str, StringConstraints(max_length=DESCRIPTION_MAX_CHARACTERS, strip_whitespace=True)]
_Types = Annotated[list[str], Field(min_length=1, max_length=len(CHOICES))]
_TYPES_SAID = "What it is told of: " + ", ".join(f"`{name}`" for name in CHOICES) + "."


class WebhookIn(In):
    """Where to post what happens to your jobs."""

    url: _Url = Field(description="An address that takes POST.", examples=["https://example.org/hooks/pictures"])
    types: _Types = Field(list(USUAL), description=_TYPES_SAID)
    description: _Words = Field("", description="What it is for, for yourself.")


class WebhookPatch(In):
    url: _Url | None = None
    types: _Types | None = Field(None, description=_TYPES_SAID)
    description: _Words | None = None


class WebhookOut(Out):
    id: str
    url: str
    types: list[str]
    description: str
    state: Literal["active", "failing", "paused", "disabled"]
    reason: str = Field(description="Why it is disabled; else empty.")
    created_at: datetime
    failing_since: datetime | None = Field(description="Of the first try since the last one that arrived.")
    last_arrived_at: datetime | None
    rotated_at: datetime | None = Field(description="When its secret was last changed.")
    waiting: int = Field(description="Dispatches that are still to arrive.")
    dead: int = Field(description="Dispatches that were given up; they can be redelivered.")


class NewWebhookOut(WebhookOut):
    secret: str = Field(description="What its messages are signed with. It is shown now and never again.")


class WebhookPage(Out):
    items: list[WebhookOut]
    next_cursor: str | None = None
    types: list[str] = Field(description="All that a webhook can be told of.")
    at_most: int = Field(description="How many an account may have.")


class SecretOut(Out):
    secret: str


class PingedOut(Out):
    notice_id: str = Field(description="The `webhook-id` of what was sent; look for it in the log.")


class RedeliverIn(In):
    since: AwareDatetime | None = Field(
        None, strict=False, description="Only what happened then or later; default: everything that was given up."
    )


class RevivedOut(Out):
    redelivered: int


class DispatchesQuery(PageQuery):
    webhook: str | None = Field(None, max_length=64, description="Only to this webhook.")
    brought: bool = Field(False, description="Only to addresses that jobs brought along (`notify.webhook_url`).")
    job: str | None = Field(None, max_length=64, description="Only about this job.")
    state: Literal["waiting", "held", "arrived", "dead"] | None = Field(None, description="Only in this state.")


class DispatchOut(Out):
    id: str
    notice_id: str = Field(description="Of the event, the same for all who are told of it and for each try.")
    channel: str
    webhook_id: str | None
    url: str | None = Field(description="The address that the job brought along, if it is not a webhook's.")
    type: str
    job_id: str | None
    state: Literal["waiting", "held", "arrived", "dead"]
    tries: int
    status: int | None = Field(description="Of the last answer.")
    error: str = Field(description="What went wrong at the last try.")
    created_at: datetime
    next_try_at: datetime | None
    ended_at: datetime | None


class DispatchPage(Out):
    items: list[DispatchOut]
    next_cursor: str | None


class TryOut(Out):
    tried_at: datetime
    milliseconds: int
    status: int | None
    error: str
    answer: str = Field(description="The beginning of it.")


class DispatchWhole(DispatchOut):
    attempts: list[TryOut] = Field(description="In the order in which they happened.")
