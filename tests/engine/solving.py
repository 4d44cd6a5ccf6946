"""What the tests of samplers solve: synthetic denoisers, random in each run, and the loop that answers a sampler."""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from stablehand.domain.recipes import SamplerOptions
from stablehand.engine.levels import NoiseLevels, Sigmas
from stablehand.engine.noise import Noise
from stablehand.engine.samplers import Answer, Means, SamplerState, begin, find_method

BETAS: dict[str, Any] = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}
LEVELS = NoiseLevels.from_config(BETAS)
SHAPE = (4, 8, 8)
CPU = torch.device("cpu")

Denoise = Callable[[Tensor, float], Tensor]


def any_denoiser(chance: random.Random) -> Denoise:
    """Pulls towards a random pattern, more gently at high noise; smooth, nonlinear, no network."""
    generator = torch.Generator().manual_seed(chance.randrange(2**63))
    pattern = 0.8 * torch.randn(SHAPE, generator=generator, dtype=torch.float64)
    turn = chance.uniform(0.5, 2)

    def denoise(latent: Tensor, sigma: float) -> Tensor:
        trust = 1 / (1 + sigma**2)
        return trust * torch.tanh(turn * latent) + (1 - trust) * pattern.to(latent.dtype) * torch.cos(
            0.3 * latent * trust
        )

    return denoise


@dataclass
class Solving:
    """One picture being drawn by a synthetic denoiser; ``calls`` counts what the sampler asked."""

    sampler: str
    denoise: Denoise
    seed: int = 3
    uncond: Denoise | None = None
    options: SamplerOptions = field(default_factory=SamplerOptions)
    levels: NoiseLevels = LEVELS
    calls: int = 0
    asked: list[float] = field(default_factory=list)

    def begin(self, sigmas: Sigmas, dtype: torch.dtype = torch.float32) -> SamplerState:
        state = begin(self.sampler, sigmas, self.noise(), CPU)
        state.latent = state.latent.to(dtype)
        return state

    def noise(self) -> Noise:
        return Noise(self.seed, SHAPE, ensd=self.options.ensd)

    def go_on(self, state: SamplerState, calls: int | None = None) -> bool:
        """Answer the sampler to the end, or ``calls`` times; True at the end."""
        sampling = find_method(self.sampler).sample(state, Means(self.noise(), self.levels, self.options))
        ask = next(sampling, None)
        while ask is not None and calls != 0:
            self.calls += 1
            self.asked.append(ask.sigma)
            unguided = None if self.uncond is None else self.uncond(ask.latent, ask.sigma)
            try:
                ask = sampling.send(Answer(self.denoise(ask.latent, ask.sigma), unguided))
            except StopIteration:
                return True
            calls = None if calls is None else calls - 1
        return ask is None

    def draw(self, sigmas: Sigmas, dtype: torch.dtype = torch.float32) -> Tensor:
        """The finished latent."""
        state = self.begin(sigmas, dtype)
        assert self.go_on(state)
        assert state.step == state.steps
        assert state.progress == 1
        return state.latent


def relative(ours: Tensor, theirs: Tensor) -> float:
    return float((ours - theirs).abs().max() / theirs.abs().max())


def ends_at(sampler: str, latent: Tensor, last: float) -> Tensor:
    """The variance-exploding form of a finished latent: timestep samplers leave the other one."""
    return latent * math.sqrt(1 + last**2) if find_method(sampler).starts_whole else latent
