"""Schedules: which noise levels a sampler visits, under A1111's names and with its numbers.

Every schedule answers with falling sigmas and then 0: ``steps`` of them, or about as many where it says so. Where A1111
starts a single step at its lowest level, which draws nothing, these start at the highest.
"""

import math
from collections.abc import Callable

import numpy as np

from stablehand.engine.beta import beta_quantile
from stablehand.engine.levels import NoiseLevels, Sigmas

#: (levels, steps, family of the checkpoint) -> sigmas
Schedule = Callable[[NoiseLevels, int, str], Sigmas]

BETA_SHAPE = 0.6

#: Sabour et al. (2024, arXiv 2404.14507): levels for ten steps.
ALIGNED_SD = (14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.029)
ALIGNED_SDXL = (14.615, 6.315, 3.771, 2.181, 1.342, 0.862, 0.555, 0.380, 0.234, 0.113, 0.029)


def uniform(levels: NoiseLevels, steps: int, family: str) -> Sigmas:
    """Equal steps in time from the last trained timestep to 0, log sigma interpolated (k-diffusion ``get_sigmas``)."""
    return (*(levels.sigma(time) for time in np.linspace(levels.last_timestep, 0, steps)), 0.0)


def sgm_uniform(levels: NoiseLevels, steps: int, family: str) -> Sigmas:
    """Equal steps in time that end one step above 0, as Stability's generative-models lay them."""
    return (*(levels.sigma(time) for time in np.linspace(levels.last_timestep, 0, steps + 1)[:-1]), 0.0)


def karras(levels: NoiseLevels, steps: int, family: str) -> Sigmas:
    """Karras et al. (2022, arXiv 2206.00364), equation 5, between the smallest and the largest trained sigma, rho 7."""
    return (*karras_between(*_ends(levels), steps), 0.0)


def karras_between(smallest: float, largest: float, steps: int, rho: float = 7.0) -> Sigmas:
    """``steps`` levels from the largest to the smallest, both among them."""
    ramp = np.linspace(0, 1, steps)
    sigmas = (largest ** (1 / rho) + ramp * (smallest ** (1 / rho) - largest ** (1 / rho))) ** rho
    return tuple(float(sigma) for sigma in sigmas)


def exponential(levels: NoiseLevels, steps: int, family: str) -> Sigmas:
    """Equal steps in log sigma (k-diffusion ``get_sigmas_exponential``)."""
    smallest, largest = _ends(levels)
    return (*(float(sigma) for sigma in np.exp(np.linspace(math.log(largest), math.log(smallest), steps))), 0.0)


def polyexponential(levels: NoiseLevels, steps: int, family: str) -> Sigmas:
    """A polynomial in log sigma of degree rho (``get_sigmas_polyexponential``); A1111's rho is 1: as exponential."""
    return exponential(levels, steps, family)


def kl_optimal(levels: NoiseLevels, steps: int, family: str) -> Sigmas:
    """Sabour et al. (2024, arXiv 2404.14507): equal steps in arctan sigma. Ends at the smallest level, not at 0."""
    smallest, largest = _ends(levels)
    angles = np.linspace(math.atan(largest), math.atan(smallest), steps + 1)
    return tuple(float(sigma) for sigma in np.tan(angles))


def align_your_steps(levels: NoiseLevels, steps: int, family: str) -> Sigmas:
    """Sabour et al. (2024): measured levels, interpolated in log sigma to other numbers of steps."""
    aligned = ALIGNED_SDXL if family.startswith("sdxl") else ALIGNED_SD
    places = np.linspace(0, 1, len(aligned))
    sigmas = np.exp(np.interp(np.linspace(0, 1, steps), places, np.log(aligned)))
    return (*(float(sigma) for sigma in sigmas), 0.0)


def simple(levels: NoiseLevels, steps: int, family: str) -> Sigmas:
    """Every so many-th trained level, counted from the largest."""
    count = len(levels.sigmas)
    return (*(float(levels.sigmas[-(1 + int(step * (count / steps)))]) for step in range(steps)), 0.0)


def ddim_uniform(levels: NoiseLevels, steps: int, family: str) -> Sigmas:
    """Every (1000 // steps)-th trained level from the second smallest on; more than ``steps`` where a rest remains."""
    if steps == 1:
        return (float(levels.sigmas[-1]), 0.0)
    count = len(levels.sigmas)
    return (*(float(sigma) for sigma in levels.sigmas[1 :: max(1, count // steps)][::-1]), 0.0)


def beta(levels: NoiseLevels, steps: int, family: str) -> Sigmas:
    """Lee et al. (2024, arXiv 2407.12173): levels spread as the beta distribution with both shapes 0.6."""
    smallest, largest = _ends(levels)
    places = (beta_quantile(float(share), BETA_SHAPE, BETA_SHAPE) for share in 1 - np.linspace(0, 1, steps))
    return (*(smallest + place * (largest - smallest) for place in places), 0.0)


def _ends(levels: NoiseLevels) -> tuple[float, float]:
    return float(levels.sigmas[0]), float(levels.sigmas[-1])


#: Label -> formula. "Automatic" is not here: it means the sampler's own choice (domain/samplers.py).
SCHEDULES: dict[str, Schedule] = {
    "Uniform": uniform,
    "Karras": karras,
    "Exponential": exponential,
    "Polyexponential": polyexponential,
    "SGM Uniform": sgm_uniform,
    "KL Optimal": kl_optimal,
    "Align Your Steps": align_your_steps,
    "Simple": simple,
    "Normal": uniform,  # in A1111 the same numbers under a second name
    "DDIM": ddim_uniform,
    "Beta": beta,
}
