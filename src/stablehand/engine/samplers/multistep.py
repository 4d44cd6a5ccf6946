"""Linear multistep methods, LMS and PLMS, and the predictor-corrector UniPC: one call a step, and a memory."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from stablehand.engine.levels import NoiseLevels, Sigmas
from stablehand.engine.samplers.asks import Ask, Means, Sampling, preserved, slope, toward
from stablehand.engine.samplers.ddim import times
from stablehand.engine.samplers.state import SamplerState

LMS_ORDER = 4
#: Two nodes integrate cubics exactly (Gauss-Legendre).
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(LMS_ORDER // 2)
#: Adams-Bashforth weights of the newest slope and those before it, by how many there are.
PLMS_WEIGHTS = ((3 / 2, -1 / 2), (23 / 12, -16 / 12, 5 / 12), (55 / 24, -59 / 24, 37 / 24, -9 / 24))
UNIPC_ORDER = 3


def lms(state: SamplerState, means: Means) -> Sampling:
    """Adams-Bashforth of order 4 in sigma, for uneven steps (k-diffusion ``sample_lms``)."""
    while state.step < state.steps:
        sigma = state.sigmas[state.step]
        denoised = (yield Ask(state.latent, sigma)).denoised
        slopes = (slope(state.latent, denoised, sigma), *state.history.get("slopes", ())[: LMS_ORDER - 1])
        weights = lms_weights(state.sigmas, state.step, len(slopes))
        state.latent = state.latent + _sum(weights, slopes)
        state.history = {"slopes": slopes}
        state.step += 1


def lms_weights(sigmas: Sequence[float], step: int, order: int) -> list[float]:
    """The integrals over one step of the Lagrange polynomials through the last ``order`` levels, newest first."""
    start, end = sigmas[step], sigmas[step + 1]
    points = (start + end) / 2 + _NODES * (end - start) / 2
    levels = [sigmas[step - back] for back in range(order)]
    weights = []
    for own in levels:
        product = np.ones_like(points)
        for other in levels:
            if other != own:
                product = product * (points - other) / (own - other)
        weights.append(float((_WEIGHTS * product).sum()) * (end - start) / 2)
    return weights


def plms(state: SamplerState, means: Means) -> Sampling:
    """Liu et al. (2022, arXiv 2202.09778): DDIM steps with Adams-Bashforth slopes.

    The first step takes the mean of the slopes at both of its ends, which costs one call more; not if it is the only
    one, which would multiply what is wrong with its end by the whole way.
    """
    while state.step < state.steps:
        sigma, following = state.sigmas[state.step], state.sigmas[state.step + 1]
        denoised = (yield Ask(state.latent, sigma)).denoised
        newest = slope(state.latent, denoised, sigma)
        slopes = (newest, *state.history.get("slopes", ())[:3])
        if state.steps == 1:
            mean = newest
        elif len(slopes) == 1:
            reached = toward(state.latent, denoised, sigma, following)
            there = slope(reached, (yield Ask(reached, following)).denoised, following)
            mean = (newest + there) / 2
        else:
            mean = _sum(PLMS_WEIGHTS[len(slopes) - 2], slopes)
        state.latent = preserved(state.latent + mean * (following - sigma), state)
        state.history = {"slopes": slopes}
        state.step += 1


def unipc_sigmas(levels: NoiseLevels, steps: int) -> Sigmas:
    """As many equal steps in time as there are :func:`times`, from the last trained timestep to the first."""
    return unipc_levels(levels, levels.last_timestep, len(times(levels, steps)) if steps > 1 else 1)


def unipc_part(levels: NoiseLevels, steps: int, taken: int) -> Sigmas:
    """``taken`` steps from the timestep at which DDIM's last ``taken`` steps begin, as far as it has that many."""
    part = times(levels, steps)[-(taken + 1) :]
    return unipc_levels(levels, part[0], len(part) - 1)


def unipc_levels(levels: NoiseLevels, start: float, steps: int) -> Sigmas:
    """Equal steps in time from ``start`` to the first timestep, log alpha interpolated as UniPC's authors do."""
    grid = np.arange(len(levels.alphas))
    alphas = np.exp(np.interp(np.linspace(start, 0, steps + 1), grid, np.log(levels.alphas)))
    return tuple(float(sigma) for sigma in np.sqrt((1 - alphas) / alphas))


def unipc(state: SamplerState, means: Means) -> Sampling:
    """Zhao et al. (2023, arXiv 2302.04867): UniPC-3 on the denoised, B(h) = h, of lower order at both ends.

    A step first corrects the latent it was predicted to begin with, by the network's answer to it, then predicts the
    next one. State: the corrected latent before (``before``), and the denoised latents, newest first.
    """
    while state.step < state.steps:
        latent = state.latent
        denoised = (yield Ask(latent, state.sigmas[state.step])).denoised
        known = state.history.get("denoised", ())
        if known:
            before = state.history["before"][0]
            latent = _unipc_step(before, state, state.step - 1, known, arrived=denoised)
        known = (denoised, *known[: UNIPC_ORDER - 1])
        reached = _unipc_step(latent, state, state.step, known)
        state.latent = preserved(reached, state)
        state.history = {"before": (latent,), "denoised": known}
        state.step += 1


def _unipc_step(
    latent: Tensor, state: SamplerState, step: int, known: tuple[Tensor, ...], arrived: Tensor | None = None
) -> Tensor:
    """One step of the predictor, or of the corrector when the denoised latent it ``arrived`` at is known."""
    sigmas = state.sigmas
    order = min(UNIPC_ORDER, step + 1, state.steps - step)
    times_known = [-math.log(sigmas[step - back]) for back in range(order)]
    span = -math.log(sigmas[step + 1]) - times_known[0]
    ratios = [(time - times_known[0]) / span for time in times_known[1:]]
    differences = [(tensor - known[0]) / ratio for tensor, ratio in zip(known[1:order], ratios, strict=True)]
    if arrived is not None:
        ratios, differences = [*ratios, 1.0], [*differences, arrived - known[0]]
    reached = toward(latent, known[0], sigmas[step], sigmas[step + 1])
    if not differences:
        return reached
    return reached + span * _sum(_unipc_weights(ratios, span), differences)


def _unipc_weights(ratios: list[float], span: float) -> NDArray[np.float64]:
    """Solve for the weights that make the step exact for polynomials; a single one is 1/2 as the authors choose."""
    if len(ratios) == 1:
        return np.array([0.5])
    phi = math.expm1(-span) / -span - 1
    moments = []
    factorial = 1
    for power in range(1, len(ratios) + 1):
        factorial *= power
        moments.append(phi * factorial / -span)
        phi = phi / -span - 1 / math.factorial(power + 1)
    matrix = np.vander(ratios, increasing=True).T
    return np.asarray(np.linalg.solve(matrix, moments))


def _sum(weights: Sequence[float] | NDArray[np.float64], tensors: Sequence[Tensor]) -> Tensor:
    total = float(weights[0]) * tensors[0]
    for weight, tensor in zip(weights[1:], tensors[1:], strict=True):
        total = total + float(weight) * tensor
    return total
