"""Space: whether the object store takes pictures, as this process has seen it."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from stablehand.adapters.objects import Objects
from stablehand.domain.errors import StablehandError, StorageFull
from stablehand.services.identity import new_id

#: about a picture; it must fit again before more are drawn
_PROBE_BYTES = 2**20
_PROBES = "probes"


class Space:
    """Learns from what the store refuses; while it is full, asks it again now and then, whoever wants to know.

    ``ask_again_seconds``: how long an answer counts. Kept by each process for itself: when the disk is full, the
    database that others could read it from may be full, too.
    """

    def __init__(self, objects: Objects, *, ask_again_seconds: float = 5.0) -> None:
        self.ask_again_seconds = ask_again_seconds
        self._objects = objects
        self._guard = threading.Lock()
        self._full = False
        self._ask_at = 0.0  #: monotonic seconds

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Around writing a picture: notices when there is no room for it."""
        try:
            yield
        except StorageFull:
            with self._guard:
                self._full, self._ask_at = True, time.monotonic()
            raise

    @property
    def is_full(self) -> bool:
        with self._guard:
            if not self._full or time.monotonic() < self._ask_at:
                return self._full
            self._ask_at = time.monotonic() + self.ask_again_seconds
        fits = self._fits()
        with self._guard:
            self._full = not fits
            return self._full

    def _fits(self) -> bool:
        key = f"{_PROBES}/{new_id()}"
        try:
            self._objects.put(key, bytes(_PROBE_BYTES))
            self._objects.delete(key)
        except StablehandError:
            return False  # still full, or away: in either case no picture could be kept now
        return True
