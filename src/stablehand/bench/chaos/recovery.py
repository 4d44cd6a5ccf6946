"""How long it takes until what a death left lying is taken up again."""

import threading
import time
from dataclasses import dataclass, field
from statistics import median

from sqlalchemy import Engine

from stablehand.bench.chaos.verdict import still_held


@dataclass(slots=True)
class Recoveries:
    """Seconds until each thing was taken up again, by kind; used from several threads."""

    _seconds: dict[str, list[float]] = field(default_factory=dict)
    _waiting: list[tuple[str, float, dict[str, int]]] = field(default_factory=list)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def note(self, kind: str, seconds: float) -> None:
        with self._guard:
            self._seconds.setdefault(kind, []).append(seconds)

    def wait_for(self, kind: str, held: dict[str, int]) -> None:
        """From now on, until somebody begins these shots (id -> token) anew or they end."""
        with self._guard:
            self._waiting.append((kind, time.monotonic(), held))

    def look(self, engine: Engine) -> None:
        """See which of those that are waited for have been taken up."""
        with self._guard:
            waiting, self._waiting = self._waiting, []
        for kind, since, held in waiting:
            left = still_held(engine, held) if held else {}
            for _ in range(len(held) - len(left)):
                self.note(kind, time.monotonic() - since)
            if left:
                with self._guard:
                    self._waiting.append((kind, since, left))

    def summary(self) -> dict[str, dict[str, float]]:
        """kind -> how many, and their median, 99th percentile and maximum in seconds."""
        return {
            kind: {
                "count": len(seconds),
                "p50_s": round(median(seconds), 2),
                "p99_s": round(sorted(seconds)[min(len(seconds) - 1, int(0.99 * len(seconds)))], 2),
                "max_s": round(max(seconds), 2),
            }
            for kind, seconds in sorted(self._seconds.items())
        }
