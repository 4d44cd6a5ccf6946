"""Seats: what is handed to a batch, and what comes out of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stablehand.domain.errors import RecipeUnsupported, StablehandError
from stablehand.domain.notes import Note
from stablehand.domain.passes import Pass, passes, progress
from stablehand.domain.recipes import Recipe
from stablehand.engine.checkpoints import Slot
from stablehand.engine.circumstances import Circumstances
from stablehand.engine.faults import ParkedStateBroken
from stablehand.engine.residents import NO_EXTRAS, Extras
from stablehand.engine.samplers.state import SamplerState

#: Names in a state's numbers: the pass that it belongs to, whether the refiner has taken over, whether its latent is
#: what the pass starts from rather than what has been drawn in it, and how many rows its calls have if it is exact.
PASS, REFINED, BETWEEN, BUCKET = "pass", "refined", "between", "bucket"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Seat:
    """Room for one picture in a batch, and all that it needs to be drawn there, from any point on."""

    picture_id: str
    recipe: Recipe
    slot: Slot
    path: Path  #: of the checkpoint that belongs into ``slot``
    extras: Extras = NO_EXTRAS
    inputs: Mapping[str, bytes] = field(default_factory=dict)  #: id -> picture file
    owner: str = ""
    state: SamplerState | None = None  #: where to go on
    latent: Tensor | None = None  #: what a second pass starts from
    number: int = 0  #: of the pass
    device_seconds: float = 0.0  #: spent on it before
    notes: tuple[Note, ...] = ()
    attention: frozenset[str] = frozenset()  #: kernels that computed its UNet's attention so far

    @property
    def this_pass(self) -> Pass:
        """Raises RecipeUnsupported for what no network can draw."""
        found = passes(self.recipe)
        if not found or (self.recipe.kind in ("image", "inpaint") and self.recipe.source is None):
            raise RecipeUnsupported(
                f"This recipe of the kind {self.recipe.kind!r} is nothing to draw.",
                hint="Kinds image and inpaint need an input; kind upscale is for those who only resize.",
            )
        return found[self.number]

    @property
    def has_next_pass(self) -> bool:
        return self.number + 1 < len(passes(self.recipe))

    @property
    def next_recipe(self) -> Recipe:
        """Of the pass after this one."""
        return passes(self.recipe)[self.number + 1].recipe

    @property
    def upscaler(self) -> str:
        """What leads from this pass to the next one."""
        assert self.recipe.hires is not None
        return self.recipe.hires.upscaler

    @property
    def progress(self) -> float:
        """How far the picture is, 0 to 1, over all its passes."""
        return progress(self.recipe, self.number, self.state.progress if self.state is not None else 0.0)

    @property
    def saved(self) -> SamplerState | None:
        """All that is known of a picture that is not being drawn just now; None where nothing has been done yet.

        Between two passes that is what the second one starts from, in the form of a state.
        """
        if self.state is not None or self.latent is None:
            return self.state
        return SamplerState(self.latent, (0.0,), numbers={PASS: float(self.number), BETWEEN: 1.0})

    def going_on(self, state: SamplerState) -> "Seat":
        """This seat, where the picture goes on from ``state``. Raises ParkedStateBroken for one of another recipe."""
        number, is_refined = int(state.numbers.get(PASS, 0)), bool(state.numbers.get(REFINED))
        taken, refiner = passes(self.recipe), self.extras.refiner
        if not 0 <= number < len(taken) or (is_refined and (refiner is None or taken[number].recipe.refiner is None)):
            raise ParkedStateBroken(
                "The parked state is of a pass or a refiner that this recipe does not have.",
                hint="The shot can still be drawn from its beginning: drop the parked state.",
            )
        seat = self if refiner is None or not is_refined else replace(self, slot=refiner.slot, path=refiner.path)
        if state.numbers.get(BETWEEN):
            return replace(seat, number=number, latent=state.latent)
        return replace(seat, number=number, state=state)

    @property
    def encodes(self) -> bool:
        """An input has to be encoded before the first step."""
        return self.number == 0 and self.recipe.source is not None


def together(seats: Sequence[Seat]) -> list[Seat]:
    """Those that can begin in one tick: of those that encode an input only one, lest the others wait long."""
    later = [seat for seat in seats if seat.encodes][1:]
    return [seat for seat in seats if seat not in later]


@dataclass(frozen=True, slots=True)
class Finished:
    picture_id: str
    pixels: NDArray[np.uint8]  #: (height, width, 3)
    device_seconds: float  #: this picture's share of the ticks it was in
    circumstances: Circumstances
    notes: tuple[Note, ...] = ()  #: what had to be done otherwise than asked for


@dataclass(frozen=True, slots=True)
class Failed:
    picture_id: str
    error: StablehandError
    at_load: bool = False  #: its checkpoint could not be loaded


Ended = Finished | Failed


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A picture after its last whole step: all that another batch needs to go on with it."""

    state: SamplerState  #: on the CPU, sharing no memory with the running picture
    device_seconds: float
    progress: float  #: 0 to 1, over all passes
    notes: tuple[Note, ...] = ()
    attention: frozenset[str] = frozenset()

    @classmethod
    def of(cls, state: SamplerState, seat: Seat, progress: float) -> "Snapshot":
        """``seat``: what was spent and noted until then."""
        own = state.copy_to(torch.device("cpu"))
        return cls(own, seat.device_seconds, progress, seat.notes, seat.attention)
