"""Starts: what a pass begins with besides noise: an encoded input, its mask, what an inpainting network is shown."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from stablehand.domain.errors import RecipeUnsupported
from stablehand.domain.recipes import Recipe
from stablehand.engine.autoencoders import Autoencoder
from stablehand.engine.checkpoints import Resident
from stablehand.engine.decode import encode
from stablehand.engine.noise import Noise
from stablehand.engine.seats import Seat
from stablehand.engine.sources import Frame, Pixels, Prepared, Shade, latent_mask, prepare


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """Everything in latents: (channels, height, width)."""

    latent: Tensor | None = None  #: what noise is added to; None: begin with noise alone
    mask: Tensor | None = None  #: (1, height, width), 1 where it is drawn again; elsewhere ``original`` stays
    original: Tensor | None = None
    channels: Tensor | None = None  #: what an inpainting network sees beside the latent
    frame: Frame | None = None


NOTHING = Start()


def latent_shape(recipe: Recipe, resident: Resident) -> tuple[int, int, int]:
    """What the sampler works on: (channels, height, width). Raises RecipeUnsupported for a size that does not fit."""
    factor = resident.pixels_per_latent
    if recipe.width % factor or recipe.height % factor:
        raise RecipeUnsupported(
            f"The size {recipe.width}×{recipe.height} does not fit this checkpoint.",
            hint=f"Width and height must be multiples of {factor}.",
        )
    return (resident.latent_channels, recipe.height // factor, recipe.width // factor)


def start(seat: Seat, resident: Resident, autoencoder: Autoencoder) -> Start:
    """Encode what the seat's pass begins with. Raises RecipeUnsupported."""
    recipe = seat.this_pass.recipe
    shape = latent_shape(recipe, resident)
    if seat.number > 0:
        latent = None if seat.latent is None else seat.latent.to(resident.placement.device)
        return Start(latent=latent, channels=_blank_channels(resident, autoencoder, shape))
    if recipe.source is None:
        return Start(channels=_blank_channels(resident, autoencoder, shape))
    prepared = prepare(recipe, seat.inputs)
    original = _fitting(_encode_one(autoencoder, prepared.pixels), shape)
    if prepared.mask is None:
        return Start(latent=original, channels=_blank_channels(resident, autoencoder, shape), frame=prepared.frame)
    mask = torch.from_numpy(latent_mask(prepared.mask, shape[1], shape[2]))[None].to(original.device)
    return Start(
        latent=_under_mask(recipe, original, mask, resident),
        mask=mask,
        original=original,
        channels=_masked_channels(resident, autoencoder, prepared, mask),
        frame=prepared.frame,
    )


def _under_mask(recipe: Recipe, original: Tensor, mask: Tensor, resident: Resident) -> Tensor:
    """What lies under the mask before the first step; the colours of "fill" are in the pixels already."""
    assert recipe.source is not None
    if recipe.source.mask_fill == "latent noise":
        noise = Noise(recipe.seed, tuple(original.shape), recipe.noise, device=resident.placement.device)
        return original * (1 - mask) + noise.at(0).to(original.device) * mask
    if recipe.source.mask_fill == "latent nothing":
        return original * (1 - mask)
    return original


def _masked_channels(resident: Resident, autoencoder: Autoencoder, prepared: Prepared, mask: Tensor) -> Tensor | None:
    """The mask, and the picture with grey under it, as inpainting networks were trained (Rombach et al. 2022)."""
    if not _is_inpainting(resident):
        return None
    assert prepared.mask is not None
    return torch.cat([mask, _encode_one(autoencoder, prepared.pixels, 1 - prepared.mask)])


def _blank_channels(resident: Resident, autoencoder: Autoencoder, shape: tuple[int, int, int]) -> Tensor | None:
    """What an inpainting network sees when everything is to be drawn."""
    if not _is_inpainting(resident):
        return None
    factor = resident.pixels_per_latent
    blank = np.zeros((shape[1] * factor, shape[2] * factor, 3), np.uint8)
    encoded = _encode_one(autoencoder, blank, np.zeros(blank.shape[:2], np.float32))
    return torch.cat([torch.ones_like(encoded[:1]), encoded])


def _is_inpainting(resident: Resident) -> bool:
    return bool(resident.unet.config.in_channels == 2 * resident.latent_channels + 1)


def _encode_one(autoencoder: Autoencoder, pixels: Pixels, shown: Shade | None = None) -> Tensor:
    return encode(autoencoder, [pixels], shown=shown)[0]


def _fitting(latent: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """An input that was encoded at its own size, stretched to the one that is drawn."""
    if tuple(latent.shape) == shape:
        return latent
    return functional.interpolate(latent[None], size=shape[1:], mode="bilinear")[0]
