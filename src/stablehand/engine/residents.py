"""The slots of a device: which weights are in its memory, which make room, and which wait in the host's memory."""

import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from stablehand.domain.errors import (
    CheckpointBroken,
    CheckpointUnreadable,
    DeviceOutOfMemory,
    RecipeUnsupported,
    StablehandError,
)
from stablehand.engine.autoencoders import Autoencoder, autoencoder_part, load_autoencoder
from stablehand.engine.checkpoints import Resident, Slot, load_checkpoint, weight_bytes
from stablehand.engine.devices import Placement
from stablehand.engine.embeddings import Embedding, read_embedding
from stablehand.engine.faults import first_line, is_out_of_memory
from stablehand.engine.hosts import HostTier
from stablehand.engine.upscalers import Upscaler, load_upscaler, upscaler_bytes

#: The last loads that are remembered, for those who plan with them.
LOADS_MOST = 64


@dataclass(frozen=True, slots=True)
class Place:
    """Weights on disk and the name that they have in memory."""

    slot: Slot
    path: Path


@dataclass(frozen=True, slots=True)
class Extras:
    """What a picture uses beside its checkpoint."""

    autoencoder: Place | None = None
    refiner: Place | None = None  #: the checkpoint that takes over in the middle
    upscaler: Place | None = None  #: the network between its passes, or of the kind upscale
    embeddings: Mapping[str, Place] = field(default_factory=lambda: MappingProxyType({}))  #: by the word in the prompt


NO_EXTRAS = Extras()


@dataclass(frozen=True, slots=True)
class Load:
    """One checkpoint that came into the device's memory."""

    slot: Slot
    seconds: float
    size_bytes: int
    from_host: bool  #: copied from the host's memory, not read from disk


class Residents:
    """Weights in memory, least recently used first, within ``budget_bytes``.

    ``host``: where evicted checkpoints wait, if anywhere.
    """

    def __init__(
        self,
        placement: Placement,
        budget_bytes: int,
        load: Callable[[Slot, Path, Placement], Resident] = load_checkpoint,
        *,
        host: HostTier | None = None,
    ) -> None:
        self._placement = placement
        self._budget_bytes = budget_bytes
        self._load = load
        self.loading: Slot | None = None  #: the one that is being loaded; other threads may look
        self._host = host
        self._held: OrderedDict[Slot, Resident | Autoencoder | Upscaler] = OrderedDict()
        self._embeddings: dict[Place, Embedding] = {}
        self._loads: list[Load] = []

    @classmethod
    def of(cls, resident: Resident) -> "Residents":
        """Slots that hold one checkpoint, which is loaded already."""
        residents = cls(resident.placement, resident.size_bytes)
        residents._held[resident.slot] = resident
        return residents

    def slots(self) -> list[Slot]:
        """Of the checkpoints."""
        return [slot for slot, held in self._held.items() if isinstance(held, Resident)]

    def take_loads(self) -> list[Load]:
        """The last loads that have not been taken yet, oldest first; callable from any thread."""
        loads, self._loads = self._loads, []
        return loads

    def get(self, slot: Slot) -> Resident | None:
        """The resident, marked as used just now."""
        held = self._held.get(slot)
        if not isinstance(held, Resident):
            return None
        self._held.move_to_end(slot)
        return held

    def admit(self, slot: Slot, path: Path, in_use: Collection[Slot]) -> Resident | None:
        """Load a checkpoint, evicting idle weights as far as the budget asks.

        None when it only fits after one of ``in_use`` has left; with nothing in use it is loaded whatever the budget
        says, and the device decides. Raises what :func:`load_checkpoint` raises.
        """
        if not self._make_room(weight_bytes(path, self._placement), in_use) and in_use:
            return None
        start = time.perf_counter()
        self.loading = slot
        try:
            resident = self._host.fetch(slot, path, self._placement) if self._host is not None else None
            from_host = resident is not None
            if resident is None:
                resident = self._load(slot, path, self._placement)
                if self._host is not None:
                    self._host.forget(slot)  # what is kept there is of other files
        finally:
            self.loading = None
        self._held[slot] = resident
        load = Load(slot, time.perf_counter() - start, resident.size_bytes, from_host)
        self._loads = [*self._loads[1 - LOADS_MOST :], load]
        return resident

    def bring(self, slot: Slot, path: Path, in_use: Collection[Slot]) -> Resident | None:
        """:meth:`admit`, with words for whatever goes wrong.

        Raises CheckpointBroken, CheckpointUnreadable, DeviceOutOfMemory; the last only with nothing in use, else None.
        """
        try:
            return self.admit(slot, path, in_use)
        except StablehandError:
            raise
        except Exception as error:
            if not is_out_of_memory(error):
                kind = CheckpointUnreadable if isinstance(error, OSError) else CheckpointBroken
                raise kind(
                    f"{path} could not be loaded: {type(error).__name__}: {first_line(error)}",
                    hint="See that the agent may read this folder, or fetch the checkpoint again.",
                ) from error
        self.release_idle(in_use)
        if in_use:
            return None
        raise DeviceOutOfMemory(
            f"The weights of {path.name} do not fit into the memory of {self._placement.name}.",
            hint="Use a smaller checkpoint, half precision, or a device with more memory.",
        )

    def autoencoder(self, extras: Extras, resident: Resident) -> Autoencoder | None:
        """The one that a picture uses in place of its checkpoint's; None when it uses that.

        Shared by all checkpoints of a family. Raises CheckpointBroken, and RecipeUnsupported when the two do not fit
        together.
        """
        place = extras.autoencoder
        if place is None:
            return None
        family = resident.network.family
        slot = f"{place.slot}:{family}"
        held = self._held.get(slot)
        if not isinstance(held, Autoencoder):
            needed = autoencoder_part(place.path, family).parameters * self._placement.decoder_dtype(family).itemsize
            self._make_room(needed, set(self.slots()))
            held = self._held[slot] = load_autoencoder(place.path, family, self._placement)
        self._held.move_to_end(slot)
        own = resident.autoencoder
        if (held.latent_channels, held.pixels_per_latent) != (own.latent_channels, own.pixels_per_latent):
            raise RecipeUnsupported(
                f"The autoencoder {place.path.name} does not fit this checkpoint: its latents have another shape.",
                hint="Choose one that was made for this family, or none.",
            )
        return held

    def upscaler(self, place: Place, in_use: Collection[Slot]) -> Upscaler:
        """A network that enlarges; idle weights make room for it. Raises CheckpointBroken, RecipeUnsupported."""
        held = self._held.get(place.slot)
        if not isinstance(held, Upscaler):
            self._make_room(upscaler_bytes(place.path, self._placement), in_use)
            held = self._held[place.slot] = load_upscaler(place.path, self._placement)
        self._held.move_to_end(place.slot)
        return held

    def embeddings(self, extras: Extras) -> Mapping[str, Embedding]:
        """The textual-inversion embeddings that a picture names, by the word for each. Raises CheckpointBroken."""
        for place in extras.embeddings.values():
            if place not in self._embeddings:
                self._embeddings[place] = read_embedding(place.path)
        return {word: self._embeddings[place] for word, place in extras.embeddings.items()}

    def slot_of(self, autoencoder: Autoencoder) -> Slot | None:
        """Where an autoencoder that is nobody's own lies."""
        return next((slot for slot, held in self._held.items() if held is autoencoder), None)

    def release_idle(self, in_use: Collection[Slot]) -> bool:
        """Evict all that is not in use; True if that freed anything."""
        idle = [slot for slot in self._held if slot not in in_use]
        for slot in idle:
            self._evict(slot)
        self._placement.release_cached()
        return bool(idle)

    def clear(self) -> None:
        """Give everything back, the host's copies too."""
        self._host = None
        self.release_idle(())

    def _make_room(self, needed_bytes: int, in_use: Collection[Slot]) -> bool:
        idle = [slot for slot in self._held if slot not in in_use]
        while self._held_bytes() + needed_bytes > self._budget_bytes and idle:
            self._evict(idle.pop(0))
        return self._held_bytes() + needed_bytes <= self._budget_bytes

    def _evict(self, slot: Slot) -> None:
        held = self._held.pop(slot)
        if self._host is not None and isinstance(held, Resident):
            self._host.keep(held)

    def _held_bytes(self) -> int:
        return sum(held.size_bytes for held in self._held.values())
