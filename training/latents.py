"""Latents of renders, kept on disk in half precision for the denoiser's training."""

from __future__ import annotations

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor
from tqdm import tqdm

from training.autoencoder import to_tensor
from training.renders import SCENES, cached
from training.workshop import Workshop


@torch.no_grad()
def encoded(autoencoder: AutoencoderKL, workshop: Workshop, seed: int, size: int, count: int) -> Tensor:
    """Latent means of the first `count` scenes of a series, (count, 4, size/8, size/8) in float16."""
    path = workshop.state / f"latents-{seed}-{size}-{count}.npy"
    if not path.exists():
        pictures = cached(workshop.state, seed, size, SCENES, workshop.processes)
        batch = max(16 * 128 * 128 // size**2, 1)
        parts = []
        for start in tqdm(range(0, count, batch), f"latents, {size} px", mininterval=5):
            pixels = to_tensor(pictures[start : start + batch], workshop.device)
            parts.append(autoencoder.encode(pixels).latent_dist.mode().half().cpu())
        unfinished = path.with_suffix(".part")
        with unfinished.open("wb") as file:
            np.save(file, torch.cat(parts).numpy())
        unfinished.rename(path)
    return torch.from_numpy(np.load(path))
