"""What an account wants to be told by mail, and the links by which it says no.

A link to unsubscribe holds the account and the sort of letters, signed with HMAC-SHA256. It does not expire: mail is
read years later, and the worst that a stolen one does is fewer letters.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, cast, get_args

from stablehand.domain.jobs import Job, State

#: ``results``: pictures that are done · ``failures``: orders that brought none · ``notices``: a limit that is used up,
#: a webhook that was turned off
Sort = Literal["results", "failures", "notices"]
SORTS: tuple[Sort, ...] = get_args(Sort)

_SIGNATURE_BYTES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailbox:
    """Where an account's mail goes, and what it wants there."""

    account_id: str
    address: str | None  #: one that is confirmed, of an account that may be used; None: there is none
    served_at_once: bool  #: its pictures come while it watches
    chosen: Mapping[Sort, bool]  #: what it has said; the rest is as it is at first
    stopped_at: datetime | None = None  #: when it last said no to anything

    def chooses(self, sort: Sort) -> bool:
        """What it has said; at first yes to everything, but to no pictures where it is served while it watches."""
        return self.chosen.get(sort, sort != "results" or not self.served_at_once)

    def wants(self, sort: Sort) -> bool:
        """What holds where an order does not say otherwise."""
        return self.address is not None and self.chooses(sort)

    def wants_of(self, sort: Sort, *, asked: bool | None, asked_at: datetime) -> bool:
        """What holds for one order, which may say it itself; one that is older than a no to this sort has no say."""
        if asked is None:
            return self.wants(sort)
        if asked and self.chosen.get(sort) is False and self.stopped_at is not None and self.stopped_at > asked_at:
            return False
        return asked and self.address is not None


def sort_of(job: Job) -> Sort | None:
    """Which letter an ended job is worth; None for one that was called off before it brought anything."""
    if job.counts.get(State.SUCCEEDED, 0):
        return "results"
    return "failures" if job.counts.get(State.FAILED, 0) else None


def promised_by(job: Job, deadline_seconds: float, now: datetime) -> datetime:
    """When the last picture should be there: what its tier promises, or later where the queue says so."""
    by = job.created_at + timedelta(seconds=deadline_seconds)
    place = job.queue
    seconds = None if place is None else place.eta_high_seconds or place.eta_seconds
    return by if seconds is None else max(by, now + timedelta(seconds=seconds))


def unsubscribe_token(secret_key: str, account_id: str, sort: Sort) -> str:
    """What stands in a link that ends letters of this sort."""
    said = f"{sort}:{account_id}".encode()
    return f"{_text(said)}.{_text(_signature(secret_key, said))}"


def read_unsubscribe_token(secret_key: str, token: str) -> tuple[str, Sort] | None:
    """(account, sort) of a link that is ours; None for any other text."""
    try:
        said, signature = (base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in token.split("."))
    except ValueError:
        return None
    if not hmac.compare_digest(signature, _signature(secret_key, said)):
        return None
    sort, _, account_id = said.decode().partition(":")
    return account_id, cast(Sort, sort)


def _signature(secret_key: str, said: bytes) -> bytes:
    return hmac.digest(secret_key.encode(), b"unsubscribe\0" + said, hashlib.sha256)[:_SIGNATURE_BYTES]


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
