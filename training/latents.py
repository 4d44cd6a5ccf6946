"""Latents of scenes, kept on disk in half precision for the denoiser's training."""

from __future__ import annotations

from concurrent.futures import Executor, ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from training.autoencoder import to_tensor
from training.renders import render
from training.workshop import Workshop

Shape = tuple[int, int]
"""Width and height of a render in pixels, both multiples of 8."""

_CHUNK = 64


@torch.no_grad()
def encoded(autoencoder: AutoencoderKL, workshop: Workshop, seed: int, shape: Shape, count: int) -> Tensor:
    """Latent means of the first `count` scenes of a series, (count, 4, height/8, width/8) in float16.

    Scenes are drawn, encoded and forgotten. Killed and called again, it goes on at the chunk it was at.
    """
    width, height = shape
    path = workshop.state / f"latents-{seed}-{width}x{height}-{count}.npy"
    if not path.exists():
        unfinished = path.with_suffix(".part")
        latents, first = _opened(unfinished, (count, 4, height // 8, width // 8))
        with ProcessPoolExecutor(workshop.processes) as pool:
            for start in tqdm(range(first, count, _CHUNK), f"latents, {width}x{height}", mininterval=5):
                indices = range(start, min(start + _CHUNK, count))
                latents[indices.start : indices.stop] = _chunk(
                    autoencoder, workshop, pool, seed=seed, shape=shape, indices=indices
                )
        unfinished.rename(path)
    return torch.from_numpy(np.load(path))


def _opened(path: Path, shape: tuple[int, ...]) -> tuple[NDArray[np.float16], int]:
    """The unfinished file, new or found, and the first chunk that is not yet in it."""
    if path.exists():
        found: NDArray[np.float16] = np.load(path, mmap_mode="r+")
        missing = np.isnan(found[:, 0, 0, 0])
        first = int(missing.argmax()) if missing.any() else len(found)
        return found, first // _CHUNK * _CHUNK
    path.parent.mkdir(parents=True, exist_ok=True)
    made: NDArray[np.float16] = np.lib.format.open_memmap(path, "w+", np.float16, shape)
    made[:] = np.nan
    return made, 0


def _chunk(
    autoencoder: AutoencoderKL, workshop: Workshop, pool: Executor, *, seed: int, shape: Shape, indices: range
) -> NDArray[np.float16]:
    width, height = shape
    pictures = np.stack(list(pool.map(partial(render, seed=seed, size=width, height=height), indices, chunksize=8)))
    batch = max(workshop.batch * 128 * 128 // (width * height), 1)
    parts = [
        autoencoder.encode(to_tensor(pictures[at : at + batch], workshop.device)).latent_dist.mode().half().cpu()
        for at in range(0, len(pictures), batch)
    ]
    values: NDArray[np.float16] = torch.cat(parts).numpy()
    return values
