"""DDIM, DDIM CFG++ and LCM: whole timesteps instead of a schedule, or few steps of a distilled checkpoint."""

import numpy as np

from stablehand.engine.levels import NoiseLevels, Sigmas
from stablehand.engine.samplers.asks import Ask, Means, Sampling, ancestral, preserved, toward
from stablehand.engine.samplers.state import SamplerState

#: Steps that a consistency model was distilled to.
LCM_TIMESTEPS = 50
#: Of the boundary condition, with A1111's and diffusers' scaling of timesteps.
LCM_SIGMA_DATA, LCM_TIMESTEP_SCALING = 0.5, 10.0


def times(levels: NoiseLevels, steps: int) -> list[int]:
    """A1111's timesteps, falling: every (1000 // steps)-th plus one.

    The list has more or fewer entries than ``steps`` asks for when the division leaves a rest. For one step A1111
    would never call the network; here that step goes from the last timestep to the first.
    """
    count = levels.last_timestep + 1
    found = [min(time + 1, levels.last_timestep) for time in range(0, count, max(1, count // steps))]
    found = sorted(set(found), reverse=True)
    return found if len(found) > 1 else [levels.last_timestep, 1]


def ddim_sigmas(levels: NoiseLevels, steps: int) -> Sigmas:
    """The levels of :func:`times`, without a final step to zero noise."""
    return tuple(float(levels.sigmas[time]) for time in times(levels, steps))


def ddim_part(levels: NoiseLevels, steps: int, taken: int) -> Sigmas:
    """The last ``taken`` steps of :func:`ddim_sigmas`, as far as it has that many."""
    return ddim_sigmas(levels, steps)[-(taken + 1) :]


def ddim(state: SamplerState, means: Means) -> Sampling:
    """Song et al. (2020, arXiv 2010.02502), equation 12; eta is 0 unless set.

    In the variance-exploding form that is an ancestral step, and for eta 0 Euler's.
    """
    eta = means.eta(0.0)
    while state.step < state.steps:
        sigma, following = state.sigmas[state.step], state.sigmas[state.step + 1]
        denoised = (yield Ask(state.latent, sigma)).denoised
        down, up = ancestral(sigma, following, eta)
        latent = toward(state.latent, denoised, sigma, down)
        if up > 0:
            latent = latent + means.noise.at(state.draws) * up
        state.latent = preserved(latent, state)
        state.draws += 1
        state.step += 1


def ddim_cfgpp(state: SamplerState, means: Means) -> Sampling:
    """CFG++, Chung et al. (2024, arXiv 2406.08070): guided target, unguided direction of the noise."""
    eta = means.eta(0.0)
    while state.step < state.steps:
        sigma, following = state.sigmas[state.step], state.sigmas[state.step + 1]
        answer = yield Ask(state.latent, sigma)
        unguided = answer.denoised if answer.uncond is None else answer.uncond
        down, up = ancestral(sigma, following, eta)
        latent = answer.denoised + (down / sigma) * (state.latent - unguided)
        if up > 0:
            latent = latent + means.noise.at(state.draws) * up
        state.latent = preserved(latent, state)
        state.draws += 1
        state.step += 1


def lcm_levels(levels: NoiseLevels) -> NoiseLevels:
    """Only the levels that latent consistency models were distilled on: each 20th of the trained timesteps."""
    stride = max(1, len(levels.alphas) // LCM_TIMESTEPS)
    return NoiseLevels(levels.alphas[stride - 1 :: stride], levels.prediction)


def lcm(state: SamplerState, means: Means) -> Sampling:
    """Luo et al. (2023, arXiv 2310.04378), multistep, with the timesteps of A1111's ``sample_lcm``.

    The network is told the nearest timestep it was distilled on, and the boundary condition of consistency models
    (Song et al. 2023, arXiv 2303.01469, equation 5) is laid over its answer.
    """
    stride = max(1, len(means.levels.alphas) // LCM_TIMESTEPS)
    known = np.log(lcm_levels(means.levels).sigmas)
    while state.step < state.steps:
        sigma, following = state.sigmas[state.step], state.sigmas[state.step + 1]
        timestep = float(np.abs(known - np.log(sigma)).argmin() * stride + stride - 1)
        denoised = (yield Ask(state.latent, sigma, timestep)).denoised
        scaled = timestep * LCM_TIMESTEP_SCALING
        skip = LCM_SIGMA_DATA**2 / (scaled**2 + LCM_SIGMA_DATA**2)
        out = scaled / np.sqrt(scaled**2 + LCM_SIGMA_DATA**2)
        latent = float(out) * denoised + skip * state.latent
        if following > 0:
            latent = latent + means.noise.at(state.draws) * following
            state.draws += 1
        state.latent = latent
        state.step += 1
