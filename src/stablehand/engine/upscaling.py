"""Upscaling without a network: of latents, between two passes, and of pixels."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pictures
from PIL import ImageOps
from torch import Tensor
from torch.nn import functional

from stablehand.domain.errors import RecipeUnsupported
from stablehand.domain.upscalers import LATENT_UPSCALERS, PIXEL_UPSCALERS

_LATENT_MODES: dict[str, tuple[str, bool]] = {
    "Latent": ("bilinear", False),
    "Latent (antialiased)": ("bilinear", True),
    "Latent (bicubic)": ("bicubic", False),
    "Latent (bicubic antialiased)": ("bicubic", True),
    "Latent (nearest)": ("nearest", False),
    "Latent (nearest-exact)": ("nearest-exact", False),
}

_PIXEL_FILTERS = {"Lanczos": Pictures.Resampling.LANCZOS, "Nearest": Pictures.Resampling.NEAREST}

PixelUpscaler = Callable[[NDArray[np.uint8], int, int], NDArray[np.uint8]]


def is_latent(upscaler: str) -> bool:
    return upscaler in LATENT_UPSCALERS


def upscale_latent(upscaler: str, latent: Tensor, height: int, width: int) -> Tensor:
    """(channels, h, w) to (channels, height, width): scaled until it covers that, and cut evenly."""
    mode, antialias = _LATENT_MODES[upscaler]
    scale = max(height / latent.shape[1], width / latent.shape[2])
    size = (max(height, round(latent.shape[1] * scale)), max(width, round(latent.shape[2] * scale)))
    options = {"antialias": antialias} if mode in ("bilinear", "bicubic") else {}
    scaled = functional.interpolate(latent[None], size=size, mode=mode, **options)[0]
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    return scaled[:, top : top + height, left : left + width].contiguous()


def upscale_pixels(upscaler: str, pixels: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """(h, w, 3) to (height, width, 3): scaled until it covers that, and cut evenly. Raises RecipeUnsupported."""
    if upscaler not in _PIXEL_FILTERS:
        raise RecipeUnsupported(
            f"This engine has no upscaler called {upscaler!r}.", hint=f"It knows {', '.join(PIXEL_UPSCALERS)}."
        )
    return np.asarray(ImageOps.fit(Pictures.fromarray(pixels), (width, height), _PIXEL_FILTERS[upscaler]))
