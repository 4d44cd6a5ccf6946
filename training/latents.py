"""Latents of renders, kept on disk in half precision for the denoiser's training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor
from tqdm import tqdm

from training.autoencoder import to_tensor
from training.renders import cached


@torch.no_grad()
def encoded(
    autoencoder: AutoencoderKL, state: Path, seed: int, size: int, count: int, device: torch.device, processes: int
) -> Tensor:
    """Unscaled latent means of the first `count` scenes of a series, (count, 4, size/8, size/8) in float16."""
    path = state / f"latents-{seed}-{size}-{count}.npy"
    if not path.exists():
        pictures = cached(state, seed, size, count, processes)
        batch = max(16 * 128 * 128 // size**2, 1)
        parts = []
        for start in tqdm(range(0, count, batch), f"latents {size} px", mininterval=5):
            pixels = to_tensor(pictures[start : start + batch], device)
            parts.append(autoencoder.encode(pixels).latent_dist.mode().half().cpu())
        unfinished = path.with_suffix(".part")
        with unfinished.open("wb") as file:
            np.save(file, torch.cat(parts).numpy())
        unfinished.rename(path)
    return torch.from_numpy(np.load(path))
