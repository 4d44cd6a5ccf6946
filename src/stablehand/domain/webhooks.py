"""Webhooks: addresses that an account's notices are posted to."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookLimits:
    """What the operator allows. ``http``: addresses that are not encrypted."""

    http: bool = False
    most: int = 10  #: an account may have
    log_days: float = 30.0  #: what has ended is kept for so long
