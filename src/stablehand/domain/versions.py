"""Versions of what several people may change: equal as long as nobody has changed it."""

import hashlib
import json
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from stablehand.domain.accounts import Account
from stablehand.domain.agents import Agent
from stablehand.domain.errors import ChangedMeanwhile
from stablehand.domain.images import Image
from stablehand.domain.mail_choices import Mailbox
from stablehand.domain.webhooks import Webhook

#: versions on which somebody is ready to act; None: on any
Expected = Collection[str] | None


def version_of(*told: Any) -> str:
    """Of everything that can be edited of a thing, as JSON can say it."""
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=_text).encode()).hexdigest()[:16]


def image_version(image: Image) -> str:
    return version_of(image.starred, image.deleted_at)


def account_version(account: Account, own_quotas: Mapping[str, Any]) -> str:
    """Of what administrators decide about it."""
    return version_of(account.role, account.tier, dict(own_quotas), account.suspended_at, account.suspended_reason)


def webhook_version(webhook: Webhook) -> str:
    """Of what its owner decides about it, and whether it is in use."""
    return version_of(webhook.url, webhook.description, webhook.types, webhook.paused_at, webhook.disabled_at)


def agent_version(agent: Agent) -> str:
    """Of whether it gets work, as administrators or its own record decide. That it comes and goes is no edit."""
    return version_of(agent.pool, agent.standing, agent.reason, agent.since)


def mailbox_version(mailbox: Mailbox) -> str:
    """Of what the account has said, here or by a link in a letter."""
    return version_of(dict(mailbox.chosen))


def check_version(expected: Expected, version: str) -> None:
    """Raises ChangedMeanwhile."""
    if expected is not None and version not in expected:
        raise ChangedMeanwhile


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{value!r} is no part of a version")
