"""A picture between two steps: all that must outlive a tick, in plain values that can be saved and carried away."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from stablehand.engine.levels import Sigmas


@dataclass(slots=True, eq=False)
class SamplerState:
    """Tensors and numbers only. It changes as a whole, at the end of a step.

    ``latent`` has the variance-exploding form ``x0 + sigma * noise`` until the last step is done. What one sampler
    needs beyond it lies in ``history`` and ``numbers`` under names of its own choice.
    """

    latent: Tensor  #: (channels, height, width), float32
    sigmas: Sigmas  #: the noise levels to visit; step i goes from sigmas[i] to sigmas[i + 1]
    step: int = 0
    draws: int = 1  #: noise draws used up; the first one made the starting latent
    history: dict[str, tuple[Tensor, ...]] = field(default_factory=dict)  #: of earlier steps, newest first
    numbers: dict[str, float] = field(default_factory=dict)

    @property
    def steps(self) -> int:
        return len(self.sigmas) - 1

    @property
    def progress(self) -> float:
        """0 to 1; samplers that choose their steps on the way say it themselves."""
        if "progress" in self.numbers:
            return self.numbers["progress"]
        return self.step / self.steps if self.steps else 1.0

    def copy_to(self, device: torch.device) -> "SamplerState":
        """The same state on another device; shares no memory with this one."""
        return SamplerState(
            latent=self.latent.detach().to(device, copy=True),
            sigmas=self.sigmas,
            step=self.step,
            draws=self.draws,
            history={
                name: tuple(tensor.detach().to(device, copy=True) for tensor in tensors)
                for name, tensors in self.history.items()
            },
            numbers=dict(self.numbers),
        )
