"""Enlargements: pictures on their way through a network that makes them larger, a few pieces a call.

Pieces of pictures that use the same network, and have the same shape, share a call; owners take turns as they do for
steps. A picture is gone from the next call on when it is dropped.
"""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image as Pictures
from torch import Tensor

from stablehand.domain.errors import RecipeUnsupported
from stablehand.domain.notes import Note
from stablehand.domain.recipes import Recipe
from stablehand.engine.caps import ASSUMED_SPEED, CALL_SECONDS, MEMORY_SHARE, Caps
from stablehand.engine.checkpoints import Slot
from stablehand.engine.circumstances import enlarging_circumstances
from stablehand.engine.devices import Placement
from stablehand.engine.faults import explain, is_device_lost, is_out_of_memory, not_finite
from stablehand.engine.pictures import Picture
from stablehand.engine.residents import Extras, Place, Residents
from stablehand.engine.seats import Ended, Failed, Finished
from stablehand.engine.tiles import SIDE_LEAST, Mosaic
from stablehand.engine.turns import Turns, Waiting
from stablehand.engine.upscalers import Upscaler
from stablehand.engine.upscaling import upscale_pixels

#: Pieces in one call, however much memory there is.
PIECES_MOST = {"cuda": 16, "cpu": 1}
#: Sides of pieces in pixels of the input: the largest that a device does in good time.
SIDES = (512, 384, 256, 192)
#: Memory that one piece may take.
PIECE_BYTES = 2 * 2**30
#: Pixels a side of what a network may draw before it is brought to size.
DRAWN_SIDE_MAX = 8192
#: How often a picture goes through a network that does not enlarge it enough.
ROUNDS_MOST = 3


def side_of(upscaler: Upscaler) -> int:
    """Side of the pieces for this network; nothing but network and device decide, so that equal orders look equal."""
    most = CALL_SECONDS[upscaler.placement.device.type] * ASSUMED_SPEED[upscaler.placement.device.type]
    for side in SIDES:
        fits = upscaler.operations(side * side) <= most and upscaler.call_bytes(side * side) <= PIECE_BYTES
        if fits:
            return _multiple(side, upscaler.multiple)
    return _multiple(SIDE_LEAST, upscaler.multiple)


def rounds_of(shape: tuple[int, int], target: tuple[int, int], scale: int) -> int:
    """How often a picture of this height and width goes through the network to cover the target; at least once."""
    rounds, reached = 1, scale
    while scale > 1 and rounds < ROUNDS_MOST and (shape[0] * reached < target[0] or shape[1] * reached < target[1]):
        rounds, reached = rounds + 1, reached * scale
    return rounds


@dataclass(slots=True, eq=False)
class Enlargement:
    """One picture. ``height`` and ``width``: of the result, in pixels."""

    id: str
    owner: str
    place: Place  #: of the network
    pixels: NDArray[np.uint8]  #: (H, W, 3); replaced after each round
    height: int
    width: int
    exact: bool = False  #: never shares a call
    picture: Picture | None = None  #: whose next pass the result is for
    device_seconds: float = 0.0
    notes: list[Note] = field(default_factory=list)
    upscaler: Upscaler | None = None  #: once it is in memory
    rounds: int = 1
    round: int = 0
    side: int = 0
    overflowed: bool = False  #: some of it had to be computed in float32
    mosaic: Mosaic | None = None

    @property
    def group(self) -> tuple[Slot, tuple[int, int], str]:
        """What pieces must have in common to share a call."""
        assert self.mosaic is not None
        return self.place.slot, self.mosaic.shape, self.id if self.exact else ""

    @property
    def operations(self) -> float:
        assert self.mosaic is not None
        assert self.upscaler is not None
        return self.upscaler.operations(self.mosaic.shape[0] * self.mosaic.shape[1])

    @property
    def progress(self) -> float:
        """0 to 1."""
        if self.mosaic is None or self.upscaler is None:
            return 0.0
        work = [self.upscaler.scale ** (2 * number) for number in range(self.rounds)]
        share = self.mosaic.done / self.mosaic.count
        return float((sum(work[: self.round]) + work[self.round] * share) / sum(work))

    def begin(self, upscaler: Upscaler) -> None:
        """Its network is in memory now."""
        self.upscaler = upscaler
        self.rounds = rounds_of((self.pixels.shape[0], self.pixels.shape[1]), (self.height, self.width), upscaler.scale)
        self.side = side_of(upscaler)
        self._lay_out()

    def shrink(self) -> bool:
        """Begin this round again in smaller pieces; False when they are as small as can be."""
        assert self.upscaler is not None
        smaller = _multiple(max(SIDE_LEAST, self.side // 2), self.upscaler.multiple)
        if self.mosaic is None or smaller >= max(self.mosaic.shape):
            return False
        self.side = smaller
        self._lay_out()
        return True

    def put(self, drawn: Sequence[NDArray[np.uint8]]) -> None:
        """The next pieces, enlarged; after the last one of a round, the next round begins."""
        assert self.mosaic is not None
        for piece in drawn:
            self.mosaic.put(piece)
        if self.mosaic.is_whole and self.round + 1 < self.rounds:
            self.pixels = self.mosaic.picture()
            self.round += 1
            self._lay_out()

    @property
    def is_done(self) -> bool:
        return self.mosaic is not None and self.mosaic.is_whole

    def result(self) -> NDArray[np.uint8]:
        """(height, width, 3). What it took is its picture's expense."""
        assert self.mosaic is not None
        if self.picture is not None:
            self.picture.device_seconds += self.device_seconds
            for note in self.notes:
                self.picture.note(note)
        return upscale_pixels("Lanczos", self.mosaic.picture(), self.height, self.width)

    def finished(self) -> Finished:
        """As the result of the kind upscale."""
        assert self.upscaler is not None
        by = enlarging_circumstances(self.upscaler, overflowed=self.overflowed)
        return Finished(self.id, self.result(), self.device_seconds, by, tuple(self.notes))

    def _lay_out(self) -> None:
        assert self.upscaler is not None
        most = DRAWN_SIDE_MAX // self.upscaler.scale
        longer = max(self.pixels.shape[:2])
        if longer > most:  # what it would draw beyond that is thrown away again
            height, width = (max(1, side * most // longer) for side in self.pixels.shape[:2])
            smaller = Pictures.fromarray(self.pixels).resize((width, height), Pictures.Resampling.LANCZOS)
            self.pixels = np.asarray(smaller)
        self.mosaic = Mosaic(self.pixels, self.upscaler.scale, self.side, self.upscaler.multiple)


@dataclass(frozen=True, slots=True)
class Larger:
    """A picture that is ready for its next pass."""

    picture: Picture
    pixels: NDArray[np.uint8]  #: (H, W, 3), of the next pass's size


def of_upscale(
    picture_id: str, recipe: Recipe, extras: Extras, pixels: NDArray[np.uint8], owner: str = ""
) -> Enlargement:
    """A picture (H, W, 3) of the kind upscale. Raises RecipeUnsupported where no network belongs to the recipe."""
    place = _network(extras, recipe.upscaler or "")
    return Enlargement(picture_id, owner, place, pixels, recipe.height, recipe.width)


def between_passes(picture: Picture, drawn: NDArray[np.uint8]) -> Enlargement:
    """On its way to the size of the next pass. Raises RecipeUnsupported where no network belongs to its recipe."""
    seat, recipe = picture.seat, picture.seat.next_recipe
    larger = Enlargement(
        picture.id, picture.owner, _network(seat.extras, seat.upscaler), drawn, recipe.height, recipe.width
    )
    return replace(larger, exact=recipe.exact, picture=picture)


def _network(extras: Extras, name: str) -> Place:
    if extras.upscaler is None:
        raise RecipeUnsupported(
            f"There are no weights for the upscaler {name!r}.",
            hint="It may have been removed since the order; choose another one.",
        )
    return extras.upscaler


class Enlargements:
    """All that is being enlarged on one device."""

    def __init__(self, placement: Placement, residents: Residents) -> None:
        kind = placement.device.type
        self._placement = placement
        self._residents = residents
        self._under_way: dict[str, Enlargement] = {}
        self._turns = Turns()
        self._caps = Caps(CALL_SECONDS[kind], PIECES_MOST[kind])
        self._assumed_speed = ASSUMED_SPEED[kind]

    def __bool__(self) -> bool:
        return bool(self._under_way)

    def add(self, enlargement: Enlargement) -> None:
        self._under_way[enlargement.id] = enlargement

    def drop(self, picture_id: str) -> None:
        """Unknown ids are ignored."""
        self._under_way.pop(picture_id, None)

    def progress(self) -> dict[str, float]:
        return {one.id: one.progress for one in self._under_way.values()}

    def pictures(self) -> dict[str, Picture]:
        """Those whose next pass waits for it."""
        return {one.id: one.picture for one in self._under_way.values() if one.picture is not None}

    def slots(self) -> set[Slot]:
        """Networks in use."""
        return {one.place.slot for one in self._under_way.values() if one.upscaler is not None}

    def step(self, in_use: Callable[[], Collection[Slot]]) -> list[Larger | Ended]:
        """One call of a network, or one network loaded; returns the pictures that ended in it.

        ``in_use``: slots that may not be evicted. Raises only when the device is lost.
        """
        newcomer = next((one for one in self._under_way.values() if one.upscaler is None), None)
        if newcomer is not None:
            return self._begin(newcomer, in_use())
        turn = self._turns.next(
            [Waiting(one.id, one.owner, one.group, one.operations) for one in self._under_way.values()]
        )
        members = [self._under_way[one.id] for one in turn]
        key, upscaler, mosaic = members[0].group, members[0].upscaler, members[0].mosaic
        assert upscaler is not None
        assert mosaic is not None
        piece_bytes = upscaler.call_bytes(mosaic.shape[0] * mosaic.shape[1])
        memory_pieces = int(MEMORY_SHARE * self._placement.free_bytes() / piece_bytes)
        cap = self._caps.rows(key, memory_pieces, members[0].operations / self._assumed_speed)
        members = members[: 1 if members[0].exact else cap]
        each = 1 if members[0].exact else cap // len(members)
        pieces = [one.mosaic.pieces(each) for one in members if one.mosaic is not None]
        count = sum(len(own) for own in pieces)
        began = time.perf_counter()
        try:
            if count * piece_bytes > self._placement.free_bytes():
                raise MemoryError
            drawn, overflowed = enlarge(upscaler, [piece for own in pieces for piece in own])
        except Exception as error:
            return self._give_way(key, count, members, error, in_use)
        seconds = time.perf_counter() - began
        self._caps.succeeded(key, count, seconds)
        self._turns.charge(turn[: len(members)], count / len(members))
        return self._hand_out(members, pieces, drawn, overflowed, seconds / count)

    def _begin(self, newcomer: Enlargement, in_use: Collection[Slot]) -> list[Larger | Ended]:
        began = time.perf_counter()
        try:
            newcomer.begin(self._residents.upscaler(newcomer.place, in_use))
        except Exception as error:
            return self._lose(newcomer, error)
        newcomer.device_seconds += time.perf_counter() - began
        return []

    def _hand_out(
        self,
        members: Sequence[Enlargement],
        pieces: Sequence[Sequence[Any]],
        drawn: Sequence[NDArray[np.uint8] | None],
        overflowed: Sequence[bool],
        seconds: float,
    ) -> list[Larger | Ended]:
        """``seconds``: of one piece."""
        ended: list[Larger | Ended] = []
        begin = 0
        for one, own in zip(members, pieces, strict=True):
            end = begin + len(own)
            mine = [piece for piece in drawn[begin:end] if piece is not None]
            one.overflowed |= any(overflowed[begin:end])
            begin = end
            one.device_seconds += seconds * len(own)
            if len(mine) < len(own):
                ended += self._lose(one, not_finite("enlarging"))
                continue
            one.put(mine)
            if one.is_done:
                ended += self._finish(one)
        return ended

    def _finish(self, one: Enlargement) -> list[Larger | Ended]:
        self.drop(one.id)
        try:
            return [one.finished() if one.picture is None else Larger(one.picture, one.result())]
        except Exception as error:
            return self._lose(one, error)

    def _give_way(
        self,
        key: Any,
        count: int,
        members: Sequence[Enlargement],
        error: Exception,
        in_use: Callable[[], Collection[Slot]],
    ) -> list[Larger | Ended]:
        """After a failed call: less at a time, then less in memory, then smaller pieces, until one stands alone."""
        if is_device_lost(error):
            raise error
        if count > 1:
            self._caps.failed(key, count)
            self._placement.release_cached()
            return []
        first = members[0]
        if is_out_of_memory(error):
            if self._residents.release_idle(in_use()):
                first.notes.append(Note.MADE_ROOM)
                return []
            if first.shrink():
                return []
        else:
            self._caps.forgive(key)
        return self._lose(first, error)

    def _lose(self, one: Enlargement, error: Exception) -> list[Larger | Ended]:
        if is_device_lost(error):
            raise error
        self.drop(one.id)
        return [Failed(one.id, explain(error, one, self._placement.name))]


@torch.inference_mode()
def enlarge(
    upscaler: Upscaler, pieces: Sequence[NDArray[np.uint8]]
) -> tuple[list[NDArray[np.uint8] | None], list[bool]]:
    """Pieces of one shape, (h, w, 3) bytes each, to (h*scale, w*scale, 3) bytes, and which of them took float32.

    None for one that is not finite even then; its neighbours are not affected.
    """
    device = upscaler.placement.device
    stacked = torch.from_numpy(np.stack(list(pieces))).to(device).permute(0, 3, 1, 2)
    given = (stacked.to(upscaler.dtype) / 255).contiguous(memory_format=upscaler.placement.memory_format)
    drawn = upscaler.network(given)
    finite: list[bool] = torch.isfinite(drawn).flatten(1).all(dim=1).tolist()
    found: list[NDArray[np.uint8] | None] = [*_as_bytes(drawn)]
    lost = [index for index, is_sound in enumerate(finite) if not is_sound]
    if not lost:
        return found, [False] * len(found)
    again = _in_float32(upscaler, stacked[lost]) if upscaler.dtype != torch.float32 else drawn[lost]
    for index, picture in zip(lost, again, strict=True):
        is_sound = bool(torch.isfinite(picture).all())
        found[index] = _as_bytes(picture[None])[0] if is_sound else None
    return found, [not is_sound for is_sound in finite]


def _in_float32(upscaler: Upscaler, stacked: Tensor) -> Tensor:
    """The network's weights are changed for the call, and changed back."""
    upscaler.module.float()
    try:
        return upscaler.network(stacked.float() / 255)
    finally:
        upscaler.module.to(upscaler.dtype)


def _as_bytes(drawn: Tensor) -> NDArray[np.uint8]:
    """(n, 3, h, w) from 0 to 1 to (n, h, w, 3)."""
    scaled = (drawn.float().nan_to_num(0.0).clamp(0, 1) * 255).round().to(torch.uint8)
    return np.asarray(scaled.permute(0, 2, 3, 1).contiguous().cpu().numpy())


def _multiple(side: int, multiple: int) -> int:
    return -(-side // multiple) * multiple
