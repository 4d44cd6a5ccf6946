"""Euler, Euler a, Heun, and Restart, which is Heun's method with leaps back."""

import math
from collections.abc import Sequence

import numpy as np

from stablehand.engine.levels import Sigmas
from stablehand.engine.samplers.asks import Ask, Means, Sampling, ancestral, churned, slope, toward
from stablehand.engine.samplers.state import SamplerState
from stablehand.engine.schedules import karras_between


def euler(state: SamplerState, means: Means) -> Sampling:
    """Karras et al. (2022, arXiv 2206.00364), algorithm 2 without the second-order correction."""
    while state.step < state.steps:
        latent, sigma = churned(state, means)
        denoised = (yield Ask(latent, sigma)).denoised
        state.latent = toward(latent, denoised, sigma, state.sigmas[state.step + 1])
        state.draws += 1
        state.step += 1


def euler_ancestral(state: SamplerState, means: Means) -> Sampling:
    """Euler to a level below the next one, then fresh noise up to it (k-diffusion ``sample_euler_ancestral``)."""
    eta = means.eta(1.0)
    while state.step < state.steps:
        sigma, following = state.sigmas[state.step], state.sigmas[state.step + 1]
        denoised = (yield Ask(state.latent, sigma)).denoised
        down, up = ancestral(sigma, following, eta)
        latent = toward(state.latent, denoised, sigma, down)
        if following > 0:
            latent = latent + means.noise.at(state.draws) * (means.options.s_noise * up)
            state.draws += 1
        state.latent = latent
        state.step += 1


def heun(state: SamplerState, means: Means) -> Sampling:
    """Karras et al. (2022), algorithm 2: the mean of the slopes at both ends of a step."""
    while state.step < state.steps:
        following = state.sigmas[state.step + 1]
        latent, sigma = churned(state, means)
        denoised = (yield Ask(latent, sigma)).denoised
        reached = toward(latent, denoised, sigma, following)
        if following > 0:
            denoised_there = (yield Ask(reached, following)).denoised
            mean = (slope(latent, denoised, sigma) + slope(reached, denoised_there, following)) / 2
            reached = latent + mean * (following - sigma)
        state.latent = reached
        state.draws += 1
        state.step += 1


def restart(state: SamplerState, means: Means) -> Sampling:
    """Xu et al. (2023, arXiv 2306.14878): Heun steps, and now and then fresh noise back up to a level.

    The levels come from :func:`restart_sigmas`; a step to a higher level is such a leap back.
    """
    while state.step < state.steps:
        sigma, following = state.sigmas[state.step], state.sigmas[state.step + 1]
        if following > sigma:
            fresh = means.noise.at(state.draws) * means.options.s_noise
            state.latent = state.latent + fresh * math.sqrt(following**2 - sigma**2)
            state.draws += 1
            state.step += 1
            continue
        denoised = (yield Ask(state.latent, sigma)).denoised
        reached = toward(state.latent, denoised, sigma, following)
        if following > 0:
            denoised_there = (yield Ask(reached, following)).denoised
            mean = (slope(state.latent, denoised, sigma) + slope(reached, denoised_there, following)) / 2
            reached = state.latent + mean * (following - sigma)
        state.latent = reached
        state.step += 1


#: From 0.1 back to 2: where A1111 restarts.
RESTART_FROM, RESTART_TO = 0.1, 2.0


def restart_sigmas(sigmas: Sigmas) -> Sigmas:
    """The levels with A1111's restarts in them: none below 20 steps, one of 9 steps below 36, then two of a quarter.

    From 20 steps on the plain levels are Karras's whatever the schedule, and as many fewer as the restarts take. Where
    a picture begins too low for restarts, the levels stay as they are.
    """
    steps = len(sigmas) - 1
    if steps < 20:
        return sigmas
    length, times = (9, 1) if steps < 36 else (steps // 4, 2)
    plain = (*karras_between(sigmas[-2], sigmas[0], steps - length * times), 0.0)
    low, high = _nearest(plain, RESTART_FROM), _nearest(plain, RESTART_TO)
    if high >= low:
        return sigmas
    again = (*karras_between(plain[low], plain[high], length + 1)[:-1], plain[low])
    return (*plain[: low + 1], *(again * times), *plain[low + 1 :])


def _nearest(sigmas: Sequence[float], wanted: float) -> int:
    return int(np.argmin(np.abs(np.asarray(sigmas) - wanted)))
