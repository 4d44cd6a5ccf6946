"""Latents to pixels: the autoencoder's decoder as a stage of its own, several pictures in one call."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from stablehand.engine.autoencoders import Autoencoder

#: Pictures whose decoded colours still improve the preview map.
LEARNED_PICTURES = 64


#: Side of the smallest piece that a decoder is given, in latent positions; below, seams would show.
TILE_SIDE_LEAST = 16


def tile_side(height: int, width: int) -> int:
    """Side of one piece, in latent positions, when a picture is decoded in pieces: half of its shorter side."""
    return max(TILE_SIDE_LEAST, min(height, width) // 2)


def decode_bytes(autoencoder: Autoencoder, pixels: int) -> int:
    """About how much memory decoding a picture takes at its peak: a few tensors as wide as the last upsampling."""
    widths = autoencoder.network.config.block_out_channels
    return 5 * int(widths[min(1, len(widths) - 1)]) * pixels * autoencoder.dtype.itemsize


def decode_operations(autoencoder: Autoencoder, shape: tuple[int, int, int]) -> float:
    """About how many floating-point operations decoding takes (Stable Diffusion 1.5 at 512 pixels: 2.5e12)."""
    return 8.0 * autoencoder.parameters * shape[1] * shape[2]


def decode(
    autoencoder: Autoencoder,
    latents: Sequence[Tensor],
    *,
    tiled: bool = False,
    on_overflow: Callable[[int], None] = lambda _index: None,
) -> list[NDArray[np.uint8] | None]:
    """Latents of one shape to (H, W, 3) bytes each.

    None for a picture that is not finite even when decoded in float32; its neighbours are not affected. ``tiled``: in
    overlapping pieces, which takes a fraction of the memory and shifts colours a little from piece to piece.
    ``on_overflow`` is told the indices of those that were decoded in float32 because half precision did not do.
    """
    stacked = torch.stack(list(latents))
    pixels = _decode(autoencoder, stacked, tiled=tiled)
    finite = torch.isfinite(pixels).flatten(1).all(dim=1).tolist()
    if not all(finite) and autoencoder.dtype != torch.float32:
        lost = [index for index, ok in enumerate(finite) if not ok]
        pixels = pixels.float()
        pixels[lost] = _decode_in_float32(autoencoder, stacked[lost])
        for index in lost:
            on_overflow(index)
        finite = torch.isfinite(pixels).flatten(1).all(dim=1).tolist()
    drawn = ((pixels.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    drawn = drawn.permute(0, 2, 3, 1).contiguous().cpu()  # (n, H, W, 3)
    for latent, picture, ok in zip(latents, pixels, finite, strict=True):
        if ok and autoencoder.preview.pictures < LEARNED_PICTURES:
            autoencoder.preview.learn(latent, picture)
    return [np.asarray(picture.numpy()) if ok else None for picture, ok in zip(drawn, finite, strict=True)]


def encode(
    autoencoder: Autoencoder, pictures: Sequence[NDArray[np.uint8]], *, shown: NDArray[np.float32] | None = None
) -> Tensor:
    """Pictures of one size, (H, W, 3) bytes each, to latents (n, C, h, w) in the sampler's scale, float32.

    The middle of what the encoder thinks possible, so that the same input always gives the same latent. Sides are
    first stretched to the next multiple of the autoencoder's factor. ``shown`` (H, W): 1 where the pictures are to be
    seen, 0 where there is to be the middle of all colours instead, which lies between two bytes.
    """
    network, factor = autoencoder.network, autoencoder.pixels_per_latent
    stacked = torch.from_numpy(np.stack(list(pictures))).to(autoencoder.placement.device).permute(0, 3, 1, 2)
    pixels = stacked.to(torch.float32) / 127.5 - 1
    if shown is not None:
        pixels = pixels * torch.from_numpy(shown).to(pixels.device)
    size = [-(-side // factor) * factor for side in pixels.shape[-2:]]
    if size != list(pixels.shape[-2:]):
        pixels = functional.interpolate(pixels, size=size, mode="bilinear", antialias=True)
    weights = next(network.parameters())
    pixels = pixels.to(weights.dtype, memory_format=autoencoder.placement.memory_format)
    latents: Tensor = network.encode(pixels, return_dict=False)[0].mode().float()
    return (latents - autoencoder.shift) * autoencoder.scale


def preview(autoencoder: Autoencoder, latent: Tensor) -> NDArray[np.uint8]:
    """A rough picture of an estimate, one pixel per latent position."""
    if not autoencoder.preview.is_fitted:
        device = autoencoder.placement.device
        autoencoder.preview.fit(lambda latents: _decode(autoencoder, latents.to(device)), autoencoder.latent_channels)
    return autoencoder.preview.paint(latent)


def _decode(autoencoder: Autoencoder, latents: Tensor, *, tiled: bool = False) -> Tensor:
    """(n, C, h, w) in the sampler's scale to (n, 3, H, W), about -1 to 1."""
    scaled = latents / autoencoder.scale + autoencoder.shift
    network = autoencoder.network
    weights = next(network.parameters())
    scaled = scaled.to(weights.dtype, memory_format=autoencoder.placement.memory_format)
    if tiled:
        # The decoder's own tiles may be as large as the picture that did not fit.
        side = tile_side(scaled.shape[-2], scaled.shape[-1])
        network.tile_latent_min_size = side
        network.tile_sample_min_size = side * autoencoder.pixels_per_latent
        pieces: Tensor = network.tiled_decode(scaled, return_dict=False)[0]
        return pieces
    decoded: Tensor = network.decode(scaled, return_dict=False)[0]
    return decoded


def _decode_in_float32(autoencoder: Autoencoder, latents: Tensor) -> Tensor:
    """Half precision overflows in some decoders; the weights go back to it afterwards."""
    autoencoder.network.to(torch.float32)
    try:
        return _decode(autoencoder, latents)
    finally:
        autoencoder.network.to(autoencoder.dtype)
