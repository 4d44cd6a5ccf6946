"""How long to wait before asking an unreachable server again."""

import random
import threading
from dataclasses import dataclass, field


@dataclass(slots=True)
class Backoff:
    """Doubling waits with jitter, so that a fleet does not come back in one wave.

    The n-th wait lies between half of and the whole of ``first · 2ⁿ``, at most ``most`` seconds.
    """

    first: float = 0.1
    most: float = 5.0
    chance: random.Random = field(default_factory=random.Random)
    failures: int = 0

    def next_seconds(self, *, at_least: float = 0.0) -> float:
        whole = min(self.most, self.first * 2.0 ** min(self.failures, 30))
        self.failures += 1
        return max(at_least, whole * self.chance.uniform(0.5, 1.0))

    def reset(self) -> None:
        self.failures = 0

    def wait(self, woken: threading.Event, *, at_least: float = 0.0) -> None:
        """Sleep the next wait, or until ``woken`` is set."""
        woken.wait(self.next_seconds(at_least=at_least))
