"""The feed: browser events of this process, and its board.

Nothing here is durable and nothing waits for a slow reader: a full subscription drops its oldest events, because every
event is a hint and browsers fetch the truth by REST.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Self

from stablehand.domain.events import Event
from stablehand.services.board import Board


class Subscription:
    """Events for one account, or for all of them. A context manager; iterate with ``get`` until closed."""

    def __init__(self, feed: "Feed", account_id: str | None, capacity: int) -> None:
        self.account_id = account_id  #: None: events of every account
        self.dropped = 0  #: events that came while nobody read
        self._feed = feed
        self._events: deque[Event] = deque(maxlen=capacity)
        self._ready = threading.Condition()
        self._closed = False

    def get(self, timeout_seconds: float | None = None) -> Event | None:
        """The next event; None after the timeout or once closed and empty."""
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        with self._ready:
            while not self._events and not self._closed:
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    break
                self._ready.wait(left)
            return self._events.popleft() if self._events else None

    @property
    def closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        self._feed._forget(self)
        with self._ready:
            self._closed = True
            self._ready.notify_all()

    def _offer(self, event: Event) -> None:
        with self._ready:
            if self._closed:
                return
            if len(self._events) == self._events.maxlen:
                self.dropped += 1
            self._events.append(event)
            self._ready.notify()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Feed:
    """``board``: shared with the other processes, where there are some."""

    def __init__(self, board: Board | None = None) -> None:
        self.board = board or Board()
        self._lock = threading.Lock()
        self._subscriptions: tuple[Subscription, ...] = ()

    def subscribe(self, account_id: str | None = None, capacity: int = 4096) -> Subscription:
        """Hear events from now on: of one account, or (None) of all."""
        subscription = Subscription(self, account_id, capacity)
        with self._lock:
            self._subscriptions = (*self._subscriptions, subscription)
        return subscription

    def publish(self, event: Event) -> None:
        for subscription in self._subscriptions:
            if subscription.account_id in (None, event.account_id):
                subscription._offer(event)

    def note_progress(self, shots: Mapping[str, float]) -> None:
        """Write shot id -> progress (0 to 1) on the board."""
        self.board.note_progress(shots)

    def progress(self, shot_id: str) -> float:
        return self.board.progress(shot_id)

    def progress_now(self) -> Callable[[str], float]:
        """As ``progress``, of this moment for good."""
        return self.board.progress_now()

    def forget_progress(self, shot_ids: Iterable[str]) -> None:
        """Take shots off the board that no longer run."""
        self.board.forget_progress(shot_ids)

    def watch(self, job_id: str) -> None:
        """Somebody looks at this job: agents send previews of its running shots. Counted; undo with ``unwatch``."""
        self.board.watch(job_id)

    def unwatch(self, job_id: str) -> None:
        self.board.unwatch(job_id)

    def is_watched(self, job_id: str) -> bool:
        return self.board.is_watched(job_id)

    def _forget(self, subscription: Subscription) -> None:
        with self._lock:
            self._subscriptions = tuple(other for other in self._subscriptions if other is not subscription)
