"""Rows: one evaluation of the UNet for one picture, gathered from different pictures into one call.

A picture without guidance takes one row, a guided one two. Everything else that differs between pictures (noise level,
prompt, guidance scale) is a value per row.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from stablehand.engine.checkpoints import Resident
from stablehand.engine.pictures import Picture


def row_bytes(resident: Resident, shape: tuple[int, int, int]) -> int:
    """About how much memory one row's activations take at their peak, on the safe side of what was measured."""
    _, height, width = shape
    channels = resident.unet.config.block_out_channels[0]
    return 48 * int(channels) * height * width * resident.placement.dtype.itemsize


def row_operations(resident: Resident, shape: tuple[int, int, int]) -> float:
    """About how many floating-point operations one row takes (Stable Diffusion 1.5 at 512 pixels: 0.8e12)."""
    return 0.25 * resident.unet_parameters * shape[1] * shape[2]


def predict(resident: Resident, pictures: Sequence[Picture]) -> tuple[list[Tensor], list[bool]]:
    """One UNet call for pictures of one group.

    Returns, per picture, the denoised latent (C, h, w) in float32 with guidance applied, and whether all of it is
    finite.
    """
    device, dtype = resident.placement.device, resident.placement.dtype
    asks = [picture.ask for picture in pictures]
    guided = [index for index, picture in enumerate(pictures) if picture.uncond is not None]
    sigmas = torch.tensor([ask.sigma for ask in asks], device=device)[:, None, None, None]
    # Timesteps stay float32: half precision would round them to the next few.
    timesteps = torch.tensor([resident.levels.timestep(ask.sigma) for ask in asks], device=device)
    latents = torch.stack([ask.latent for ask in asks])  # (n, C, h, w)
    scale = (sigmas.square() + 1).rsqrt()
    sample = latents * scale
    contexts = [picture.cond for picture in pictures]
    if guided:
        sample = torch.cat([sample, sample[guided]])
        timesteps = torch.cat([timesteps, timesteps[guided]])
        contexts += [pictures[index].uncond for index in guided]  # type: ignore[misc]
    context, mask = _stack_contexts(contexts)
    output = resident.unet(
        sample.to(dtype, memory_format=resident.placement.memory_format),
        timesteps,
        encoder_hidden_states=context.to(dtype),
        encoder_attention_mask=mask,
        return_dict=False,
    )[0].float()
    predicted = output[: len(pictures)]
    if guided:
        scales = torch.tensor([pictures[index].recipe.cfg_scale for index in guided], device=device)
        uncond = output[len(pictures) :]
        predicted = predicted.clone()
        predicted[guided] = uncond + scales[:, None, None, None] * (predicted[guided] - uncond)
    if resident.levels.prediction == "epsilon":
        denoised = latents - sigmas * predicted
    else:  # v, Salimans & Ho (2022, arXiv 2202.00512), appendix D, in the variance-exploding form
        denoised = latents * scale.square() - sigmas * scale * predicted
    finite: list[bool] = torch.isfinite(denoised).flatten(1).all(dim=1).tolist()
    return list(denoised), finite


def _stack_contexts(contexts: Sequence[Tensor]) -> tuple[Tensor, Tensor | None]:
    """(n, positions, features), padded with zeros, and a mask of what is not padding; no mask where there is none.

    Padding is finite on purpose: the mask weighs it with zero, and zero times NaN is NaN.
    """
    longest = max(len(context) for context in contexts)
    if all(len(context) == longest for context in contexts):
        return torch.stack(list(contexts)), None
    padded = [functional.pad(context, (0, 0, 0, longest - len(context))) for context in contexts]
    lengths = torch.tensor([len(context) for context in contexts], device=padded[0].device)
    mask = torch.arange(longest, device=lengths.device)[None] < lengths[:, None]
    return torch.stack(padded), mask
