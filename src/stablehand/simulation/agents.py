"""An agent under simulation: its memory, its disk, and the shots that it draws."""

from enum import Enum

from stablehand.simulation.lane import SimShot


class Phase(Enum):
    READY = "ready"  #: claims whenever it has room
    LEAVING = "leaving"  #: claims nothing more; gone when it is empty
    GONE = "gone"


class SimAgent:
    """One device. Its resident checkpoints are kept least recently used first."""

    __slots__ = ("began_at", "busy_since", "disk", "draws_at", "epoch", "number", "phase", "resident", "running",
                 "together")  # fmt: skip

    def __init__(self, number: int, began_at: float) -> None:
        self.number = number
        self.began_at = began_at
        self.phase = Phase.READY
        self.resident: dict[int, None] = {}
        self.disk: set[int] = set()
        self.running: list[SimShot] = []
        self.together = 0.0  #: seconds that one unit of cost of each running shot takes now (mode join)
        self.draws_at = 0.0  #: until then it loads; afterwards: up to where its running shots have been advanced
        self.busy_since: float | None = None  #: when it began to draw, None while it idles or loads
        self.epoch = 0  #: raised whenever what it waits for changes: older events mean nothing

    def use(self, checkpoint: int) -> None:
        """Mark a resident checkpoint as used just now."""
        del self.resident[checkpoint]
        self.resident[checkpoint] = None

    def admit(self, checkpoint: int, slots: int) -> list[int]:
        """Make a checkpoint resident: what was evicted for it."""
        in_use = {shot.checkpoint for shot in self.running}
        evicted = []
        for other in list(self.resident):
            if len(self.resident) < slots:
                break
            if other not in in_use:
                del self.resident[other]
                evicted.append(other)
        self.resident[checkpoint] = None
        self.disk.add(checkpoint)
        return evicted

    def may_load(self, slots: int) -> bool:
        """False while all its slots are in use."""
        return len({shot.checkpoint for shot in self.running}) < slots
