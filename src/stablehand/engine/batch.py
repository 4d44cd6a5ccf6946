"""The running batch: a loop of short ticks in which pictures join, advance together and leave.

A tick does one thing: load a checkpoint, decode finished latents, or one UNet call for one group of pictures. Trouble
in a call costs nobody a step, because a picture only advances when its answer arrives: the same rows are asked for
again, in smaller company.
"""

import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stablehand.domain.errors import StablehandError
from stablehand.domain.notes import Note
from stablehand.domain.recipes import Recipe
from stablehand.domain.upscalers import is_formula
from stablehand.engine import decode as decoding
from stablehand.engine.beginnings import begin
from stablehand.engine.caps import ASSUMED_SPEED, CALL_SECONDS, ROWS_MOST, Caps
from stablehand.engine.checkpoints import Resident, Slot
from stablehand.engine.decodes import Call, Decodes, kind_of
from stablehand.engine.devices import Placement
from stablehand.engine.enlargements import Enlargements, Larger, between_passes, of_upscale
from stablehand.engine.exact import Buckets
from stablehand.engine.faults import device_lost, explain, is_device_lost, is_out_of_memory, not_finite
from stablehand.engine.groups import GroupKey
from stablehand.engine.pictures import Picture, note_company
from stablehand.engine.residents import NO_EXTRAS, Extras, Residents
from stablehand.engine.rows import as_waiting, check_memory, fill, predict, row_bytes
from stablehand.engine.samplers.state import SamplerState
from stablehand.engine.seats import REFINED, Ended, Failed, Seat, Snapshot, together
from stablehand.engine.starts import latent_shape
from stablehand.engine.turns import Turns
from stablehand.engine.upscaling import is_latent, upscale_latent, upscale_pixels


class Batch:
    """All pictures of one device. Not thread-safe: one thread calls everything."""

    def __init__(
        self, placement: Placement, residents: Residents, *, exact_rows: int | None = None, beside: bool | None = None
    ) -> None:
        self._placement = placement
        self.residents = residents
        self._waiting: list[Seat] = []
        self._running: dict[str, Picture] = {}
        self._drawn: dict[str, Picture] = {}  #: finished latents, waiting for the decoder
        self._enlargements = Enlargements(placement, residents)
        self._enlarged = False  #: in the last tick
        self._turns = Turns()
        self._buckets = Buckets(placement, exact_rows)
        self._assumed_speed = ASSUMED_SPEED[placement.device.type]
        self._caps = Caps(CALL_SECONDS[placement.device.type], ROWS_MOST)
        self._decodes = Decodes(placement, beside=beside)
        self._no_room_beside: set[Slot] | None = None  #: what was in use when weights last did not fit

    def add(
        self,
        picture_id: str,
        recipe: Recipe,
        slot: Slot,
        path: Path,
        state: SamplerState | None = None,
        *,
        extras: Extras = NO_EXTRAS,
        inputs: Mapping[str, bytes] = MappingProxyType({}),
        device_seconds: float = 0.0,
        notes: Sequence[Note] = (),
        attention: Collection[str] = (),
        owner: str = "",
    ) -> None:
        """Seat a picture; with ``state`` it goes on from where it was parked, with what its snapshot said besides.

        ``path`` is the checkpoint that belongs into ``slot``, ``extras`` what is used with it, ``inputs`` the picture
        files that the recipe names. Pictures of different owners get equal shares of the device.

        Raises ParkedStateBroken for a state that is not of this recipe.
        """
        seat = Seat(
            picture_id=picture_id,
            recipe=recipe,
            slot=slot,
            path=path,
            extras=extras,
            inputs=inputs,
            owner=owner,
            device_seconds=device_seconds,
            notes=tuple(notes),
            attention=frozenset(attention),
        )
        self._waiting.append(seat if state is None else seat.going_on(state))

    def enlarge(
        self, picture_id: str, recipe: Recipe, extras: Extras, pixels: NDArray[np.uint8], *, owner: str = ""
    ) -> None:
        """Seat a picture (h, w, 3) that is only made larger, by the network of ``extras``. Raises RecipeUnsupported."""
        self._enlargements.add(of_upscale(picture_id, recipe, extras, pixels, owner))

    def drop(self, picture_id: str) -> None:
        """Forget a picture: its rows are gone from the next call on. Unknown ids are ignored."""
        self._waiting = [waiting for waiting in self._waiting if waiting.picture_id != picture_id]
        self._running.pop(picture_id, None)
        self._drawn.pop(picture_id, None)
        self._enlargements.drop(picture_id)

    def park(self, picture_id: str) -> SamplerState | None:
        """Take a picture out and return what is needed to go on with it; None if it has not begun."""
        snapshot = self.snapshot(picture_id)
        self.drop(picture_id)
        return None if snapshot is None else snapshot.state

    def snapshot(self, picture_id: str) -> Snapshot | None:
        """What is needed to go on with a picture elsewhere, while it goes on here; None if it has not begun."""
        picture = self._begun.get(picture_id)
        if picture is not None:
            return Snapshot.of(picture.state, picture.as_seat(), picture.progress)
        seat = next((seat for seat in self._waiting if seat.picture_id == picture_id), None)
        saved = None if seat is None else seat.saved
        return None if seat is None or saved is None else Snapshot.of(saved, seat, seat.progress)

    @property
    def _begun(self) -> dict[str, Picture]:
        """All that has a latent and is not done."""
        return {**self._running, **self._drawn, **self._enlargements.pictures()}

    def ids(self) -> list[str]:
        waiting = (seat.picture_id for seat in self._waiting)
        return list(dict.fromkeys((*waiting, *self._begun, *self._enlargements.progress())))

    def progress(self) -> dict[str, float]:
        """picture id -> 0..1, counted in evaluations of the network."""
        waiting = {seat.picture_id: seat.progress for seat in self._waiting}
        begun = {picture.id: picture.progress for picture in self._begun.values()}
        return self._enlargements.progress() | waiting | begun

    @torch.inference_mode()
    def preview(self, picture_id: str) -> NDArray[np.uint8] | None:
        """A rough small picture (one pixel per latent position), or None before the first step."""
        picture = self._begun.get(picture_id)
        if picture is None or picture.denoised is None:
            return None
        return decoding.preview(picture.autoencoder, picture.denoised)

    @torch.inference_mode()
    def tick(self) -> list[Ended]:
        """One short piece of work; returns the pictures that ended in it."""
        ended, has_loaded = self._admit()
        if has_loaded:
            return ended
        # Finished latents come first: in turn, or beside the steps where the device can do both.
        begins = self._decodes.wants(self._drawn)
        if begins:
            ended += self._decode()
        for call in self._decodes.take(must_wait=not self._running or self._decodes.lags(self._drawn)):
            ended += self._hand_on(call)
        # One call of a network a tick: those that enlarge and those that draw take turns.
        self._enlarged = bool(self._enlargements) and not (self._enlarged and self._running)
        if self._enlarged:
            return ended + self._make_larger()
        return ended + (self._step() if self._running and (self._decodes.beside or not begins) else [])

    def close(self) -> None:
        """Give all memory back; what is not done is lost."""
        for picture_id in self.ids():
            self.drop(picture_id)
        self._decodes.close()
        self.residents.clear()

    # Joining

    def _admit(self) -> tuple[list[Ended], bool]:
        """Let waiting pictures in, in order, as far as their checkpoints are in memory; load at most one.

        The first that must wait for room holds back those behind it: else a stream of pictures for resident
        checkpoints would keep it out for ever.
        """
        ended: list[Ended] = []
        has_loaded = False
        while self._waiting:
            first = self._waiting[0]
            resident = self.residents.get(first.slot)
            if resident is None:
                if has_loaded:
                    break
                has_loaded = True
                try:
                    resident = self._load(first)
                except StablehandError as error:
                    ended += self._fail_waiting(first.slot, error)
                    continue
                if resident is None:
                    has_loaded = False
                    break
            here = together([waiting for waiting in self._waiting if waiting.slot == first.slot])
            self._waiting = [waiting for waiting in self._waiting if waiting not in here]
            ended += self._prepare(here, resident)
            if any(seat.encodes for seat in here):
                break
        return ended, has_loaded

    def _load(self, waiting: Seat) -> Resident | None:
        """None when there is no room until a checkpoint in use has left."""
        in_use = self._slots_in_use()
        if in_use and in_use == self._no_room_beside:
            return None
        self._no_room_beside = None
        resident = self.residents.bring(waiting.slot, waiting.path, in_use)
        if resident is None:
            self._no_room_beside = in_use
        return resident

    def _fail_waiting(self, slot: Slot, error: StablehandError) -> list[Ended]:
        lost = [waiting.picture_id for waiting in self._waiting if waiting.slot == slot]
        self._waiting = [waiting for waiting in self._waiting if waiting.slot != slot]
        return [Failed(picture_id, error, at_load=True) for picture_id in lost]

    def _prepare(self, joining: Sequence[Seat], resident: Resident) -> list[Ended]:
        """Condition pictures together; if that fails, each alone, so that only the guilty one is lost."""
        try:
            self._begin(joining, resident)
        except Exception as error:
            if len(joining) > 1:
                return [ended for one in joining for ended in self._prepare([one], resident)]
            return [Failed(joining[0].picture_id, explain(error, joining[0].recipe, self._placement.name))]
        return []

    def _begin(self, joining: Sequence[Seat], resident: Resident) -> None:
        began = time.perf_counter()
        begun = begin(joining, resident, self.residents, self._buckets, self._slots_in_use())
        seconds = time.perf_counter() - began
        for picture in begun:
            picture.device_seconds += seconds / len(begun)
            (self._drawn if picture.is_finished else self._running)[picture.id] = picture

    # Going on: to the refiner, to a second pass

    def _go_on(self, picture: Picture) -> None:
        """After a step: what comes next for this picture, if not the next step."""
        refiner = picture.seat.extras.refiner
        if picture.is_due_for_refiner and refiner is not None:
            picture.state.numbers[REFINED] = 1.0
            self._seat_again(picture, slot=refiner.slot, path=refiner.path, state=picture.state)
        elif picture.is_finished and picture.seat.has_next_pass and is_latent(picture.seat.upscaler):
            _, height, width = latent_shape(picture.seat.next_recipe, picture.resident)
            self._second_pass(picture, upscale_latent(picture.seat.upscaler, picture.latent, height, width))
        elif picture.is_finished:
            self._drawn[picture.id] = self._running.pop(picture.id)

    def _second_pass(self, picture: Picture, latent: Tensor) -> None:
        self._seat_again(picture, number=picture.seat.number + 1, latent=latent, state=None)

    def _seat_again(self, picture: Picture, **changes: Any) -> None:
        """It goes on as a newcomer, who may have to wait for a checkpoint."""
        self.drop(picture.id)
        self._waiting.append(picture.as_seat(**changes))

    # Advancing

    def _step(self) -> list[Ended]:
        """One UNet call for the group whose turn it is."""
        turn = self._turns.next([as_waiting(picture) for picture in self._running.values()])
        pictures = fill([self._running[one.id] for one in turn], self._caps, self._assumed_speed)
        key = pictures[0].group
        rows = sum(picture.rows for picture in pictures)
        start = time.perf_counter()
        try:
            at_once = self._buckets.at_once(key, [picture.rows for picture in pictures])
            check_memory(self._placement, at_once * row_bytes(pictures[0].resident, key.shape))
            denoised, finite = predict(pictures[0].resident, pictures, self._buckets.divide)
        except Exception as error:
            return self._shrink(self._caps, key, rows, pictures, error)
        seconds = time.perf_counter() - start
        evaluated = self._buckets.evaluated(key, rows)
        self._caps.succeeded(key, evaluated, seconds)
        note_company(pictures, len(turn), self._caps.is_short(key, rows + rows // len(pictures)))
        self._turns.charge(turn[: len(pictures)], evaluated / rows)
        ended: list[Ended] = []
        for picture, answer, is_sound in zip(pictures, denoised, finite, strict=True):
            picture.device_seconds += seconds * picture.rows / rows
            if not is_sound:
                ended.append(self._fail(picture.id, not_finite(f"step {picture.state.step + 1}")))
                continue
            picture.answer(answer)
            self._go_on(picture)
        return ended

    # Decoding

    def _decode(self) -> list[Ended]:
        """Begin one call of the decoder, for the finished latents that can share it with the oldest one."""
        pictures, alike = self._decodes.choose(self._decodes.undecoded(self._drawn))
        try:
            self._decodes.begin(pictures, alike)
        except Exception as error:
            return self._shrink(self._decodes.caps, kind_of(pictures[0]), len(pictures), pictures, error)
        return []

    def _hand_on(self, call: Call) -> list[Ended]:
        """Pixels have come: those pictures end, or go into their next pass. Who was dropped meanwhile is not missed."""
        present = [picture for picture in call.pictures if self._drawn.get(picture.id) is picture]
        if not present:
            return []
        try:
            decoded = call.finish()
        except Exception as error:
            return self._shrink(self._decodes.caps, call.kind, len(present), present, error)
        seconds, count = call.seconds, len(call.pictures)
        self._decodes.caps.succeeded(call.kind, count, seconds)
        note_company(present, call.alike, self._decodes.caps.is_short(call.kind, count + 1))
        ended: list[Ended] = []
        for picture, drawn in zip(call.pictures, decoded, strict=True):
            if picture not in present:
                continue
            picture.device_seconds += seconds / count
            if drawn is None:
                ended.append(self._fail(picture.id, not_finite("decoding")))
            elif picture.seat.has_next_pass:
                ended += self._enlarge(picture, drawn)
            else:
                self.drop(picture.id)
                ended.append(picture.finished(drawn))
        return ended

    # Between two passes: pixels to the next size, and back to latents

    def _enlarge(self, picture: Picture, drawn: NDArray[np.uint8]) -> list[Ended]:
        recipe, name = picture.seat.next_recipe, picture.seat.upscaler
        try:
            if is_formula(name):
                return self._encode(picture, upscale_pixels(name, drawn, recipe.height, recipe.width))
            larger = between_passes(picture, drawn)
        except Exception as error:
            return [self._fail(picture.id, explain(error, recipe, self._placement.name))]
        self.drop(picture.id)
        self._enlargements.add(larger)
        return []

    def _make_larger(self) -> list[Ended]:
        """One call of a network for pictures that are being enlarged."""
        try:
            done = self._enlargements.step(self._slots_in_use)
        except Exception as error:
            return self._lose_all(error)
        ended: list[Ended] = []
        for one in done:
            ended += self._encode(one.picture, one.pixels) if isinstance(one, Larger) else [one]
        return ended

    def _encode(self, picture: Picture, larger: NDArray[np.uint8]) -> list[Ended]:
        try:
            self._second_pass(picture, decoding.encode(picture.autoencoder, [larger])[0])
        except Exception as error:
            return [self._fail(picture.id, explain(error, picture.seat.next_recipe, self._placement.name))]
        return []

    # Trouble

    def _shrink(
        self, caps: Caps, kind: GroupKey, rows: int, pictures: Sequence[Picture], error: Exception
    ) -> list[Ended]:
        """After a failed call: try again in smaller company, until the one that cannot be drawn stands alone."""
        if is_device_lost(error):
            return self._lose_all(error)
        if len(pictures) > 1:
            caps.failed(kind, rows)
            if is_out_of_memory(error):
                self._placement.release_cached()
                for picture in pictures:
                    picture.note(Note.SMALLER_BATCH)
            return []
        if is_out_of_memory(error) and self.residents.release_idle(self._slots_in_use()):
            pictures[0].note(Note.MADE_ROOM)
            return []
        if is_out_of_memory(error) and pictures[0].id in self._drawn and not pictures[0].tiled:
            pictures[0].decode_in_tiles()
            return []
        if not is_out_of_memory(error):
            caps.forgive(kind)
        return [self._fail(pictures[0].id, explain(error, pictures[0].recipe, self._placement.name))]

    def _lose_all(self, error: Exception) -> list[Ended]:
        lost = device_lost(error, self._placement.name)
        return [self._fail(one, lost) for one in dict.fromkeys((*self._begun, *self._enlargements.progress()))]

    def _fail(self, picture_id: str, error: StablehandError) -> Failed:
        self.drop(picture_id)
        return Failed(picture_id, error)

    def _slots_in_use(self) -> set[Slot]:
        pictures = (*self._begun.values(), *self._decodes.pictures())
        own = (self.residents.slot_of(picture.autoencoder) for picture in pictures)
        slots = {picture.resident.slot for picture in pictures} | self._enlargements.slots()
        return slots | {slot for slot in own if slot is not None}
