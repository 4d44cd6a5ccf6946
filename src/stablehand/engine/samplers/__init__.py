"""Samplers: each a generator over a plain state, under A1111's names and with k-diffusion's results.

A sampler yields what it must know, a latent at a noise level, and is sent the denoised latent. It never sees other
pictures. All that outlives a step lies in :class:`SamplerState`; a generator started on a saved state goes on exactly
where the other one stopped, because the state only changes as a whole, after the last answer of a step.
"""

import math
from collections.abc import Callable, Generator
from dataclasses import dataclass

import torch
from torch import Tensor

from stablehand.domain.errors import RecipeUnsupported
from stablehand.domain.samplers import AUTOMATIC_SCHEDULES
from stablehand.engine.levels import NoiseLevels, Sigmas
from stablehand.engine.noise import Noise
from stablehand.engine.samplers.state import SamplerState
from stablehand.engine.schedules import SCHEDULES


@dataclass(frozen=True, slots=True)
class Ask:
    """What does the network make of this latent (variance-exploding form) at this noise level?"""

    latent: Tensor
    sigma: float


Sampling = Generator[Ask, Tensor, None]
Sampler = Callable[[SamplerState, Noise], Sampling]


def euler(state: SamplerState, noise: Noise) -> Sampling:
    """Karras et al. (2022), algorithm 2 without churn and without the second-order correction."""
    while state.step < state.steps:
        sigma, following = state.sigmas[state.step], state.sigmas[state.step + 1]
        denoised = yield Ask(state.latent, sigma)
        slope = (state.latent - denoised) / sigma
        state.latent = state.latent + slope * (following - sigma)
        state.step += 1


def euler_ancestral(state: SamplerState, noise: Noise) -> Sampling:
    """Euler to a level below the next one, then fresh noise up to it (``sample_euler_ancestral``, eta 1)."""
    while state.step < state.steps:
        sigma, following = state.sigmas[state.step], state.sigmas[state.step + 1]
        denoised = yield Ask(state.latent, sigma)
        up = min(following, math.sqrt(following**2 * (sigma**2 - following**2) / sigma**2))
        down = math.sqrt(following**2 - up**2)
        slope = (state.latent - denoised) / sigma
        latent = state.latent + slope * (down - sigma)
        if following > 0:
            latent = latent + noise.at(state.draws).to(latent.device) * up
            state.draws += 1
        state.latent = latent
        state.step += 1


def dpmpp_2m(state: SamplerState, noise: Noise) -> Sampling:
    """DPM-Solver++(2M), Lu et al. (2022, arXiv 2211.01095), algorithm 2, in the log-sigma time of k-diffusion."""
    while state.step < state.steps:
        sigma, following = state.sigmas[state.step], state.sigmas[state.step + 1]
        denoised = yield Ask(state.latent, sigma)
        if following == 0:
            state.latent = denoised.clone()
        else:
            span = math.log(sigma / following)
            estimate = denoised
            earlier = state.history.get("denoised")
            if earlier:
                earlier_span = math.log(state.sigmas[state.step - 1] / sigma)
                weight = span / (2 * earlier_span)
                estimate = (1 + weight) * denoised - weight * earlier[0]
            state.latent = (following / sigma) * state.latent - math.expm1(-span) * estimate
        state.history = {"denoised": (denoised,)}
        state.step += 1


def ddim(state: SamplerState, noise: Noise) -> Sampling:
    """Song et al. (2020, arXiv 2010.02502), equation 12 with eta 0.

    The latent is kept in the paper's variance-preserving form; alpha = 1 / (1 + sigma squared).
    """
    while state.step < state.steps:
        sigma, following = state.sigmas[state.step], state.sigmas[state.step + 1]
        alpha, alpha_following = 1 / (1 + sigma**2), 1 / (1 + following**2)
        denoised = yield Ask(state.latent / math.sqrt(alpha), sigma)
        direction = (state.latent - math.sqrt(alpha) * denoised) / math.sqrt(1 - alpha)
        state.latent = math.sqrt(alpha_following) * denoised + math.sqrt(1 - alpha_following) * direction
        state.step += 1


def ddim_sigmas(levels: NoiseLevels, steps: int) -> Sigmas:
    """The levels of A1111's DDIM: every (1000 // steps)-th timestep plus one, without a final step to zero noise.

    The list has one entry less or more than ``steps`` asks for when the division leaves a rest, as in A1111. For one
    step A1111 would never call the network; here that step goes from the last timestep to the first.
    """
    count = levels.last_timestep + 1
    times = [min(time + 1, levels.last_timestep) for time in range(0, count, max(1, count // steps))]
    if len(times) < 2:
        times = [1, levels.last_timestep]
    return tuple(float(levels.sigmas[time]) for time in reversed(times))


@dataclass(frozen=True, slots=True)
class Method:
    """A sampler with what it needs to begin."""

    sample: Sampler
    own_sigmas: Callable[[NoiseLevels, int], Sigmas] | None = None  #: set for samplers to which no schedule applies
    variance_preserving: bool = False  #: form of the latent in the state


#: Labels of domain.samplers.SAMPLERS.
METHODS: dict[str, Method] = {
    "DPM++ 2M": Method(dpmpp_2m),
    "Euler a": Method(euler_ancestral),
    "Euler": Method(euler),
    "DDIM": Method(ddim, own_sigmas=ddim_sigmas, variance_preserving=True),
}


def find_method(sampler: str) -> Method:
    """Raises RecipeUnsupported for a label this engine does not know."""
    try:
        return METHODS[sampler]
    except KeyError:
        raise RecipeUnsupported(
            f"This engine has no sampler called {sampler!r}.", hint=f"It knows {', '.join(METHODS)}."
        ) from None


def plan_sigmas(sampler: str, schedule: str, steps: int, levels: NoiseLevels) -> Sigmas:
    """The noise levels one picture visits. Raises RecipeUnsupported for labels this engine does not know."""
    method = find_method(sampler)
    if method.own_sigmas is not None:
        return method.own_sigmas(levels, steps)
    label = AUTOMATIC_SCHEDULES.get(sampler, "Uniform") if schedule == "Automatic" else schedule
    if label not in SCHEDULES:
        raise RecipeUnsupported(
            f"This engine has no schedule called {schedule!r}.", hint=f"It knows Automatic, {', '.join(SCHEDULES)}."
        )
    return SCHEDULES[label](levels, steps)


def begin(sampler: str, sigmas: Sigmas, noise: Noise, device: torch.device) -> SamplerState:
    """The state before the first step: the seed's first draw, scaled to the first noise level."""
    first = noise.at(0).to(device)
    return SamplerState(first if find_method(sampler).variance_preserving else first * sigmas[0], sigmas)
