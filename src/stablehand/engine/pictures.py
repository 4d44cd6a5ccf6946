"""A picture on its way from noise to latent: its sampler, its conditioning and what it has cost."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from stablehand.domain.notes import Note
from stablehand.domain.passes import progress
from stablehand.domain.upscalers import is_formula
from stablehand.engine import decode as decoding
from stablehand.engine.autoencoders import Autoencoder
from stablehand.engine.checkpoints import Resident
from stablehand.engine.circumstances import circumstances_of
from stablehand.engine.conditioning import Conditioning
from stablehand.engine.groups import GroupKey, chunks_of, context_bucket
from stablehand.engine.noise import Noise
from stablehand.engine.samplers import (
    Answer,
    Ask,
    Means,
    SamplerState,
    begin,
    begin_from,
    find_method,
    plan_part,
    plan_sigmas,
)
from stablehand.engine.seats import BUCKET, PASS, REFINED, Finished, Seat
from stablehand.engine.starts import NOTHING, Start, latent_shape
from stablehand.engine.text import Words


class Picture:
    """One shot in one pass. ``state`` holds everything that is needed to go on elsewhere.

    ``bucket``: rows of the calls that it goes into if it is exact.
    """

    def __init__(
        self,
        seat: Seat,
        resident: Resident,
        conditioning: Conditioning,
        begun: Start = NOTHING,
        autoencoder: Autoencoder | None = None,
        *,
        bucket: int = 1,
    ) -> None:
        self.seat = seat
        self.id = seat.picture_id
        self.owner = seat.owner
        self.resident = resident
        self.autoencoder = autoencoder or resident.autoencoder
        self.conditioning = conditioning
        self.start = begun
        self.device_seconds = seat.device_seconds
        self.notes = list(seat.notes)  #: what had to be done otherwise than asked for
        self.attention = seat.attention  #: kernels that computed its UNet's attention so far
        self.filled: int | None = None  #: how many rows its last calls were filled up to, if they were
        self.tiled = False  #: decode it in pieces
        self.denoised: Tensor | None = None  #: the newest estimate of the finished latent
        self.recipe = recipe = seat.this_pass.recipe
        method = find_method(recipe.sampler)
        self.guidance = recipe.cfg_scale * method.guidance_factor
        device = resident.placement.device
        noise = Noise(
            recipe.seed,
            latent_shape(recipe, resident),
            recipe.noise,
            ensd=recipe.sampler_options.ensd,
            device=device,
            pixels_per_latent=resident.pixels_per_latent,
        )
        self.state = self._begin(noise) if seat.state is None else seat.state.copy_to(device)
        if recipe.exact:  # one that was begun elsewhere goes on in calls of the size that it began with
            self.state.numbers.setdefault(BUCKET, float(bucket))
        self._sampling = method.sample(self.state, Means(noise, resident.levels, recipe.sampler_options))
        self._ask: Ask | None = next(self._sampling, None)

    def _begin(self, noise: Noise) -> SamplerState:
        """The state before the first step of the pass."""
        recipe, this_pass, levels = self.recipe, self.seat.this_pass, self.resident.levels
        device, family = self.resident.placement.device, self.resident.network.family
        discards = recipe.sampler_options.discard_next_to_last_sigma
        if this_pass.strength is None or self.start.latent is None:
            sigmas = plan_sigmas(
                recipe.sampler, recipe.schedule, recipe.steps, levels, discard_next_to_last=discards, family=family
            )
            state = begin(recipe.sampler, sigmas, noise, device)
        else:
            sigmas = plan_part(
                recipe.sampler,
                recipe.schedule,
                recipe.steps,
                levels,
                this_pass.strength,
                is_fixed=this_pass.is_fixed,
                discard_next_to_last=discards,
                family=family,
            )
            multiplier = recipe.source.initial_noise_multiplier if recipe.source is not None else 1.0
            state = begin_from(self.start.latent, sigmas, noise, multiplier)
        if this_pass.number:
            state.numbers[PASS] = float(this_pass.number)
        return state

    @property
    def ask(self) -> Ask:
        """What the sampler wants to know now. Only while not :attr:`is_finished`."""
        assert self._ask is not None
        return self._ask

    @property
    def is_finished(self) -> bool:
        return self._ask is None

    @property
    def rows(self) -> int:
        return self.conditioning.rows

    @property
    def parts(self) -> list[tuple[float, Words]]:
        """What it is asked to be in this step: words, each with its say."""
        return [(weight, timed.at(self._step)) for weight, timed in self.conditioning.parts]

    @property
    def uncond(self) -> Words | None:
        """What guidance pushes it away from in this step."""
        return None if self.conditioning.uncond is None else self.conditioning.uncond.at(self._step)

    @property
    def _contexts(self) -> list[Tensor]:
        uncond = self.uncond
        return [words.context for _, words in self.parts] + ([] if uncond is None else [uncond.context])

    @property
    def _step(self) -> int:
        """The step that is being taken, from 1; samplers may count theirs otherwise than the recipe does."""
        return min(int(self.state.progress * self.recipe.steps + 1e-6) + 1, self.recipe.steps)

    @property
    def progress(self) -> float:
        return progress(self.seat.recipe, self.seat.number, self.state.progress)

    @property
    def is_due_for_refiner(self) -> bool:
        """The second checkpoint of its recipe takes over now."""
        refiner = self.recipe.refiner
        if refiner is None or self.is_finished or self.state.numbers.get(REFINED):
            return False
        return self.state.progress >= refiner.switch_at

    @property
    def group(self) -> GroupKey:
        return GroupKey(
            slot=self.resident.slot,
            shape=(self.state.latent.shape[0], self.state.latent.shape[1], self.state.latent.shape[2]),
            chunks=context_bucket(chunks_of(*self._contexts)),
            bucket=max(1, int(self.state.numbers[BUCKET])) if self.recipe.exact else 0,
        )

    def note(self, note: Note) -> None:
        """Remember, once, what the owner of this picture should know about how it was drawn."""
        if note not in self.notes:
            self.notes.append(note)

    def as_seat(self, **changes: Any) -> Seat:
        """A seat for what comes after this pass, with all that was spent and noted so far."""
        return replace(
            self.seat,
            device_seconds=self.device_seconds,
            notes=tuple(self.notes),
            attention=self.attention,
            **changes,
        )

    def finished(self, decoded: NDArray[np.uint8]) -> Finished:
        """With the pixels, (height, width, 3), where they belong."""
        pixels = decoded if self.start.frame is None else self.start.frame.around(decoded)
        overflowed = Note.FLOAT32_DECODE in self.notes
        by = circumstances_of(
            self.resident,
            self.autoencoder,
            self.attention,
            overflowed=overflowed,
            bucket=self.filled,
            is_enlarged=self.seat.number > 0 and not is_formula(self.seat.upscaler),
        )
        return Finished(self.id, pixels, self.device_seconds, by, tuple(self.notes))

    def decode_in_tiles(self) -> None:
        """It was too large for the decoder; what is left of the memory depends on others."""
        self.tiled = True
        self.note(Note.TILED_DECODE)
        if self.recipe.exact:
            self.note(Note.NOT_EXACT)

    def answer(self, answer: Answer) -> None:
        """Hand the sampler what it asked for; it goes on to its next question or finishes."""
        answer = self._kept(answer)
        self.denoised = answer.denoised
        try:
            self._ask = self._sampling.send(answer)
        except StopIteration:
            self._ask = None

    def _kept(self, answer: Answer) -> Answer:
        """The answer with what lies outside of the mask as it is in the original."""
        mask, original = self.start.mask, self.start.original
        if mask is None or original is None:
            return answer
        return Answer(answer.denoised * mask + original * (1 - mask), answer.uncond)

    @property
    def latent(self) -> Tensor:
        """What has been drawn: outside of a mask, exactly the original."""
        mask, original = self.start.mask, self.start.original
        if mask is None or original is None:
            return self.state.latent
        return self.state.latent * mask + original * (1 - mask)

    @property
    def decode_bytes(self) -> int:
        """Memory for decoding it, or one piece of it."""
        height, width = self.state.latent.shape[-2:]
        if self.tiled:
            height = width = decoding.tile_side(height, width)
        return decoding.decode_bytes(self.autoencoder, height * width * self.autoencoder.pixels_per_latent**2)


def note_company(drawn: Sequence[Picture], waiting: int, is_short: bool) -> None:
    """After a call for these, of ``waiting`` ones that could have shared it: note what memory kept apart."""
    if is_short and len(drawn) < waiting:
        for picture in drawn:
            picture.note(Note.ONE_BY_ONE if len(drawn) == 1 else Note.SMALLER_BATCH)
