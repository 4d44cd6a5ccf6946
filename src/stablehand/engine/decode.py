"""Latents to pixels: the autoencoder's decoder as a stage of its own, several pictures in one call."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

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
    """Latents of one shape to (H, W, 3) bytes each, at once: see :func:`begin` and :meth:`Decoding.finish`."""
    return begin(autoencoder, latents, tiled=tiled).finish(on_overflow)


@dataclass(slots=True, eq=False)
class Decoding:
    """A call of the decoder that is under way on its stream.

    It holds on to all that the device reads and writes meanwhile, so that nobody else is given that memory.
    """

    autoencoder: Autoencoder
    latents: Sequence[Tensor]
    stacked: Tensor
    pixels: Tensor  #: (n, 3, H, W), about -1 to 1
    drawn: Tensor  #: (n, H, W, 3) bytes in the host's memory, when it is done
    finite: Tensor  #: (n,) in the host's memory, when it is done
    stream: Any
    began: Any  #: events
    done: Any

    def is_done(self) -> bool:
        try:
            return bool(self.done.query())
        except RuntimeError:
            return True  # the device is in trouble; finish says which

    def wait(self) -> None:
        self.done.synchronize()

    @property
    def device_seconds(self) -> float | None:
        """What the device took, once it is done; None where it has no clock of its own."""
        return self.began.elapsed_time(self.done) / 1000 if self.pixels.is_cuda else None

    def finish(self, on_overflow: Callable[[int], None] = lambda _index: None) -> list[NDArray[np.uint8] | None]:
        """(H, W, 3) bytes for each latent, waiting for them if need be.

        None for a picture that is not finite even when decoded in float32; its neighbours are not affected.
        ``on_overflow`` is told the indices of those that were decoded in float32 because half precision did not do.
        """
        self.wait()
        finite: list[bool] = self.finite.tolist()
        if not all(finite) and self.autoencoder.dtype != torch.float32:
            lost = [index for index, ok in enumerate(finite) if not ok]
            # The weights change under what may still be under way.
            torch.get_device_module(self.pixels.device).current_stream().wait_stream(self.stream)
            self.pixels = self.pixels.float()
            self.pixels[lost] = _decode_in_float32(self.autoencoder, self.stacked[lost])
            for index in lost:
                on_overflow(index)
            finite = _are_finite(self.pixels).tolist()
            self.drawn = _as_bytes(self.pixels).cpu()
        preview_map = self.autoencoder.preview
        for latent, picture, ok in zip(self.latents, self.pixels, finite, strict=True):
            if ok and preview_map.pictures < LEARNED_PICTURES:
                preview_map.learn(latent, picture)
        # Copies off a GPU are let out of pinned memory, which is scarce.
        drawn = self.drawn.numpy().copy() if self.drawn.is_pinned() else self.drawn.numpy()
        return [np.asarray(picture) if ok else None for picture, ok in zip(drawn, finite, strict=True)]


def begin(autoencoder: Autoencoder, latents: Sequence[Tensor], *, tiled: bool = False, stream: Any = None) -> Decoding:
    """Have latents of one shape decoded, on ``stream`` if there is one, else in turn with everything else.

    ``tiled``: in overlapping pieces, which takes a fraction of the memory and shifts colours a little from piece to
    piece. What the call waits for is what was asked of the device before it.
    """
    device = autoencoder.placement.device
    module: Any = torch.get_device_module(device)
    stream = stream or module.current_stream()
    stream.wait_stream(module.current_stream())
    began, done = _event(device), _event(device)
    with module.stream(stream):
        began.record(stream)
        stacked = torch.stack(list(latents))
        pixels = _decode(autoencoder, stacked, tiled=tiled)
        finite, drawn = _to_host(_are_finite(pixels)), _to_host(_as_bytes(pixels))
        done.record(stream)
    return Decoding(autoencoder, latents, stacked, pixels, drawn, finite, stream, began, done)


def _event(device: torch.device) -> Any:
    module: Any = torch.get_device_module(device)
    return module.Event(enable_timing=True) if device.type == "cuda" else module.Event()


def _are_finite(pixels: Tensor) -> Tensor:
    return torch.isfinite(pixels).flatten(1).all(dim=1)


def _as_bytes(pixels: Tensor) -> Tensor:
    """(n, 3, H, W) from -1 to 1 to (n, H, W, 3)."""
    drawn = ((pixels.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    return drawn.permute(0, 2, 3, 1).contiguous()


def _to_host(values: Tensor) -> Tensor:
    """A copy that the device makes when it comes to it; only into pinned memory it does so by itself."""
    if not values.is_cuda:
        return values
    host = torch.empty(values.shape, dtype=values.dtype, pin_memory=True)
    return host.copy_(values, non_blocking=True)


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
