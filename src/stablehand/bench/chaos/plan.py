"""What is going to happen: how much work, and who is to die when."""

import random
from dataclasses import dataclass
from typing import Literal

from stablehand.bench.chaos.troupe import Part

Deed = Literal["kill", "freeze", "stop database"]

#: who is killed how often, of a hundred
KILLED: dict[Part, int] = {"agent": 60, "web": 30, "courier": 10}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much of what; the same seed orders the same deeds in the same order."""

    store: Literal["postgresql", "sqlite"] = "postgresql"
    shots: int = 1_000
    kills: int = 20
    database_stops: int = 2
    freezes: int = 2  #: agents held still until their leases are over, then let go: zombies
    agents: int = 4
    webs: int = 2
    seats: int = 8
    seconds_per_step: float = 0.002
    lease_seconds: float = 4.0
    seed: int = 0
    patience_seconds: float = 300.0  #: without any progress

    def deeds(self) -> list[Deed]:
        """In the order in which they are done, spread evenly over the run."""
        deeds: list[Deed] = ["kill"] * self.kills
        deeds += ["freeze"] * self.freezes
        deeds += ["stop database"] * self.database_stops
        random.Random(self.seed).shuffle(deeds)
        return deeds
