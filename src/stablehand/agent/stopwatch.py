"""The stopwatch: what the device spent its time on, for the server's decisions about loading checkpoints."""

import threading
import time
from collections.abc import Callable, Iterable, Sequence

from stablehand.domain.busy import learn_busy_share
from stablehand.protocol import Loaded

#: loads that are kept for a server that does not answer
_LOADS_MOST = 16


class Stopwatch:
    """The device thread notes its ticks here; the heartbeat reads them."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._guard = threading.Lock()
        self._resident: frozenset[str] = frozenset()
        self._loads: list[Loaded] = []
        self._drawing_seconds = 0.0
        self._looked_at = clock()
        self._busy_share: float | None = None

    def note_tick(self, seconds: float, resident: Iterable[str]) -> None:
        """A tick took so long, and these checkpoints are in memory after it.

        A tick that brings a checkpoint in does nothing else worth the name: its time is that of the load.
        """
        now = frozenset(resident)
        with self._guard:
            new, self._resident = now - self._resident, now
            if len(new) == 1:
                self._loads = [*self._loads, Loaded(checkpoint_id=next(iter(new)), seconds=seconds)][-_LOADS_MOST:]
            elif not new:
                self._drawing_seconds += seconds

    def loads(self) -> list[Loaded]:
        """Loads that the server has not heard of yet."""
        with self._guard:
            return list(self._loads)

    def heard(self, loads: Sequence[Loaded]) -> None:
        """The server has these now."""
        with self._guard:
            self._loads = [load for load in self._loads if not any(load is told for told in loads)]

    def busy_share(self) -> float | None:
        """Share of its time in which the device drew, as a moving average up to now; see domain.busy."""
        with self._guard:
            now = self._clock()
            elapsed = now - self._looked_at
            self._busy_share = learn_busy_share(
                self._busy_share,
                drawing_seconds=self._drawing_seconds,
                agent_seconds=elapsed,
                elapsed_seconds=elapsed,
            )
            self._looked_at, self._drawing_seconds = now, 0.0
            return self._busy_share
