"""What passes between a sampler and those who run it, and the few formulas that most samplers share.

Everything here is in the variance-exploding form: a latent is ``x0 + sigma * noise``.
"""

import math
from collections.abc import Callable, Generator
from dataclasses import dataclass, field

from torch import Tensor

from stablehand.domain.recipes import SamplerOptions
from stablehand.engine.levels import NoiseLevels
from stablehand.engine.noise import Noise
from stablehand.engine.samplers.state import SamplerState


@dataclass(frozen=True, slots=True)
class Ask:
    """What does the network make of this latent at this noise level?"""

    latent: Tensor
    sigma: float
    timestep: float | None = None  #: what the network is told of the level; None: the timestep that fits ``sigma``


@dataclass(frozen=True, slots=True)
class Answer:
    """The network's estimate of the finished latent."""

    denoised: Tensor  #: with guidance
    uncond: Tensor | None = None  #: that of the negative prompt alone, where there is guidance


@dataclass(frozen=True, slots=True)
class Means:
    """What a sampler may use beside its state. The same in every process that draws the same picture."""

    noise: Noise
    levels: NoiseLevels
    options: SamplerOptions = field(default_factory=SamplerOptions)

    def eta(self, default: float) -> float:
        return default if self.options.eta is None else self.options.eta


Sampling = Generator[Ask, Answer, None]
Sampler = Callable[[SamplerState, Means], Sampling]


def toward(latent: Tensor, denoised: Tensor, sigma: float, target: float) -> Tensor:
    """Along the straight line from the latent at ``sigma`` to its denoised form, as far as the level ``target``.

    An Euler step of the probability flow (Karras et al. 2022, arXiv 2206.00364, algorithm 1) and the first-order step
    of DPM-Solver++ (Lu et al. 2022, arXiv 2211.01095), which is DDIM, are both this.
    """
    share = target / sigma
    return share * latent + (1 - share) * denoised


def slope(latent: Tensor, denoised: Tensor, sigma: float) -> Tensor:
    """d latent / d sigma of the probability flow: the noise that the network sees."""
    return (latent - denoised) / sigma


def ancestral(sigma: float, following: float, eta: float) -> tuple[float, float]:
    """(down, up): go down to ``down``, then add fresh noise of ``up``, to arrive at ``following``.

    The variance of Song et al. (2020, arXiv 2010.02502, equation 16), scaled by eta and never more than there is room.
    """
    up = min(following, eta * math.sqrt(max(0.0, following**2 * (sigma**2 - following**2) / sigma**2)))
    return math.sqrt(following**2 - up**2), up


def preserved(latent: Tensor, state: SamplerState) -> Tensor:
    """After the last step, the latent in the variance-preserving form, where timestep samplers leave it in A1111.

    That matters as they do not end at zero noise: 0.08 % of brightness at the first timestep but one.
    """
    if state.step + 1 < state.steps:
        return latent
    return latent / math.sqrt(1 + state.sigmas[-1] ** 2)


def churned(state: SamplerState, means: Means) -> tuple[Tensor, float]:
    """The latent with a little more noise than its level says, and its new level (Karras et al., algorithm 2).

    One draw belongs to each step, used or not.
    """
    options, sigma = means.options, state.sigmas[state.step]
    most = math.inf if options.s_tmax is None else options.s_tmax
    if not options.s_churn or not options.s_tmin <= sigma <= most:
        return state.latent, sigma
    raised = sigma * (1 + min(options.s_churn / state.steps, math.sqrt(2) - 1))
    fresh = means.noise.at(state.draws) * options.s_noise
    return state.latent + fresh * math.sqrt(raised**2 - sigma**2), raised
