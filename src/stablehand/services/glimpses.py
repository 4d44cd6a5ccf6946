"""Glimpses: the latest preview of a job, for clients that ask now and then instead of listening."""

import threading
import time
from dataclasses import dataclass

from stablehand.domain.events import PreviewShown
from stablehand.services.feed import Feed, Subscription

#: agents send previews of a job for so long after somebody looked
LOOK_SECONDS = 15.0
#: events of an account that wait for the next look; the oldest are dropped
WAITING_EVENTS = 64


@dataclass(slots=True)
class _Seen:
    subscription: Subscription
    looked_at: float
    number: int = 0
    data_url: str | None = None


class Glimpses:
    """Watches a job while it is looked at. It has no thread: what is looked at no more is let go at the next look."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._lock = threading.Lock()
        self._seen: dict[str, _Seen] = {}

    def look(self, account_id: str, job_id: str) -> tuple[int, str | None]:
        """(how many were seen so far, the latest as a data URL). The first look only begins it."""
        with self._lock:
            now = time.monotonic()
            self._let_go([other for other, seen in self._seen.items() if seen.looked_at < now - LOOK_SECONDS])
            seen = self._seen.get(job_id)
            if seen is None:
                self._feed.watch(job_id)
                seen = self._seen[job_id] = _Seen(self._feed.subscribe(account_id, capacity=WAITING_EVENTS), now)
            seen.looked_at = now
            while (event := seen.subscription.get(0)) is not None:
                if isinstance(event, PreviewShown) and event.job_id == job_id:
                    seen.number += 1
                    seen.data_url = event.data_url
            return seen.number, seen.data_url

    def forget(self, job_id: str) -> None:
        """Nobody need look at this job any more: it has ended, or nobody waits for it."""
        with self._lock:
            self._let_go([job_id] if job_id in self._seen else [])

    def _let_go(self, job_ids: list[str]) -> None:
        for job_id in job_ids:
            self._seen.pop(job_id).subscription.close()
            self._feed.unwatch(job_id)
