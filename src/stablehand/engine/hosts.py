"""The host's memory beside a GPU: checkpoints that had to leave the device wait there, ready to come back."""

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from stablehand.engine.checkpoints import Resident, Slot
from stablehand.engine.devices import Placement

Stamp = tuple[tuple[str, int, int], ...]


@dataclass(slots=True, eq=False)
class _Kept:
    resident: Resident  #: whose networks are the host's copies while it is not on the device
    copies: dict[str, dict[str, Tensor]]  #: network -> parameter -> its value in the host's memory
    size_bytes: int


class HostTier:
    """Copies of checkpoints in host memory within ``budget_bytes``, least recently used out first.

    ``pin`` locks them into memory, so that a GPU fetches them by itself and at full speed. A copy stays while its
    checkpoint is on the device: weights do not change, so the next eviction costs nothing.
    """

    def __init__(self, budget_bytes: int, *, pin: bool) -> None:
        self._budget_bytes = budget_bytes
        self._pin = pin
        self._kept: OrderedDict[Slot, _Kept] = OrderedDict()
        self._stamps: dict[Slot, Stamp] = {}

    def slots(self) -> list[Slot]:
        return list(self._kept)

    def keep(self, resident: Resident) -> None:
        """Take a checkpoint off the device; forget it altogether when there is no room here."""
        resident.text.forget()
        kept = self._kept.get(resident.slot)
        if kept is None or kept.resident is not resident:
            if not self._make_room(resident.size_bytes):
                return
            kept = _Kept(resident, self._copy(resident), resident.size_bytes)
        with torch.inference_mode(mode=False):
            for name, network in resident.modules().items():
                for part, parameter in network.named_parameters():
                    parameter.data = kept.copies[name][part]
        self._kept[resident.slot] = kept
        self._kept.move_to_end(resident.slot)

    def fetch(self, slot: Slot, path: Path, placement: Placement) -> Resident | None:
        """Bring a checkpoint back to the device; None when it is not here, or its files have changed since."""
        kept = self._kept.get(slot)
        stamp = stamp_of(path)
        known = self._stamps.setdefault(slot, stamp)
        if kept is None or known != stamp:
            self._stamps[slot] = stamp
            return None
        with torch.inference_mode(mode=False):
            for name, network in kept.resident.modules().items():
                for part, parameter in network.named_parameters():
                    parameter.data = kept.copies[name][part].to(placement.device, non_blocking=self._pin, copy=True)
        self._kept.move_to_end(slot)
        return kept.resident

    def forget(self, slot: Slot) -> None:
        self._kept.pop(slot, None)

    def _copy(self, resident: Resident) -> dict[str, dict[str, Tensor]]:
        with torch.inference_mode(mode=False):
            return {
                name: {part: self._host_copy(parameter.data) for part, parameter in network.named_parameters()}
                for name, network in resident.modules().items()
            }

    def _host_copy(self, value: Tensor) -> Tensor:
        copy = torch.empty_like(value, device="cpu", pin_memory=self._pin)  # keeps channels_last as it is
        return copy.copy_(value)

    def _make_room(self, needed_bytes: int) -> bool:
        while self._kept and self._size() + needed_bytes > self._budget_bytes:
            self._kept.popitem(last=False)
        return self._size() + needed_bytes <= self._budget_bytes

    def _size(self) -> int:
        return sum(kept.size_bytes for kept in self._kept.values())


def stamp_of(path: Path) -> Stamp:
    """Changes when the files do."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    stats = [(file, file.stat()) for file in files if file.is_file()]
    return tuple((str(file), stat.st_size, stat.st_mtime_ns) for file, stat in stats)
