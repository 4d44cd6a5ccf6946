"""The channel to webhooks: registered ones, and addresses that jobs bring along."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from stablehand.adapters.outside import Answer, post
from stablehand.domain.dispatches import ANSWER_MAX_BYTES, PAUSES_SECONDS, Arrived, Dispatch, Held, Never, NotNow
from stablehand.domain.errors import AddressRefused, NotFound
from stablehand.domain.notices import Notice
from stablehand.domain.webhooks import (
    ANSWER_SECONDS,
    CHANNEL,
    TYPES,
    SigningKey,
    is_address,
    secret_of,
    signatures,
    wish_seconds,
)
from stablehand.services import Services
from stablehand.services.dispatch import PLACES
from stablehand.services.links import Addresses
from stablehand.services.webhook_bodies import body_of

_LOCATION_MAX_CHARACTERS = 200


class WebhookChannel:
    """Implements ports.Channel. ``server_key``: what signing secrets are made of; ``now``: tests only.

    ``answer_seconds``: how long a receiver may take.
    """

    name = CHANNEL
    at_once = PLACES

    def __init__(
        self,
        services: Services,
        server_key: str,
        addresses: Addresses,
        *,
        answer_seconds: float = ANSWER_SECONDS,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.pauses_seconds: Sequence[float] = PAUSES_SECONDS
        self._services = services
        self._server_key = server_key
        self._addresses = addresses
        self._now = now
        self._rules = replace(services.fetching, most_seconds=answer_seconds)

    def destinations(self, notice: Notice) -> Sequence[str]:
        if notice.kind == "webhook_pinged":
            return [str(notice.payload["webhook_id"])]
        event_type = TYPES.get(notice.kind)
        if event_type is None:
            return []
        found = self._services.store.webhooks_for(notice.account_id, event_type)
        if notice.kind == "job_finished":
            notify = self._services.store.notify_of(notice.job_id)
            if notify is not None and notify.webhook_url is not None:
                found.append(notify.webhook_url)
        return found

    def carry(self, dispatch: Dispatch, notice: Notice) -> Arrived | NotNow | Never | Held:
        destination = dispatch.road.destination
        if is_address(destination):
            return self._send(destination, self._services.store.account_signing_key(notice.account_id), notice)
        try:
            webhook = self._services.store.webhook(destination)
        except NotFound:
            return Never(error="The webhook was deleted.", is_try=False)
        if webhook.disabled_at is not None:
            return Never(error="The webhook was disabled.", is_try=False)
        if webhook.paused_at is not None:
            return Held(error="The webhook is paused.")
        return self._send(webhook.url, webhook.key, notice)

    def _send(self, url: str, key: SigningKey, notice: Notice) -> Arrived | NotNow | Never:
        if url.startswith("http:") and not self._services.webhooks.http:
            return NotNow(error="Addresses without https are not allowed here.")
        now = self._now()
        body = body_of(self._services, self._addresses, notice, now)
        seconds = int(now.timestamp())
        secrets = [secret_of(self._server_key, key, version) for version in key.versions(now)]
        headers = {
            "Content-Type": "application/json",
            "webhook-id": notice.id,
            "webhook-timestamp": str(seconds),
            "webhook-signature": signatures(secrets, notice.id, seconds, body),
        }
        try:
            return judge(post(url, body, headers, self._rules, read_bytes=ANSWER_MAX_BYTES))
        except AddressRefused as error:
            return NotNow(error=f"The address cannot be reached: {error.why}.")


def judge(answer: Answer) -> Arrived | NotNow | Never:
    """What an answer means for the dispatch."""
    status, text = answer.status, answer.text
    if 200 <= status < 300:
        return Arrived(status=status, answer=text)
    if status == 410:
        return Never(error="It answered 410 Gone.", status=status, answer=text, gone=True)
    if 300 <= status < 400:
        where = f" to {answer.location[:_LOCATION_MAX_CHARACTERS]}" if answer.location else ""
        said = f"It answered {status} and leads on{where}. Redirects are not followed: register the last address."
        return NotNow(error=said, status=status, answer=text)
    return NotNow(
        error=f"It answered {status}.", status=status, answer=text, after_seconds=wish_seconds(answer.retry_after)
    )
