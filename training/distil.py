"""The four-step sibling: a student that says at once where the teacher's guided path from any noise level would end.

Latent consistency distillation (Luo et al. 2023, arXiv 2310.04378): the student's answer at one of 25 noise levels
must agree with its own slow average's answer one level lower, where the teacher took the step between them with
guidance. Guidance is thereby drawn into the student, which needs no second row and no guidance scale.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from diffusers import DDPMScheduler
from torch import Tensor, nn
from tqdm import tqdm
from transformers import CLIPTokenizer

from training import denoiser, snapshots
from training.denoiser import NOISE, Denoiser, Stage
from training.lessons import Lessons
from training.muon import Optimiser
from training.pace import follow, share_of_rate
from training.vocabulary import LENGTH
from training.workshop import Workshop

LEVELS = 25
"""Noise levels the student knows; samplers take their steps among them."""

_SIGMA_DATA, _TIMESTEP_SCALING = 0.5, 10.0  # of the boundary condition, as samplers for such networks have it


@dataclass(frozen=True)
class Plan:
    """How long and how hard to train. `guidance` is what the student draws with from then on."""

    seed: int = 2
    steps: int = 2_000
    rate: float = 3e-4
    guidance: float = 5.0
    target_ema: float = 0.9
    ema: float = 0.999
    huber: float = 1e-3
    noise_offset: float = 0.08
    warmup: int = 100
    save_every: int = 50


class Levels:
    """Scales of signal and noise by timestep, and the timesteps of the student's levels, rising."""

    def __init__(self, device: torch.device) -> None:
        alphas = DDPMScheduler(**NOISE).alphas_cumprod.to(device)
        self.signal, self.noise = alphas.sqrt(), (1 - alphas).sqrt()
        stride = len(alphas) // LEVELS
        self.timesteps = torch.arange(stride - 1, len(alphas), stride, device=device)

    def clean(self, noisy: Tensor, predicted: Tensor, timesteps: Tensor) -> Tensor:
        """The picture that the predicted noise leaves, (N, 4, h, w)."""
        return (noisy - _wide(self.noise[timesteps]) * predicted) / _wide(self.signal[timesteps])

    def noised(self, clean: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """A picture at a noise level."""
        return _wide(self.signal[timesteps]) * clean + _wide(self.noise[timesteps]) * noise

    def answer(self, unet: nn.Module, noisy: Tensor, timesteps: Tensor, context: Tensor) -> Tensor:
        """The consistency function: the clean picture, bent so that at no noise it is the input itself."""
        predicted = unet(noisy, timesteps, context).sample.float()
        scaled = timesteps.float() * _TIMESTEP_SCALING
        skip = _SIGMA_DATA**2 / (scaled**2 + _SIGMA_DATA**2)
        out = scaled / (scaled**2 + _SIGMA_DATA**2).sqrt()
        return _wide(skip) * noisy + _wide(out) * self.clean(noisy, predicted, timesteps)


@torch.no_grad()
def teacher_step(
    levels: Levels, unet: nn.Module, noisy: Tensor, *, start: Tensor, end: Tensor, contexts: Tensor, guidance: float
) -> Tensor:
    """One step of DDIM with guidance from one timestep down to another. `contexts`: the captions', then the empty."""
    both = unet(torch.cat([noisy, noisy]), torch.cat([start, start]), contexts).sample.float()
    asked, empty = both.chunk(2)
    predicted = empty + guidance * (asked - empty)
    return levels.noised(levels.clean(noisy, predicted, start), predicted, end)


def pseudo_huber(first: Tensor, second: Tensor, width: float) -> Tensor:
    """Squared for small differences and absolute for large ones; the mean over everything."""
    return ((first - second).square() + width**2).sqrt().sub(width).mean()


def distil(
    weights: dict[str, Tensor],
    plan: Plan,
    *,
    stage: Stage,
    lessons: Lessons,
    tokenizer: CLIPTokenizer,
    workshop: Workshop,
) -> dict[str, Tensor]:
    """The student's averaged UNet weights, from the teacher's `weights`; batches are those of `stage`.

    The text encoder is the teacher's and stays as it is: both siblings share it. Goes on from its own saved state.
    """
    device = workshop.device
    torch.manual_seed(plan.seed)
    teacher = Denoiser(len(tokenizer)).to(device)
    teacher.load_state_dict(weights)
    teacher.eval().requires_grad_(False)
    teacher.unet.to(memory_format=torch.channels_last)
    student = copy.deepcopy(teacher.unet).train().requires_grad_(True)
    target, average = copy.deepcopy(teacher.unet), copy.deepcopy(teacher.unet)
    optimiser = Optimiser(student, plan.rate)
    path, first = workshop.state / "distilled.pt", 0
    if (saved := snapshots.load(path)) is not None:
        for network, name in ((student, "weights"), (target, "target"), (average, "average")):
            network.load_state_dict(saved[name])
        optimiser.load_state_dict(saved["optimiser"])
        first = saved["step"]

    levels = Levels(device)
    nothing = tokenizer([""], padding="max_length", max_length=LENGTH, return_tensors="pt").input_ids.to(device)
    empty = teacher.text(nothing).last_hidden_state

    def objective(clean: Tensor, noise: Tensor, upper: Tensor, lower: Tensor, context: Tensor) -> Tensor:
        noisy = levels.noised(clean, noise, upper)
        contexts = torch.cat([context, empty.expand_as(context)])
        stepped = teacher_step(
            levels, teacher.unet, noisy, start=upper, end=lower, contexts=contexts, guidance=plan.guidance
        )
        with torch.no_grad():
            wanted = levels.answer(target, stepped, lower, context)
        return pseudo_huber(levels.answer(student, noisy, upper, context), wanted, plan.huber)

    measured = torch.compile(objective) if workshop.compiled else objective
    smooth = 0.0
    bar = tqdm(range(first, plan.steps), "distilled", plan.steps, initial=first, mininterval=5)
    for step in bar:
        clean, tokens = denoiser.batch_of(lessons, plan.seed, stage, step)
        torch.manual_seed(plan.seed * 1_000_003 + step)
        noise = torch.randn_like(clean) + plan.noise_offset * torch.randn(
            len(clean), clean.shape[1], 1, 1, device=device
        )
        upper = torch.randint(1, LEVELS, (len(clean),), device=device)
        context = teacher.text(tokens).last_hidden_state
        with workshop.half():
            loss = measured(clean, noise, levels.timesteps[upper], levels.timesteps[upper - 1], context)
        optimiser.step(loss, share_of_rate(step, plan.steps, plan.warmup))
        follow(target, student, plan.target_ema)
        follow(average, student, min(plan.ema, (step + 1) / (step + 10)))
        smooth = loss.item() if step == first else 0.98 * smooth + 0.02 * loss.item()
        bar.set_postfix(loss=f"{smooth:.4f}", refresh=False)
        if (step + 1) % plan.save_every == 0 or step + 1 == plan.steps:
            networks = {"weights": student, "target": target, "average": average}
            states = {name: network.state_dict() for name, network in networks.items()}
            snapshots.save(path, {**states, "optimiser": optimiser.state_dict(), "step": step + 1})
    final: dict[str, Tensor] = average.state_dict()
    return final


def _wide(values: Tensor) -> Tensor:
    return values[:, None, None, None]
