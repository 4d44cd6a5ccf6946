"""Schedules: which noise levels a sampler visits, under A1111's names and with its numbers.

Every schedule answers with ``steps`` falling sigmas, then 0.
"""

from collections.abc import Callable

import numpy as np

from stablehand.engine.levels import NoiseLevels, Sigmas


def uniform(levels: NoiseLevels, steps: int) -> Sigmas:
    """Equal steps in time from the last trained timestep to 0, log sigma interpolated (k-diffusion ``get_sigmas``)."""
    times = np.linspace(levels.last_timestep, 0, steps)
    return (*(levels.sigma(time) for time in times), 0.0)


def karras(levels: NoiseLevels, steps: int, rho: float = 7.0) -> Sigmas:
    """Karras et al. (2022), equation 5, between the smallest and the largest trained sigma."""
    smallest, largest = float(levels.sigmas[0]), float(levels.sigmas[-1])
    ramp = np.linspace(0, 1, steps)
    sigmas = (largest ** (1 / rho) + ramp * (smallest ** (1 / rho) - largest ** (1 / rho))) ** rho
    return (*(float(sigma) for sigma in sigmas), 0.0)


#: Label -> formula. "Automatic" is not here: it means the sampler's own choice (engine/samplers.py).
SCHEDULES: dict[str, Callable[[NoiseLevels, int], Sigmas]] = {
    "Uniform": uniform,
    "Karras": karras,
    "Normal": uniform,  # in A1111 the same numbers under a second name
}
