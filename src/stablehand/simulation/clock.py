"""The clock of a simulation: events in order of time, those of one instant in the order they were asked for."""

from collections.abc import Callable
from heapq import heappop, heappush


class Clock:
    def __init__(self) -> None:
        self.now = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._asked = 0

    def later(self, seconds: float, event: Callable[[], None]) -> None:
        """Call ``event`` when so many seconds have passed."""
        self._asked += 1
        heappush(self._events, (self.now + seconds, self._asked, event))

    def run_until(self, at: float) -> None:
        """Let everything happen that is due before ``at``, and stop there."""
        events = self._events
        while events and events[0][0] < at:
            self.now, _, event = heappop(events)
            event()
        self.now = at
