"""A small picture of a latent while it forms: a linear map from latent channels to colours.

The map is a least-squares fit (latent channels and a constant to the mean colour of the pixels they stand for). It
starts from a few smooth random latents, sent through the decoder when the first preview is asked for, and goes on
learning from every picture that is decoded anyway.
"""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

#: Weight of the random latents in the fit, relative to one real picture.
SYNTHETIC_WEIGHT = 0.05


class PreviewMap:
    """Fitted per checkpoint. Latents are those of the sampler: unscaled by the autoencoder's factor."""

    def __init__(self) -> None:
        self._gram: Tensor | None = None  #: (channels + 1, channels + 1), float64
        self._cross: Tensor | None = None  #: (channels + 1, 3), float64
        self.pictures = 0  #: how many were learned from

    @property
    def is_fitted(self) -> bool:
        return self._gram is not None

    def learn(self, latent: Tensor, pixels: Tensor, weight: float = 1.0) -> None:
        """Take in one decoded picture: latent (C, h, w) and pixels (3, H, W) from -1 to 1."""
        features = _features(latent)  # (C + 1, h·w)
        colours = functional.adaptive_avg_pool2d(pixels.float()[None], (latent.shape[-2], latent.shape[-1]))[0]
        colours = colours.flatten(1).double().cpu()  # (3, h·w)
        weight /= features.shape[1]
        gram, cross = weight * features @ features.T, weight * features @ colours.T
        self._gram = gram if self._gram is None else self._gram + gram
        self._cross = cross if self._cross is None else self._cross + cross
        self.pictures += 1

    def fit(self, decode: Callable[[Tensor], Tensor], channels: int) -> None:
        """Start from smooth random latents; ``decode`` takes (N, C, h, w) to (N, 3, H, W)."""
        generator = torch.Generator("cpu").manual_seed(0)
        coarse = torch.randn(4, channels, 4, 4, generator=generator)
        latents = functional.interpolate(coarse, size=(16, 16), mode="bicubic", align_corners=False)
        for latent, pixels in zip(latents, decode(latents), strict=True):
            self.learn(latent, pixels, SYNTHETIC_WEIGHT)

    def paint(self, latent: Tensor) -> NDArray[np.uint8]:
        """(C, h, w) to (h, w, 3) bytes. The map must have learned something before."""
        assert self._gram is not None
        assert self._cross is not None
        ridge = 1e-6 * torch.eye(len(self._gram), dtype=torch.float64)
        weights = torch.linalg.solve(self._gram + ridge, self._cross)  # (C + 1, 3)
        colours = (weights.T @ _features(latent)).reshape(3, *latent.shape[-2:])
        painted = ((colours.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).permute(1, 2, 0)
        return np.asarray(painted.numpy())


def _features(latent: Tensor) -> Tensor:
    values = latent.detach().double().cpu().flatten(1)
    return torch.cat([values, torch.ones(1, values.shape[1], dtype=torch.float64)])
