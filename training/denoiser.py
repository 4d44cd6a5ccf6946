"""The denoiser: UNet and text encoder, trained together to predict the noise in latents of captioned scenes."""

from __future__ import annotations

import copy
import random
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import DDPMScheduler, UNet2DConditionModel
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm
from transformers import CLIPTextConfig, CLIPTextModel

from training import snapshots
from training.captions import Wording, describe, placed
from training.latents import Shape
from training.lessons import Lessons
from training.muon import Optimiser
from training.pace import follow, share_of_rate
from training.vocabulary import LENGTH
from training.workshop import Workshop

WIDTH = 128
"""Width of the text encoder, and so of the UNet's cross-attention."""

NOISE: dict[str, Any] = {
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
}
"""Stable Diffusion's noise schedule."""


@dataclass(frozen=True)
class Stage:
    """One stretch of training. `shapes` in pixels of the render, one of which each batch has; `rate` the learning rate.

    `batch` counts pictures of the first shape; of larger ones a batch has fewer, so that every step costs the same.
    Captions are `worded` so, and noise is that of `timesteps`, from the first one to before the last, `coarse_share`
    of it from their noisier half.
    """

    name: str
    shapes: tuple[Shape, ...]
    steps: int
    batch: int
    rate: float
    scenes: int
    warmup: int = 50
    worded: Wording = describe
    timesteps: tuple[int, int] = (0, NOISE["num_train_timesteps"])
    coarse_share: float = 0.6

    def shape_of(self, step: int) -> Shape:
        """The shape of this step's batch."""
        return self.shapes[step % len(self.shapes)]

    def count_of(self, shape: Shape) -> int:
        """How many pictures a batch of this shape has."""
        first, own = (width * height for width, height in (self.shapes[0], shape))
        return max(round(self.batch * first / own), 1)


_SQUARE: Shape = (256, 256)


@dataclass(frozen=True)
class Plan:
    """Every stage in turn, small pictures first: what is learnt at 128 px costs a quarter of the time.

    The first one is about places alone. Left and right are a plateau: until the network can tell the sides of a
    picture apart nothing is gained by reading the words, and the other way round. Among everything else that there is
    to learn it stood there for 2,000 steps, and with nothing else for 75.
    """

    seed: int = 2
    stages: tuple[Stage, ...] = (
        Stage("place", ((128, 128),), 200, 48, 1.0e-3, 12_000, worded=placed, timesteps=(650, 950)),
        Stage("small", ((128, 128),), 10_000, 32, 1.0e-3, 12_000),
        Stage(
            "native",
            (_SQUARE, (320, 224), _SQUARE, (192, 192), _SQUARE, (224, 320), _SQUARE, (320, 320), _SQUARE, (128, 128)),
            10_000,
            16,
            6.0e-4,
            4_000,
            coarse_share=0.3,
        ),
    )
    snr_gamma: float = 5.0
    coarse: float = 12.0
    noise_offset: float = 0.08
    ema: float = 0.999
    save_every: int = 100


class Denoiser(nn.Module):
    """Text encoder and UNet as one module: they are trained, averaged and saved together."""

    def __init__(self, tokens: int) -> None:
        super().__init__()
        self.text = CLIPTextModel(
            CLIPTextConfig(
                vocab_size=tokens,
                hidden_size=WIDTH,
                intermediate_size=2 * WIDTH,
                num_hidden_layers=3,
                num_attention_heads=4,
                max_position_embeddings=LENGTH,
                projection_dim=WIDTH,
                hidden_act="quick_gelu",
                bos_token_id=tokens - 2,
                eos_token_id=tokens - 1,
                pad_token_id=tokens - 1,
            )
        )
        self.unet = UNet2DConditionModel(
            sample_size=32,
            in_channels=4,
            out_channels=4,
            block_out_channels=(64, 112, 152),
            layers_per_block=1,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            cross_attention_dim=WIDTH,
            attention_head_dim=4,  # diffusers' name for the number of heads
            norm_num_groups=8,
        )

    def forward(self, noisy: Tensor, timesteps: Tensor, tokens: Tensor) -> Tensor:
        """Predicted noise (N, 4, h, w) for noisy latents (N, 4, h, w), timesteps (N,) and token ids (N, 77)."""
        context = self.text(tokens).last_hidden_state
        prediction: Tensor = self.unet(noisy, timesteps, context).sample
        return prediction


def loss_weights(alphas_cumprod: Tensor, gamma: float, coarse: float) -> Tensor:
    """Weights for noise prediction by timestep: what each noise level has to say should count about alike.

    Where there is little noise, min(SNR, gamma) / SNR (Hang et al. 2023, arXiv 2303.09556). Where there is little
    picture, its layout is settled (what stands where, and how many of it), of which a prediction of noise shows next to
    nothing: errors count 1 / sqrt(SNR) times there, `coarse` times at most.
    """
    snr = alphas_cumprod / (1 - alphas_cumprod)
    return (snr.clamp_max(gamma) / snr) * snr.rsqrt().clamp(1.0, coarse)


def _timesteps(count: int, bounds: tuple[int, int], coarse_share: float, device: torch.device) -> Tensor:
    """Random timesteps within `bounds`, `coarse_share` of them from the noisier half alone: there layout is settled."""
    first, last = bounds
    any_of_them = torch.randint(first, last, (count,), device=device)
    noisy = torch.randint((first + last) // 2, last, (count,), device=device)
    return torch.where(torch.rand(count, device=device) < coarse_share, noisy, any_of_them)


def batch_of(lessons: Lessons, seed: int, stage: Stage, step: int) -> tuple[Tensor, Tensor]:
    """Latents (N, 4, h, w) and token ids (N, 77) of this step: a function of seed, stage and step alone."""
    shape = stage.shape_of(step)
    return lessons.batch(shape, stage.count_of(shape), random.Random(f"{seed}/{stage.name}/{step}"))


def run_stage(
    stage: Stage,
    plan: Plan,
    lessons: Lessons,
    workshop: Workshop,
    *,
    start: dict[str, Tensor] | None,
) -> dict[str, Tensor]:
    """Train one stage from the averaged weights `start` (or from nothing) and return its averaged weights.

    The lessons' latents have mean 0 and variance 1. Goes on from the stage's own saved state if there is one.
    """
    device = workshop.device
    torch.manual_seed(plan.seed)
    current = Denoiser(lessons.vocabulary).to(device)
    current.unet.to(memory_format=torch.channels_last)
    average = copy.deepcopy(current)
    if start is not None:
        current.load_state_dict(start)
    average.load_state_dict(current.state_dict())
    optimiser = Optimiser(current, stage.rate)
    path, first = workshop.state / f"denoiser-{stage.name}.pt", 0
    if (saved := snapshots.load(path)) is not None:
        current.load_state_dict(saved["weights"])
        average.load_state_dict(saved["average"])
        optimiser.load_state_dict(saved["optimiser"])
        first = saved["step"]

    noise_schedule = DDPMScheduler(**NOISE)
    weights = loss_weights(noise_schedule.alphas_cumprod, plan.snr_gamma, plan.coarse).to(device)

    def objective(clean: Tensor, noise: Tensor, timesteps: Tensor, tokens: Tensor) -> Tensor:
        noisy = noise_schedule.add_noise(clean, noise, timesteps)
        with workshop.half():
            predicted = current(noisy, timesteps, tokens).float()
        error = functional.mse_loss(predicted, noise, reduction="none").mean(dim=(1, 2, 3))
        return (error * weights[timesteps]).mean()

    measured = torch.compile(objective) if workshop.compiled else objective
    smooth = 0.0
    bar = tqdm(range(first, stage.steps), f"denoiser, {stage.name}", stage.steps, initial=first, mininterval=5)
    for step in bar:
        clean, tokens = batch_of(lessons, plan.seed, stage, step)
        torch.manual_seed(plan.seed * 1_000_003 + step)
        # The schedule ends short of pure noise: without an offset the network would read a picture's mean colour off
        # the last step and, starting from noise that has none, draw every night grey.
        offset = plan.noise_offset * torch.randn(len(clean), clean.shape[1], 1, 1, device=device)
        noise = torch.randn_like(clean) + offset
        timesteps = _timesteps(len(clean), stage.timesteps, stage.coarse_share, device)
        loss = measured(clean, noise, timesteps, tokens)
        optimiser.step(loss, share_of_rate(step, stage.steps, stage.warmup))
        # Early on the average must forget the random start sooner than `ema` alone would.
        follow(average, current, min(plan.ema, (step + 1) / (step + 10)))
        smooth = loss.item() if step == first else 0.98 * smooth + 0.02 * loss.item()
        bar.set_postfix(loss=f"{smooth:.4f}", refresh=False)
        if (step + 1) % plan.save_every == 0 or step + 1 == stage.steps:
            snapshots.save(
                path,
                {
                    "weights": current.state_dict(),
                    "average": average.state_dict(),
                    "optimiser": optimiser.state_dict(),
                    "step": step + 1,
                },
            )
    final: dict[str, Tensor] = average.state_dict()
    return final
