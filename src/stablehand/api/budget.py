"""The thread budget: how many requests of one kind may sit and wait at once."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from stablehand.domain.errors import Busy, TooManyCalls


class Budget:
    """A cap on requests that hold a thread. Past it the caller is sent away for a moment rather than queued unseen."""

    def __init__(self, what: str, limit: int, limit_each: int | None = None) -> None:
        self._what = what
        self._limit = limit
        self._limit_each = limit_each or limit
        self._held: Counter[str] = Counter()
        self._lock = threading.Lock()

    @contextmanager
    def hold(self, who: str = "") -> Iterator[None]:
        """Hold one place for ``who``. Raises Busy when all places are taken, TooManyCalls when all of theirs are."""
        with self._lock:
            if self._held.total() >= self._limit:
                raise Busy(f"Too many {self._what} are open at once.", hint="Try again in a moment.")
            if self._held[who] >= self._limit_each:
                raise TooManyCalls(
                    f"Your account has {self._limit_each} {self._what} open, which is as many as it may.",
                    hint="Wait for one of them to end.",
                )
            self._held[who] += 1
        try:
            yield
        finally:
            with self._lock:
                self._held[who] -= 1
                if not self._held[who]:
                    del self._held[who]

    @property
    def held(self) -> int:
        with self._lock:
            return self._held.total()
