"""Glimpses: the latest preview of a job, for clients that ask now and then instead of listening."""

import threading
import time
from dataclasses import dataclass

from stablehand.domain.events import JobChanged, PreviewShown
from stablehand.services.feed import Feed, Subscription

#: agents send previews of a job for so long after somebody looked
LOOK_SECONDS = 15.0


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
            self._let_go(now - LOOK_SECONDS)
            seen = self._seen.get(job_id)
            if seen is None:
                self._feed.watch(job_id)
                seen = self._seen[job_id] = _Seen(self._feed.subscribe(account_id, capacity=64), now)
            seen.looked_at = now
            while (event := seen.subscription.get(0)) is not None:
                if isinstance(event, PreviewShown) and event.job_id == job_id:
                    seen.number += 1
                    seen.data_url = event.data_url
                elif isinstance(event, JobChanged) and event.job.id == job_id and event.job.state.is_terminal:
                    seen.data_url = None
            return seen.number, seen.data_url

    def _let_go(self, since: float) -> None:
        for job_id, seen in list(self._seen.items()):
            if seen.looked_at < since:
                del self._seen[job_id]
                seen.subscription.close()
                self._feed.unwatch(job_id)
