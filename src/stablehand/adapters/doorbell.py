"""The doorbell inside one process: a wake-up hint per topic that may be lost or doubled.

Whoever waits looks at the store again afterwards, whatever ``wait`` answered, and waits for a few seconds at most.
"""

import threading
import time
from collections import OrderedDict

#: Topics whose last ring is remembered. Older ones may wake a listener for nothing, never leave one asleep.
REMEMBERED_TOPICS = 4096


class InProcessDoorbell:
    """Implements ports.Doorbell for one process, and is the part of every other doorbell that threads wait at."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._conditions: dict[str, tuple[threading.Condition, int]] = {}  # topic -> (its condition, waiting threads)
        self._rings = 0
        self._last_ring: OrderedDict[str, int] = OrderedDict()  # topic -> number of its last ring
        self._forgotten = 0  # the largest number that was dropped from _last_ring

    def start(self) -> None:
        """Nothing to connect."""

    def close(self) -> None:
        """Nothing to disconnect."""

    def ring(self, topic: str) -> None:
        """Wake everybody who waits for ``topic``."""
        with self._lock:
            self._rings += 1
            self._last_ring[topic] = self._rings
            self._last_ring.move_to_end(topic)
            if len(self._last_ring) > REMEMBERED_TOPICS:
                self._forgotten = self._last_ring.popitem(last=False)[1]
            if topic in self._conditions:
                self._conditions[topic][0].notify_all()

    def ring_all(self) -> None:
        """Wake everybody: some rings may have been missed, and nobody knows for which topics."""
        with self._lock:
            self._rings += 1
            self._forgotten = self._rings
            self._last_ring.clear()
            for condition, _ in self._conditions.values():
                condition.notify_all()

    def heard(self) -> int:
        """A mark to give to ``wait``: rings after this moment are not missed while the store is being read."""
        with self._lock:
            return self._rings

    def wait(self, topic: str, timeout_seconds: float, since: int | None = None) -> bool:
        """True as soon as ``topic`` has rung since ``since`` (default: since now), False after the timeout."""
        deadline = time.monotonic() + timeout_seconds
        with self._lock:
            mark = self._rings if since is None else since
            condition, waiting = self._conditions.get(topic, (threading.Condition(self._lock), 0))
            self._conditions[topic] = (condition, waiting + 1)
            try:
                while not (rung := self._last_ring.get(topic, self._forgotten) > mark):
                    left = deadline - time.monotonic()
                    if left <= 0:
                        break
                    condition.wait(left)
                return rung
            finally:
                condition, waiting = self._conditions[topic]
                if waiting == 1:
                    del self._conditions[topic]
                else:
                    self._conditions[topic] = (condition, waiting - 1)
