"""The noise levels a checkpoint was trained on, and the way between levels and timesteps.

``sigma`` is the standard deviation of the noise in the variance-exploding form, where a noisy latent is
``x = x0 + sigma * noise``; networks see it scaled to unit variance (Karras et al. 2022, arXiv 2206.00364, table 1).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from stablehand.domain.errors import CheckpointBroken

Prediction = Literal["epsilon", "v_prediction"]
#: Falling noise levels that a sampler visits.
Sigmas = tuple[float, ...]


#: What a checkpoint with zero terminal SNR keeps of the picture at its last timestep, so that sigma stays finite: 4519,
#: as in A1111. diffusers keeps 2 ** -24, which is 4096.
SMALLEST_ALPHA = 4.8973451890853435e-08


@dataclass(frozen=True, eq=False)
class NoiseLevels:
    """``alphas``: cumulative product of (1 - beta) for each trained timestep, falling from almost 1 to almost 0."""

    alphas: NDArray[np.float64]
    prediction: Prediction = "epsilon"

    @cached_property
    def sigmas(self) -> NDArray[np.float64]:
        """One per trained timestep, rising."""
        return np.sqrt((1 - self.alphas) / self.alphas)

    @cached_property
    def _log_sigmas(self) -> NDArray[np.float64]:
        return np.log(self.sigmas)

    @property
    def last_timestep(self) -> int:
        return len(self.alphas) - 1

    def sigma(self, timestep: float) -> float:
        """Linear interpolation of log sigma between trained timesteps, as k-diffusion's ``t_to_sigma``."""
        return float(np.exp(np.interp(timestep, np.arange(len(self.alphas)), self._log_sigmas)))

    def timestep(self, sigma: float) -> float:
        """The inverse of :meth:`sigma`, clamped to the trained range; fractional, as k-diffusion without quantising."""
        return float(np.interp(np.log(sigma), self._log_sigmas, np.arange(len(self.alphas))))

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "NoiseLevels":
        """Read a diffusers ``scheduler_config.json``.

        Raises CheckpointBroken for beta schedules or prediction types that Stable Diffusion checkpoints do not use.
        """
        steps = int(config.get("num_train_timesteps", 1000))
        start, end = float(config.get("beta_start", 0.00085)), float(config.get("beta_end", 0.012))
        schedule = config.get("beta_schedule", "scaled_linear")
        if config.get("trained_betas") is not None:
            betas = np.asarray(config["trained_betas"], dtype=np.float64)
        elif schedule == "scaled_linear":
            betas = np.linspace(start**0.5, end**0.5, steps, dtype=np.float64) ** 2
        elif schedule == "linear":
            betas = np.linspace(start, end, steps, dtype=np.float64)
        else:
            raise CheckpointBroken(
                f"The checkpoint's scheduler_config.json asks for the beta schedule {schedule!r}.",
                hint="Stable Diffusion checkpoints use scaled_linear or linear.",
            )
        alphas = np.cumprod(1 - betas, dtype=np.float64)
        if config.get("rescale_betas_zero_snr"):
            alphas = zero_terminal_snr(alphas)
        prediction = config.get("prediction_type", "epsilon")
        if prediction not in ("epsilon", "v_prediction"):
            raise CheckpointBroken(
                f"The checkpoint's scheduler_config.json asks for the prediction type {prediction!r}.",
                hint="This engine knows epsilon and v_prediction.",
            )
        return cls(np.maximum(alphas, SMALLEST_ALPHA), prediction)


def zero_terminal_snr(alphas: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rescaled so that nothing of the picture is left at the last timestep, up to ``SMALLEST_ALPHA``.

    Lin et al. (2023, arXiv 2305.08891), algorithm 1: the roots are shifted to end at 0 and scaled to begin where they
    did.
    """
    roots = np.sqrt(alphas)
    roots = (roots - roots[-1]) * roots[0] / (roots[0] - roots[-1])
    return np.asarray(np.maximum(roots**2, SMALLEST_ALPHA))
