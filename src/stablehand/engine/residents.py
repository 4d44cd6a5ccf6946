"""The slots of a device: which checkpoints are in its memory, and which one makes room."""

from collections import OrderedDict
from collections.abc import Callable, Collection
from pathlib import Path

from stablehand.engine.checkpoints import Resident, Slot, load_folder, weight_bytes
from stablehand.engine.devices import Placement


class Residents:
    """Checkpoints in memory, least recently used first, within ``budget_bytes`` of weights."""

    def __init__(
        self,
        placement: Placement,
        budget_bytes: int,
        load: Callable[[Slot, Path, Placement], Resident] = load_folder,
    ) -> None:
        self._placement = placement
        self._budget_bytes = budget_bytes
        self._load = load
        self._residents: OrderedDict[Slot, Resident] = OrderedDict()
        self.loading: Slot | None = None  #: the one that is being loaded; other threads may look

    @classmethod
    def of(cls, resident: Resident) -> "Residents":
        """Slots that hold one checkpoint, which is loaded already."""
        residents = cls(resident.placement, resident.size_bytes)
        residents._residents[resident.slot] = resident
        return residents

    def slots(self) -> list[Slot]:
        return list(self._residents)

    def get(self, slot: Slot) -> Resident | None:
        """The resident, marked as used just now."""
        if slot in self._residents:
            self._residents.move_to_end(slot)
        return self._residents.get(slot)

    def admit(self, slot: Slot, folder: Path, in_use: Collection[Slot]) -> Resident | None:
        """Load a checkpoint, evicting idle ones as far as the budget asks.

        None when it only fits after one of ``in_use`` has left; with nothing in use it is loaded whatever the budget
        says, and the device decides. Raises what :func:`load_folder` raises.
        """
        needed = weight_bytes(folder, self._placement.dtype)
        idle = [other for other in self._residents if other not in in_use]
        while self._held() + needed > self._budget_bytes and idle:
            self._evict(idle.pop(0))
        if self._held() + needed > self._budget_bytes and in_use:
            return None
        self.loading = slot
        try:
            resident = self._residents[slot] = self._load(slot, folder, self._placement)
        finally:
            self.loading = None
        return resident

    def release_idle(self, in_use: Collection[Slot]) -> bool:
        """Evict all that is not in use; True if that freed anything."""
        idle = [slot for slot in self._residents if slot not in in_use]
        for slot in idle:
            self._evict(slot)
        self._placement.release_cached()
        return bool(idle)

    def clear(self) -> None:
        self.release_idle(())

    def _evict(self, slot: Slot) -> None:
        del self._residents[slot]

    def _held(self) -> int:
        return sum(resident.size_bytes for resident in self._residents.values())
