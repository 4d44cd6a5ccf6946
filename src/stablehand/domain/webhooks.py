"""Webhooks: addresses that an account's notices are posted to, signed as Standard Webhooks are.

The standard: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from stablehand.domain.dispatches import DispatchState

#: name of the channel
CHANNEL = "webhook"

#: what addresses have and ids of webhooks have not
ADDRESS_MARK = "://"

#: kind of notice -> what it is called outside
TYPES: Mapping[str, str] = {
    "job_submitted": "job.submitted",
    "image_delivered": "image.delivered",
    "job_finished": "job.finished",
    "quota_reached": "quota.reached",
    "webhook_disabled": "webhook.disabled",
    "webhook_pinged": "webhook.ping",
}
#: those that a webhook can be registered for; a ping goes to the one that is tested
CHOICES: tuple[str, ...] = tuple(name for name in TYPES.values() if name != "webhook.ping")
USUAL: tuple[str, ...] = ("job.finished",)

DESCRIPTION_MAX_CHARACTERS = 200
#: after a new secret is made, the old one signs as well for so long
OLD_SECRET_HOURS = 24
#: a webhook that has answered nothing but errors for so long is disabled; the standard's own advice
DISABLED_AFTER_DAYS = 5
#: how long a receiver may take to answer, in seconds; the standard advises 15 to 30
ANSWER_SECONDS = 15.0
#: pictures that are told of one by one; the rest is counted
IMAGES_TOLD = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookLimits:
    """What the operator allows. ``http``: addresses that are not encrypted."""

    http: bool = False
    most: int = 10  #: an account may have
    log_days: float = 30.0  #: what has ended is kept for so long


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """What a secret is made of, with the server's own key. ``owner``: id of a webhook or of an account."""

    owner: str
    version: int = 1
    rotated_at: datetime | None = None

    def versions(self, now: datetime) -> tuple[int, ...]:
        """Those that sign now, the newest first."""
        is_new = self.rotated_at is not None and now - self.rotated_at < timedelta(hours=OLD_SECRET_HOURS)
        return (self.version, self.version - 1) if is_new else (self.version,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    id: str
    account_id: str
    url: str
    description: str
    types: tuple[str, ...]  #: of ``CHOICES``
    created_at: datetime
    paused_at: datetime | None = None
    disabled_at: datetime | None = None
    disabled_reason: str = ""
    failing_since: datetime | None = None  #: of the first try since the last one that arrived
    last_arrived_at: datetime | None = None
    key: SigningKey = field(default_factory=lambda: SigningKey(owner=""))
    waiting: int = 0  #: dispatches
    dead: int = 0

    @property
    def state(self) -> str:
        if self.disabled_at is not None:
            return "disabled"
        if self.paused_at is not None:
            return "paused"
        return "failing" if self.failing_since is not None else "active"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedDispatch:
    """A dispatch for people who look at what was sent."""

    id: str
    notice_id: str
    channel: str
    destination: str
    kind: str
    job_id: str
    state: DispatchState
    tries: int
    status: int | None
    error: str
    created_at: datetime
    next_try_at: datetime | None
    ended_at: datetime | None


def secret_of(server_key: str, key: SigningKey, version: int) -> str:
    """A signing secret as its owner knows it. It is kept nowhere: whoever has the server's key can make it again."""
    made = hmac.new(server_key.encode(), f"webhook {key.owner} {version}".encode(), hashlib.sha256).digest()
    return "whsec_" + base64.b64encode(made).decode()


def signatures(secrets: Sequence[str], message_id: str, seconds: int, body: bytes) -> str:
    """The header ``webhook-signature``: one signature for each secret. ``seconds``: since 1970."""
    signed = f"{message_id}.{seconds}.".encode() + body
    return " ".join(
        "v1," + base64.b64encode(hmac.new(_key_in(secret), signed, hashlib.sha256).digest()).decode()
        for secret in secrets
    )


def is_long_failing(failing_since: datetime, now: datetime) -> bool:
    return now - failing_since >= timedelta(days=DISABLED_AFTER_DAYS)


def wish_seconds(retry_after: str) -> float:
    """Seconds that the header Retry-After asks for; 0 where it does not, or names a date."""
    return float(retry_after) if retry_after.isascii() and retry_after.isdecimal() and len(retry_after) < 8 else 0.0


def is_address(destination: str) -> bool:
    """Whether a destination is an address that a job brought along, and no webhook's id."""
    return ADDRESS_MARK in destination


def _key_in(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix("whsec_"))
