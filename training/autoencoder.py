"""The autoencoder: 8 x 8 pixels to 4 numbers and back, learnt from crops of renders."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from training import snapshots
from training.muon import Optimiser
from training.pace import follow, share_of_rate
from training.renders import HELD_OUT_SEED, cached
from training.workshop import Workshop

SIZES = (128, 256)
"""Render sizes the crops are cut from: the autoencoder must know a roof at either scale."""


FINISHED = "autoencoder-finished.pt"


@dataclass(frozen=True)
class Plan:
    """How long and how hard to train. Sizes in pixels, counts in pictures."""

    seed: int = 2
    steps: int = 6_000
    decoder_steps: int = 3_000
    scenes: int = 2_000
    batch: int = 8
    crop: int = 64
    rate: float = 1e-3
    decoder_rate: float = 6e-4
    warmup: int = 30
    kl_weight: float = 1e-4
    decoder_noise: float = 0.2
    edge_weight: float = 0.5
    ema: float = 0.995
    save_every: int = 50


def build() -> AutoencoderKL:
    """An untrained autoencoder with factor 8 and 4 latent channels. No attention: latents stay local at any size."""
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(16, 48, 96, 144),
        layers_per_block=1,
        norm_num_groups=4,
        latent_channels=4,
        sample_size=256,
        scaling_factor=1.0,  # `whiten` sees to it
        mid_block_add_attention=False,
    )


def to_tensor(pictures: NDArray[np.uint8], device: torch.device) -> Tensor:
    """(N, H, W, 3) bytes to (N, 3, H, W) floats from -1 to 1."""
    return torch.from_numpy(np.ascontiguousarray(pictures)).to(device).permute(0, 3, 1, 2).float() / 127.5 - 1


def crops(sources: list[NDArray[np.uint8]], count: int, side: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Random crops, (count, side, side, 3); of two candidates the busier one, since much of a postcard is plain sky."""
    out = np.empty((count, side, side, 3), np.uint8)
    for index in range(count):
        pictures = sources[rng.integers(len(sources))]
        picture = pictures[rng.integers(len(pictures))]
        best = -1.0
        for _ in range(2):
            y, x = rng.integers(0, picture.shape[0] - side + 1, 2)
            candidate = picture[y : y + side, x : x + side]
            business = float(np.abs(np.diff(candidate[::2, ::2].astype(np.int16), axis=1)).mean())
            if business > best:
                best, out[index] = business, candidate
    return out


def _edges(picture: Tensor) -> tuple[Tensor, Tensor]:
    return picture.diff(dim=2), picture.diff(dim=3)


def loss_of(target: Tensor, drawn: Tensor, edge_weight: float) -> Tensor:
    """Absolute and squared error of the colours, and absolute error of the edges (differences of neighbours)."""
    edges = sum(functional.l1_loss(a, b) for a, b in zip(_edges(drawn), _edges(target), strict=True))
    return functional.l1_loss(drawn, target) + 2.0 * functional.mse_loss(drawn, target) + edge_weight * edges


@torch.no_grad()
def psnr(autoencoder: AutoencoderKL, pictures: NDArray[np.uint8], device: torch.device) -> float:
    """Mean over pictures of the peak signal-to-noise ratio in dB, through bytes as a user sees them."""
    values = []
    for start in range(0, len(pictures), 8):
        target = to_tensor(pictures[start : start + 8], device)
        drawn = autoencoder.decode(autoencoder.encode(target).latent_dist.mode()).sample
        drawn = ((drawn.clamp(-1, 1) + 1) * 127.5).round()
        error = (drawn - (target + 1) * 127.5).square().mean(dim=(1, 2, 3))
        values += (10 * torch.log10(255.0**2 / error.clamp_min(1e-6))).tolist()
    return float(np.mean(values))


@torch.no_grad()
def whiten(autoencoder: AutoencoderKL, pictures: NDArray[np.uint8], device: torch.device) -> None:
    """Bring every latent channel to mean 0 and variance 1, as noise has, without changing a single picture.

    What the 1 x 1 convolutions around the latents undo of each other is free to choose: the encoder's divides by the
    channel's deviation after taking its mean away, the decoder's multiplies and adds them again.
    """
    latents = torch.cat(
        [
            autoencoder.encode(to_tensor(pictures[start : start + 16], device)).latent_dist.mode()
            for start in range(0, len(pictures), 16)
        ]
    )
    mean, deviation = latents.mean(dim=(0, 2, 3)), latents.std(dim=(0, 2, 3))
    into, out = autoencoder.quant_conv, autoencoder.post_quant_conv
    channels = len(mean)  # the first half of `into` makes means, the second logarithms of variances
    into.weight[:channels] /= deviation[:, None, None, None]
    into.bias[:channels] = (into.bias[:channels] - mean) / deviation
    into.bias[channels:] -= 2 * deviation.log()
    out.bias += out.weight[:, :, 0, 0] @ mean
    out.weight *= deviation[None, :, None, None]


def train(plan: Plan, workshop: Workshop, start: AutoencoderKL | None = None) -> AutoencoderKL:
    """Train both halves for `plan.steps`, from `start` or from nothing; from then on every latent is settled."""
    if (finished := restored(workshop.state)) is None:
        torch.manual_seed(plan.seed)
        autoencoder = copy.deepcopy(start or build()).to(workshop.device, memory_format=torch.channels_last)
        autoencoder.train().requires_grad_(True)
        autoencoder = _fit("autoencoder", autoencoder, plan.steps, plan, workshop)
        some = cached(workshop.state, plan.seed, SIZES[0], plan.scenes, workshop.processes)[:512]
        whiten(autoencoder, some, workshop.device)
        snapshots.save(workshop.state / FINISHED, autoencoder.state_dict())
        finished = restored(workshop.state)
        assert finished is not None
    return finished.to(workshop.device)


def polish(autoencoder: AutoencoderKL, plan: Plan, workshop: Workshop) -> AutoencoderKL:
    """Train the decoder alone for `plan.decoder_steps` more: cheaper by half, and no latent changes.

    Each latent gets noise of a strength between 0 and `plan.decoder_noise` on top. What it will decode is the
    denoiser's work, which is never quite a latent that the encoder would have made; a decoder that has seen none but
    those turns what is amiss into mottled skies and frayed edges.
    """
    autoencoder = autoencoder.to(workshop.device, memory_format=torch.channels_last)
    for half in (autoencoder.decoder, autoencoder.post_quant_conv):
        half.requires_grad_(True)
    lesson = replace(plan, rate=plan.decoder_rate)
    autoencoder = _fit("decoder", autoencoder, plan.decoder_steps, lesson, workshop, noise=plan.decoder_noise)
    snapshots.save(workshop.state / FINISHED, autoencoder.state_dict())
    return autoencoder.requires_grad_(False)


def _fit(
    name: str, autoencoder: AutoencoderKL, steps: int, plan: Plan, workshop: Workshop, *, noise: float = 0.0
) -> AutoencoderKL:
    """Train what requires gradients, from the state saved under `name` if there is one; the average of its weights.

    `noise` is the most that is put on a latent, as a standard deviation.
    """
    state, device, processes = workshop.state, workshop.device, workshop.processes
    sources = [cached(state, plan.seed, size, plan.scenes, processes) for size in SIZES]
    fresh = [cached(state, HELD_OUT_SEED, size, 16, processes) for size in SIZES]
    average = copy.deepcopy(autoencoder).requires_grad_(False)
    optimiser = Optimiser(autoencoder, plan.rate)
    path, first = state / f"{name}.pt", 0
    if (saved := snapshots.load(path)) is not None:
        autoencoder.load_state_dict(saved["weights"])
        average.load_state_dict(saved["average"])
        optimiser.load_state_dict(saved["optimiser"])
        first = saved["step"]

    def objective(target: Tensor) -> Tensor:
        with workshop.half():
            posterior = autoencoder.encode(target).latent_dist
            latents = posterior.sample()
            strength = noise * torch.rand(len(latents), 1, 1, 1, device=device)
            drawn = autoencoder.decode(latents + strength * torch.randn_like(latents)).sample.float()
        kl = posterior.kl().mean() / (4 * (plan.crop // 8) ** 2)
        loss: Tensor = loss_of(target, drawn, plan.edge_weight) + plan.kl_weight * kl
        return loss

    measured = torch.compile(objective) if workshop.compiled else objective
    bar = tqdm(range(first, steps), name, steps, initial=first, mininterval=5)
    for step in bar:
        rng = np.random.default_rng((plan.seed, step))  # by step, so that a resumed run sees what an unbroken one sees
        torch.manual_seed(plan.seed * 1_000_003 + step)
        pixels = to_tensor(crops(sources, plan.batch, plan.crop, rng), device)
        loss = measured(pixels.contiguous(memory_format=torch.channels_last))
        optimiser.step(loss, share_of_rate(step, steps, plan.warmup))
        follow(average, autoencoder, min(plan.ema, (step + 1) / (step + 10)))
        if (step + 1) % plan.save_every == 0 or step + 1 == steps:
            weights = {"weights": autoencoder.state_dict(), "average": average.state_dict()}
            snapshots.save(path, {**weights, "optimiser": optimiser.state_dict(), "step": step + 1})
            figures = [f"{psnr(average, pictures, device):.2f} dB at {pictures.shape[1]} px" for pictures in fresh]
            bar.write(f"step {step + 1}: loss {loss.item():.4f}, held out {', '.join(figures)}")
    return average


def restored(state: Path) -> AutoencoderKL | None:
    """The finished autoencoder, or None if it has not been finished."""
    if (saved := snapshots.load(state / FINISHED)) is None:
        return None
    autoencoder = build()
    autoencoder.load_state_dict(saved)
    autoencoder.eval().requires_grad_(False)
    return autoencoder
