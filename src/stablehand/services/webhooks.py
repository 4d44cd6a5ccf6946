"""Webhooks of an account: registered, tried, paused, deleted; their secrets, and the log of what was sent."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from stablehand.adapters.outside import target_of
from stablehand.domain.accounts import Account
from stablehand.domain.audit import Deed
from stablehand.domain.dispatches import DispatchState, DispatchTry
from stablehand.domain.errors import AddressRefused, Conflict, InvalidFields
from stablehand.domain.pages import LIMIT_DEFAULT, Page, check_limit
from stablehand.domain.versions import Expected
from stablehand.domain.webhooks import (
    CHANNEL,
    CHOICES,
    DESCRIPTION_MAX_CHARACTERS,
    LoggedDispatch,
    Webhook,
    is_address,
    secret_of,
)
from stablehand.services import Services
from stablehand.services.announce import OUTBOX
from stablehand.services.dispatch import DISPATCHES
from stablehand.services.identity import new_id
from stablehand.store.dispatch_log import DispatchFilter
from stablehand.store.dispatches import DispatchCount


def webhook_url_problem(services: Services, url: str) -> str | None:
    """What is wrong with an address as far as one can see now; None: nothing is. Asks for the name of its host."""
    if url.startswith("http:") and not services.webhooks.http:
        return "an address that begins with https://"
    try:
        target_of(url, services.fetching)
    except AddressRefused as error:
        return f"an address that can be reached: {error.why}"
    return None


def add_webhook(
    services: Services,
    account: Account,
    server_key: str,
    *,
    url: str,
    types: Sequence[str],
    description: str = "",
    came_from: str = "",
) -> tuple[Webhook, str]:
    """A new webhook and its signing secret.

    Raises:
        InvalidFields. Conflict: the account has as many as it may.
    """
    _check(services, {"url": url, "types": types, "description": description})
    new = Webhook(
        id=new_id(),
        account_id=account.id,
        url=url,
        description=description,
        types=_in_order(types),
        created_at=datetime.now(UTC),  # the store puts its own in place
    )
    added = services.store.add_webhook(
        new, most=services.webhooks.most, deed=_deed("webhook.made", account, new.id, came_from, host=_host(url))
    )
    return added, secret_of(server_key, added.key, added.key.version)


def list_webhooks(services: Services, account: Account) -> tuple[Webhook, ...]:
    """The newest first."""
    return services.store.webhooks(account.id)


def get_webhook(services: Services, account: Account, webhook_id: str) -> Webhook:
    """Raises NotFound."""
    return services.store.webhook(webhook_id, account.id)


def change_webhook(
    services: Services, account: Account, webhook_id: str, values: Mapping[str, Any], *, expected: Expected = None
) -> Webhook:
    """``values``: of url, types and description, those that change.

    Raises NotFound, InvalidFields, ChangedMeanwhile.
    """
    _check(services, values)
    if "types" in values:
        values = {**values, "types": list(_in_order(values["types"]))}
    return services.store.change_webhook(webhook_id, account.id, values, expected=expected)


def pause_webhook(services: Services, account: Account, webhook_id: str) -> Webhook:
    """Send it nothing for now; what is to be sent is kept. Raises NotFound."""
    return services.store.pause_webhook(webhook_id, account.id)


def resume_webhook(services: Services, account: Account, webhook_id: str) -> Webhook:
    """Use it again, whether it was paused or disabled. Raises NotFound."""
    webhook = services.store.resume_webhook(webhook_id, account.id)
    services.doorbell.ring(DISPATCHES)
    return webhook


def delete_webhook(
    services: Services, account: Account, webhook_id: str, *, came_from: str = "", expected: Expected = None
) -> None:
    """With all that waits for it, and its log. Raises NotFound, ChangedMeanwhile."""
    webhook = services.store.webhook(webhook_id, account.id)
    deed = _deed("webhook.deleted", account, webhook_id, came_from, host=_host(webhook.url))
    services.store.remove_webhook(webhook_id, account.id, deed, expected=expected)
    while services.store.forget_dispatches(webhook_id):
        continue


def ping_webhook(services: Services, account: Account, webhook_id: str) -> str:
    """Send it a notice that says nothing; returns the notice's id. Raises NotFound; Conflict: it is not in use."""
    _check_in_use(services.store.webhook(webhook_id, account.id))
    notice_id = services.store.add_notice(account.id, "webhook_pinged", {"webhook_id": webhook_id})
    services.doorbell.ring(OUTBOX)
    return notice_id


def rotate_secret(
    services: Services, account: Account, server_key: str, webhook_id: str, *, came_from: str = ""
) -> str:
    """A new signing secret; the old one signs as well for a day. Raises NotFound."""
    deed = _deed("webhook.rotated", account, webhook_id, came_from)
    key = services.store.rotate_secret(webhook_id, account.id, deed)
    return secret_of(server_key, key, key.version)


def account_secret(services: Services, account: Account, server_key: str) -> str:
    """Of addresses that jobs of the account bring along."""
    key = services.store.account_signing_key(account.id)
    return secret_of(server_key, key, key.version)


def rotate_account_secret(services: Services, account: Account, server_key: str, *, came_from: str = "") -> str:
    """The old one signs as well for a day."""
    key = services.store.rotate_account_secret(account.id, _deed("webhook.rotated", account, account.id, came_from))
    return secret_of(server_key, key, key.version)


def list_dispatches(
    services: Services,
    account: Account,
    wanted: DispatchFilter,
    *,
    limit: int = LIMIT_DEFAULT,
    cursor: str | None = None,
) -> Page[LoggedDispatch]:
    """What was sent for the account, and what is to be, the newest first. Raises InvalidFields."""
    check_limit(limit)
    return services.store.dispatches(account.id, wanted, limit=limit, cursor=cursor)


def narrowed(
    webhook_id: str | None = None, job_id: str | None = None, state: str | None = None, *, brought: bool = False
) -> DispatchFilter:
    """Which dispatches are wanted. ``state``: of ``DispatchState``; ``brought``: only to addresses of jobs' own."""
    chosen = None if state is None else DispatchState(state)
    return DispatchFilter(webhook_id=webhook_id, job_id=job_id, state=chosen, brought=brought)


def get_dispatch(services: Services, account: Account, dispatch_id: str) -> tuple[LoggedDispatch, list[DispatchTry]]:
    """Raises NotFound."""
    return services.store.dispatch(dispatch_id, account.id)


def redeliver_dispatch(services: Services, account: Account, dispatch_id: str) -> LoggedDispatch:
    """Send one anew, even one that has arrived. Raises NotFound; Conflict: its webhook is not in use."""
    known, _ = services.store.dispatch(dispatch_id, account.id)
    if known.channel == CHANNEL and not is_address(known.destination):
        _check_in_use(services.store.webhook(known.destination, account.id))
    revived = services.store.redeliver_dispatch(dispatch_id, account.id)
    services.doorbell.ring(DISPATCHES)
    return revived


def redeliver_dead(services: Services, account: Account, webhook_id: str, since: datetime | None = None) -> int:
    """Send a webhook anew what was given up; returns how many those are. Raises NotFound; Conflict: not in use."""
    _check_in_use(services.store.webhook(webhook_id, account.id))
    revived = services.store.redeliver_dead(webhook_id=webhook_id, since=since)
    services.doorbell.ring(DISPATCHES)
    return revived


def list_dead_dispatches(
    services: Services, *, limit: int = LIMIT_DEFAULT, cursor: str | None = None
) -> Page[tuple[str, LoggedDispatch]]:
    """For the administrator: of all accounts, the newest first, each with its account's id. Raises InvalidFields."""
    check_limit(limit)
    return services.store.dead_dispatches(limit=limit, cursor=cursor)


def redeliver_dead_of_all(services: Services, ids: Sequence[str] | None) -> int:
    """For the administrator. None: all of them. Returns how many."""
    revived = services.store.redeliver_dead(ids=ids)
    services.doorbell.ring(DISPATCHES)
    return revived


def dispatch_counts(services: Services) -> list[DispatchCount]:
    """How many wait and how many are dead, by channel."""
    return services.store.dispatch_counts()


def _check(services: Services, values: Mapping[str, Any]) -> None:
    """Raises InvalidFields, naming each."""
    found: dict[str, str] = {}
    if "url" in values and (problem := webhook_url_problem(services, values["url"])):
        found["url"] = problem
    if "types" in values and (not values["types"] or not set(values["types"]) <= set(CHOICES)):
        found["types"] = "one or more of: " + ", ".join(CHOICES)
    if len(values.get("description", "")) > DESCRIPTION_MAX_CHARACTERS:
        found["description"] = f"at most {DESCRIPTION_MAX_CHARACTERS} characters"
    if found:
        raise InvalidFields(found)


def _check_in_use(webhook: Webhook) -> None:
    if webhook.disabled_at is not None or webhook.paused_at is not None:
        raise Conflict(f"This webhook is {webhook.state}.", hint="Resume it first.")


def _in_order(types: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in CHOICES if name in types)


def _host(url: str) -> str:
    """For the log: the rest of an address may hold secrets."""
    return urlsplit(url).hostname or ""


def _deed(action: str, account: Account, subject: str, came_from: str, **details: str) -> Deed:
    return Deed(action=action, account_id=account.id, subject=subject, address=came_from, details=details)
