"""What an order leaves open, by the checkpoint that draws it.

A network that was distilled for few steps is drawn at those: with the usual ones it takes far longer, and guidance that
it already learnt burns its pictures.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from stablehand.domain.checkpoints import Checkpoint


@dataclass(frozen=True, slots=True)
class Defaults:
    """Steps, sampler, schedule and guidance of an order that does not name them.

    * Usual networks: those of A1111's web UI at 20 steps.
    * ``lcm``: 6 steps of the sampler LCM (Luo et al. 2023, arXiv 2310.04378: 1 to 8). Guidance 1.5 is the middle of
      what the authors of LCM-LoRA (arXiv 2311.05556) advise for checkpoints that it was merged into, 1 to 2. Whole LCM
      networks are told the guidance instead and bear more; a checkpoint's facts do not tell the two apart, and the
      merged ones are the many.
    * ``turbo``: 4 steps without guidance (Sauer et al. 2023, arXiv 2311.17042: 1 to 4), ancestral as its authors do.
    * ``lightning``: Euler without guidance (Lin et al. 2024, arXiv 2402.13929). Its networks are made for 2, 4 or 8
      steps each, and no header says which: 6 lie between the two common ones.
    * ``hyper``: 8 steps without guidance (Ren et al. 2024, arXiv 2404.13686: made for 1 to 8). Its authors draw with a
      DDIM that begins at pure noise; ours, as A1111's, does not, and Euler's steps are DDIM's without noise put back.

    The authors of the last three space their timesteps from the end, where there is nothing but noise: the schedule
    SGM Uniform. Uniform would give one of so few steps to timestep 0, which has nothing left to draw.
    """

    steps: int
    sampler: str
    schedule: str
    cfg_scale: float


USUAL = Defaults(steps=20, sampler="DPM++ 2M", schedule="Automatic", cfg_scale=7.0)

#: distillation -> its defaults
DISTILLED: Mapping[str, Defaults] = MappingProxyType(
    {
        "lcm": Defaults(steps=6, sampler="LCM", schedule="Automatic", cfg_scale=1.5),
        "turbo": Defaults(steps=4, sampler="Euler a", schedule="SGM Uniform", cfg_scale=1.0),
        "lightning": Defaults(steps=6, sampler="Euler", schedule="SGM Uniform", cfg_scale=1.0),
        "hyper": Defaults(steps=8, sampler="Euler", schedule="SGM Uniform", cfg_scale=1.0),
    }
)


def defaults_of(checkpoint: Checkpoint) -> Defaults:
    """Those of its distillation; the usual ones where it has none, or one that nobody here knows."""
    return DISTILLED.get(checkpoint.distillation or "", USUAL)
