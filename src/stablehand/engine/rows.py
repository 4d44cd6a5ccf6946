"""Rows: one evaluation of the UNet for one picture, gathered from different pictures into one call.

A picture without guidance takes one row, a guided one two. Everything else that differs between pictures (noise level,
prompt, guidance scale) is a value per row.
"""

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor
from torch.nn import functional

from stablehand.engine.caps import MEMORY_SHARE, Caps
from stablehand.engine.checkpoints import Resident
from stablehand.engine.devices import Placement
from stablehand.engine.groups import GroupKey
from stablehand.engine.levels import Prediction
from stablehand.engine.pictures import Picture
from stablehand.engine.samplers import Answer, Ask
from stablehand.engine.text import CHUNK_POSITIONS, Words
from stablehand.engine.turns import Waiting

#: How beautiful the refiner is told its picture is, and the one that guidance pushes away from: the values its authors
#: publish.
REFINER_SCORE, REFINER_NEGATIVE_SCORE = 6.0, 2.5


def row_bytes(resident: Resident, shape: tuple[int, int, int]) -> int:
    """About how much memory one row's activations take at their peak, on the safe side of what was measured."""
    _, height, width = shape
    channels = resident.unet.config.block_out_channels[0]
    return 48 * int(channels) * height * width * resident.placement.dtype.itemsize


def row_operations(resident: Resident, shape: tuple[int, int, int]) -> float:
    """About how many floating-point operations one row takes (Stable Diffusion 1.5 at 512 pixels: 0.8e12)."""
    return 0.25 * resident.unet_parameters * shape[1] * shape[2]


@dataclass(frozen=True, slots=True, eq=False)
class Inputs:
    """What the network is shown; the first dimension of everything counts rows."""

    latents: Tensor  #: (n, channels, height, width)
    timesteps: Tensor  #: (n,), float32: half precision would round them to the next few
    contexts: Tensor  #: (n, positions, features)
    mask: Tensor | None  #: (n, positions), which of them are not padding; None: all
    guidance: Tensor | None  #: (n, width), for networks that are told the guidance scale
    sizes: dict[str, Tensor] | None  #: for networks that are told sizes (SDXL)

    def __len__(self) -> int:
        return len(self.latents)

    def take(self, rows: Sequence[int]) -> "Inputs":
        """Some of them, in this order."""
        chosen = list(rows)
        return Inputs(
            self.latents[chosen],
            self.timesteps[chosen],
            self.contexts[chosen],
            None if self.mask is None else self.mask[chosen],
            None if self.guidance is None else self.guidance[chosen],
            None if self.sizes is None else {name: values[chosen] for name, values in self.sizes.items()},
        )


#: Into which calls rows go: (resident, group, rows, of each row its picture) to the rows of each call, where a row may
#: stand more than once; None: all in one.
Divide = Callable[[Resident, GroupKey, Inputs, Sequence[int]], list[list[int]] | None]


def in_one_call(_resident: Resident, _key: GroupKey, _rows: Inputs, _pictures: Sequence[int]) -> None:
    """How rows are divided when nothing else is asked for."""


def predict(
    resident: Resident, pictures: Sequence[Picture], divide: Divide = in_one_call
) -> tuple[list[Answer], list[bool]]:
    """Evaluate the UNet for pictures of one group.

    Returns, per picture, the denoised latent (C, h, w) in float32 with guidance applied, beside it the unguided one
    where there is guidance, and whether all of it is finite.
    """
    device = resident.placement.device
    asks = [picture.ask for picture in pictures]
    sigmas = torch.tensor([ask.sigma for ask in asks], device=device)[:, None, None, None]
    latents = torch.stack([ask.latent for ask in asks])  # (n, C, h, w)
    rows, key = _gather(pictures), pictures[0].group
    inputs = _inputs(resident, pictures, rows, latents * (sigmas.square() + 1).rsqrt())
    calls = divide(resident, key, inputs, [row.picture for row in rows])
    output = call(resident, inputs) if calls is None else _in_calls(resident, inputs, calls)
    guided = [row.picture for row in rows if row.is_negative]
    uncond = output[len(rows) - len(guided) :]
    kernels = resident.attention.take()
    for picture in pictures:
        picture.attention |= kernels
        picture.filled = _filled(key, calls)
    predicted = _wishes(rows, output, len(pictures))
    unguided: list[Tensor | None] = [None] * len(pictures)
    if guided:
        scales = torch.tensor([pictures[index].guidance for index in guided], device=device)[:, None, None, None]
        predicted = predicted.clone()
        predicted[guided] = uncond + scales * (predicted[guided] - uncond)
        estimates = _denoised(resident.levels.prediction, latents[guided], sigmas[guided], uncond)
        for index, estimate in zip(guided, estimates, strict=True):
            unguided[index] = estimate
    denoised = _denoised(resident.levels.prediction, latents, sigmas, predicted)
    finite: list[bool] = torch.isfinite(denoised).flatten(1).all(dim=1).tolist()
    return [Answer(*estimates) for estimates in zip(denoised, unguided, strict=True)], finite


@dataclass(frozen=True, slots=True)
class _Row:
    picture: int  #: index of the picture that asks
    words: Words
    weight: float = 1.0  #: its say among those that AND joins
    is_negative: bool = False  #: what guidance pushes away from


def _gather(pictures: Sequence[Picture]) -> list[_Row]:
    """First what all pictures are asked to be, then what they are pushed away from."""
    rows = [_Row(index, words, weight) for index, picture in enumerate(pictures) for weight, words in picture.parts]
    for index, picture in enumerate(pictures):
        if (uncond := picture.uncond) is not None:
            rows.append(_Row(index, uncond, is_negative=True))
    return rows


def _inputs(resident: Resident, pictures: Sequence[Picture], rows: Sequence[_Row], scaled: Tensor) -> Inputs:
    """``scaled`` (n, C, h, w): what each picture shows the network."""
    contexts, mask = _stack_contexts([row.words.context for row in rows], pictures[0].group)
    shown = scaled
    if (beside := [picture.start.channels for picture in pictures])[0] is not None:
        shown = torch.cat([scaled, torch.stack([one for one in beside if one is not None])], dim=1)
    return Inputs(
        latents=shown[[row.picture for row in rows]],
        timesteps=torch.tensor(
            [_timestep(resident, pictures[row.picture].ask) for row in rows],
            device=resident.placement.device,
            dtype=torch.float32,
        ),
        contexts=contexts,
        mask=mask,
        guidance=_guidance(resident, pictures, rows) if resident.knows_guidance else None,
        sizes=_sizes(resident, pictures, rows) if resident.knows_sizes else None,
    )


def call(resident: Resident, rows: Inputs) -> Tensor:
    """One UNet call: what the network makes of each row, (n, C, h, w) in float32."""
    dtype = resident.placement.dtype
    answers: Tensor = resident.attention.call(
        (tuple(rows.latents.shape[1:]), rows.contexts.shape[1], rows.mask is None),
        lambda: resident.unet(
            rows.latents.to(dtype, memory_format=resident.placement.memory_format),
            rows.timesteps,
            encoder_hidden_states=rows.contexts.to(dtype),
            encoder_attention_mask=rows.mask,
            timestep_cond=rows.guidance,
            added_cond_kwargs=rows.sizes,
            return_dict=False,
        )[0],
    )
    return answers.float()


def _filled(key: GroupKey, calls: Sequence[Sequence[int]] | None) -> int | None:
    """How many rows each call was filled up to, if it was."""
    return key.bucket if calls is not None and all(len(rows) == key.bucket for rows in calls) else None


def _in_calls(resident: Resident, inputs: Inputs, calls: Sequence[Sequence[int]]) -> Tensor:
    """Of each row the answer, whichever call it comes from."""
    answers: dict[int, Tensor] = {}
    for rows in calls:
        for row, answer in zip(rows, call(resident, inputs.take(rows)), strict=True):
            answers.setdefault(row, answer)
    return torch.stack([answers[row] for row in range(len(inputs))])


def _timestep(resident: Resident, ask: Ask) -> float:
    return resident.levels.timestep(ask.sigma) if ask.timestep is None else ask.timestep


def _wishes(rows: Sequence[_Row], output: Tensor, pictures: int) -> Tensor:
    """(pictures, C, h, w): where each picture's prompt pulls, all its parts taken together."""
    if sum(not row.is_negative for row in rows) == pictures and all(row.weight == 1.0 for row in rows):
        return output[:pictures]
    parts: list[list[tuple[float, Tensor]]] = [[] for _ in range(pictures)]
    uncond: list[Tensor | None] = [None] * pictures
    for row, answer in zip(rows, output, strict=True):
        if row.is_negative:
            uncond[row.picture] = answer
        else:
            parts[row.picture].append((row.weight, answer))
    return torch.stack([_wish(own, unguided) for own, unguided in zip(parts, uncond, strict=True)])


def _wish(parts: Sequence[tuple[float, Tensor]], uncond: Tensor | None) -> Tensor:
    """uncond + sum of weight (part - uncond), as A1111 composes them; without an unguided answer, their mean."""
    if len(parts) == 1 and parts[0][0] == 1.0:
        return parts[0][1]  # as it is, whether or not a neighbour's prompt has several parts
    if uncond is None:
        total = sum(weight for weight, _ in parts) or 1.0
        return torch.stack([answer * (weight / total) for weight, answer in parts]).sum(dim=0)
    return uncond + torch.stack([weight * (answer - uncond) for weight, answer in parts]).sum(dim=0)


def _denoised(prediction: Prediction, latents: Tensor, sigmas: Tensor, predicted: Tensor) -> Tensor:
    """What the network's prediction says of the finished latent, in the variance-exploding form."""
    if prediction == "epsilon":
        return latents - sigmas * predicted
    # v, Salimans & Ho (2022, arXiv 2202.00512), appendix D.
    scale = (sigmas.square() + 1).rsqrt()
    return latents * scale.square() - sigmas * scale * predicted


def _sizes(resident: Resident, pictures: Sequence[Picture], rows: Sequence[_Row]) -> dict[str, Tensor]:
    """What SDXL is told besides the text: its summary, and sizes in pixels (Podell et al. 2023, arXiv 2307.01952).

    Base networks take the original size, the crop's corner and the target size; the refiner takes a score of beauty
    instead of the target.
    """
    summaries = torch.stack([row.words.summary for row in rows if row.words.summary is not None])
    numbers = (resident.unet.config.projection_class_embeddings_input_dim - summaries.shape[1]) // (
        resident.unet.config.addition_time_embed_dim
    )
    sizes = []
    for row in rows:
        height, width = pictures[row.picture].recipe.height, pictures[row.picture].recipe.width
        score = REFINER_NEGATIVE_SCORE if row.is_negative else REFINER_SCORE
        sizes.append([height, width, 0, 0, height, width] if numbers == 6 else [height, width, 0, 0, score])
    device, dtype = resident.placement.device, resident.placement.dtype
    return {"text_embeds": summaries.to(dtype), "time_ids": torch.tensor(sizes, device=device, dtype=torch.float32)}


def _guidance(resident: Resident, pictures: Sequence[Picture], rows: Sequence[_Row]) -> Tensor:
    """The guidance scale as LCM's networks take it: sines and cosines of 1000 (scale - 1) (Luo et al. 2023,
    arXiv 2310.04378, §3.3)."""
    width = int(resident.unet.config.time_cond_proj_dim)
    rates = torch.exp(-math.log(10_000.0) / (width // 2 - 1) * torch.arange(width // 2))
    # One by one, on the CPU: how sines are rounded may depend on how many are asked for at once.
    angles = [1000.0 * (pictures[row.picture].recipe.cfg_scale - 1.0) * rates for row in rows]
    told = torch.stack([torch.cat([own.sin(), own.cos()]) for own in angles])
    return told.to(resident.placement.device, resident.placement.dtype)


def _stack_contexts(contexts: Sequence[Tensor], key: GroupKey) -> tuple[Tensor, Tensor | None]:
    """(n, positions, features), padded with zeros, and a mask of what is not padding; no mask where there is none.

    Padding is finite on purpose: the mask weighs it with zero, and zero times NaN is NaN. Contexts of exact pictures
    fill all that their group allows, and have a mask whenever one of the group might need it.
    """
    longest = max(len(context) for context in contexts)
    if key.bucket:
        longest = key.chunks * CHUNK_POSITIONS
    if longest == CHUNK_POSITIONS or (not key.bucket and all(len(context) == longest for context in contexts)):
        return torch.stack(list(contexts)), None
    padded = [functional.pad(context, (0, 0, 0, longest - len(context))) for context in contexts]
    lengths = torch.tensor([len(context) for context in contexts], device=padded[0].device)
    mask = torch.arange(longest, device=lengths.device)[None] < lengths[:, None]
    return torch.stack(padded), mask


def fill(pictures: Sequence[Picture], caps: Caps, assumed_speed: float) -> Sequence[Picture]:
    """The first of these pictures of one group, as many as go into a call; at least one.

    ``assumed_speed``: operations a second, until calls have been measured.
    """
    key, resident = pictures[0].group, pictures[0].resident
    memory_rows = int(MEMORY_SHARE * resident.placement.free_bytes() / row_bytes(resident, key.shape))
    guess_seconds = row_operations(resident, key.shape) / assumed_speed
    cap = caps.rows(key, memory_rows, guess_seconds, least=key.bucket)
    cap = min(cap, key.bucket or cap)
    rows = list(accumulate(picture.rows for picture in pictures))
    return pictures[: max(1, bisect_right(rows, cap))]


def check_memory(placement: Placement, needed_bytes: int) -> None:
    """Raises MemoryError for what cannot fit: a CPU's operating system would rather end the process than say so."""
    if needed_bytes > placement.free_bytes():
        raise MemoryError


def as_waiting(picture: Picture) -> Waiting:
    """A picture in the queue for a call."""
    operations = picture.rows * row_operations(picture.resident, picture.group.shape)
    return Waiting(picture.id, picture.owner, picture.group, operations)
