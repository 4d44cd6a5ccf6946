"""The DPM-Solver++ family: 2M, 2S a, SDE, 2M SDE, 2M SDE Heun, 3M SDE.

Lu et al. (2022, arXiv 2211.01095), in the forms of k-diffusion (MIT), by Katherine Crowson. Time is ``-log sigma``.
"""

import math

from stablehand.engine.brownian import BrownianPath
from stablehand.engine.samplers.asks import Ask, Means, Sampling, ancestral, toward
from stablehand.engine.samplers.state import SamplerState


def dpmpp_2m(state: SamplerState, means: Means) -> Sampling:
    """DPM-Solver++(2M), algorithm 2: the denoised latent extrapolated from the last two."""
    while state.step < state.steps:
        sigma, following = state.sigmas[state.step], state.sigmas[state.step + 1]
        denoised = (yield Ask(state.latent, sigma)).denoised
        estimate = denoised
        earlier = state.history.get("denoised")
        if earlier and following > 0:
            weight = math.log(sigma / following) / (2 * math.log(state.sigmas[state.step - 1] / sigma))
            estimate = (1 + weight) * denoised - weight * earlier[0]
        state.latent = toward(state.latent, estimate, sigma, following)
        state.history = {"denoised": (denoised,)}
        state.step += 1


def dpmpp_2s_ancestral(state: SamplerState, means: Means) -> Sampling:
    """DPM-Solver++(2S), algorithm 1, to a level below the next one, then noise (``sample_dpmpp_2s_ancestral``)."""
    eta = means.eta(1.0)
    while state.step < state.steps:
        sigma, following = state.sigmas[state.step], state.sigmas[state.step + 1]
        denoised = (yield Ask(state.latent, sigma)).denoised
        down, up = ancestral(sigma, following, eta)
        if down > 0:
            middle = math.sqrt(sigma * down)
            between = toward(state.latent, denoised, sigma, middle)
            denoised = (yield Ask(between, middle)).denoised
        latent = toward(state.latent, denoised, sigma, down)
        if following > 0:
            latent = latent + means.noise.at(state.draws) * (means.options.s_noise * up)
            state.draws += 1
        state.latent = latent
        state.step += 1


def dpmpp_sde(state: SamplerState, means: Means) -> Sampling:
    """DPM-Solver++(2S) on the stochastic equation: noise at the middle and at the end (``sample_dpmpp_sde``, r 1/2)."""
    eta, s_noise = means.eta(1.0), means.options.s_noise
    path = _path(state, means)
    while state.step < state.steps:
        sigma, following = state.sigmas[state.step], state.sigmas[state.step + 1]
        denoised = (yield Ask(state.latent, sigma)).denoised
        if following == 0:
            latent = denoised
        else:
            middle = math.sqrt(sigma * following)
            down, up = ancestral(sigma, middle, eta)
            between = toward(state.latent, denoised, sigma, down)
            if up > 0:
                between = between + path.noise(sigma, middle) * (s_noise * up)
            denoised_there = (yield Ask(between, middle)).denoised
            down, up = ancestral(sigma, following, eta)
            latent = toward(state.latent, denoised_there, sigma, down)
            if up > 0:
                latent = latent + path.noise(sigma, following) * (s_noise * up)
        state.latent = latent
        state.step += 1


def dpmpp_2m_sde(state: SamplerState, means: Means) -> Sampling:
    """SDE-DPM-Solver++(2M), its solver of the midpoint kind (``sample_dpmpp_2m_sde``)."""
    return _dpmpp_2m_sde(state, means, is_heun=False)


def dpmpp_2m_sde_heun(state: SamplerState, means: Means) -> Sampling:
    """SDE-DPM-Solver++(2M), its solver of Heun's kind (``solver_type="heun"``)."""
    return _dpmpp_2m_sde(state, means, is_heun=True)


def _dpmpp_2m_sde(state: SamplerState, means: Means, is_heun: bool) -> Sampling:
    eta = means.eta(1.0)
    path = _path(state, means)
    while state.step < state.steps:
        sigma, following = state.sigmas[state.step], state.sigmas[state.step + 1]
        denoised = (yield Ask(state.latent, sigma)).denoised
        if following == 0:
            latent = denoised
        else:
            span = math.log(sigma / following)
            share = -math.expm1(-span * (1 + eta))
            latent = math.exp(-span * (1 + eta)) * state.latent + share * denoised
            earlier = state.history.get("denoised")
            if earlier:
                ratio = math.log(state.sigmas[state.step - 1] / sigma) / span
                factor = 1 - share / (span * (1 + eta)) if is_heun else share / 2
                latent = latent + (factor / ratio) * (denoised - earlier[0])
            if eta:
                up = following * math.sqrt(-math.expm1(-2 * span * eta)) * means.options.s_noise
                latent = latent + path.noise(sigma, following) * up
        state.latent = latent
        state.history = {"denoised": (denoised,)}
        state.step += 1


def dpmpp_3m_sde(state: SamplerState, means: Means) -> Sampling:
    """The same with the divided differences of three denoised latents (``sample_dpmpp_3m_sde``).

    Like its authors' code and k-diffusion, it takes half of what the interpolating parabola's quadratic term would be.
    """
    eta = means.eta(1.0)
    path = _path(state, means)
    while state.step < state.steps:
        sigma, following = state.sigmas[state.step], state.sigmas[state.step + 1]
        denoised = (yield Ask(state.latent, sigma)).denoised
        earlier = state.history.get("denoised", ())
        if following == 0:
            latent = denoised
        else:
            span = math.log(sigma / following)
            grown = span * (1 + eta)
            latent = math.exp(-grown) * state.latent - math.expm1(-grown) * denoised
            phi_2 = math.expm1(-grown) / grown + 1
            if earlier:
                ratio_0 = math.log(state.sigmas[state.step - 1] / sigma) / span
                first = (denoised - earlier[0]) / ratio_0
                if len(earlier) == 1:
                    latent = latent + phi_2 * first
                else:
                    ratio_1 = math.log(state.sigmas[state.step - 2] / state.sigmas[state.step - 1]) / span
                    bend = (first - (earlier[0] - earlier[1]) / ratio_1) / (ratio_0 + ratio_1)
                    phi_3 = phi_2 / grown - 0.5
                    latent = latent + phi_2 * (first + bend * ratio_0) - phi_3 * bend
            if eta:
                up = following * math.sqrt(-math.expm1(-2 * span * eta)) * means.options.s_noise
                latent = latent + path.noise(sigma, following) * up
        state.latent = latent
        state.history = {"denoised": (denoised, *earlier[:1])}
        state.step += 1


def _path(state: SamplerState, means: Means) -> BrownianPath:
    """The picture's Brownian motion between its lowest positive and its highest level."""
    positive = [sigma for sigma in state.sigmas if sigma > 0]
    return means.noise.path(min(positive, default=0.0), max(positive, default=0.0))
