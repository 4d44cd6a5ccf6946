"""The table of samplers: label, formula, and what each needs to begin."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from stablehand.domain.errors import RecipeUnsupported
from stablehand.engine.levels import NoiseLevels, Sigmas
from stablehand.engine.samplers import ddim, dpm, dpmpp, euler, multistep
from stablehand.engine.samplers.asks import Sampler
from stablehand.engine.schedules import uniform


def _uniform_only(levels: NoiseLevels, steps: int) -> Sigmas:
    """DPM fast and DPM adaptive take only the ends of it and the number of steps."""
    return uniform(levels, steps, "")


@dataclass(frozen=True, slots=True)
class Method:
    """A sampler with what it needs to begin."""

    sample: Sampler
    own_sigmas: Callable[[NoiseLevels, int], Sigmas] | None = None  #: set for samplers to which no schedule applies
    #: (levels, steps of the whole, steps to take) -> the end of the own sigmas; None: cut as a schedule is
    part_sigmas: Callable[[NoiseLevels, int, int], Sigmas] | None = None
    own_levels: Callable[[NoiseLevels], NoiseLevels] | None = None  #: the levels it picks from; None: all trained ones
    arrange: Callable[[Sigmas], Sigmas] | None = None  #: what it makes of a schedule's sigmas
    #: Pure noise starts with the variance of a noisy picture, as timestep samplers start in A1111, rather than with
    #: that of the noise in it.
    starts_whole: bool = False
    guidance_factor: float = 1.0  #: what the guidance scale is multiplied with
    needs_uncond: bool = False  #: asks for the unguided estimate whatever the guidance scale


_DDIM: dict[str, Any] = {"own_sigmas": ddim.ddim_sigmas, "part_sigmas": ddim.ddim_part, "starts_whole": True}

#: Labels of domain.samplers.SAMPLERS.
METHODS: dict[str, Method] = {
    "DPM++ 2M": Method(dpmpp.dpmpp_2m),
    "DPM++ SDE": Method(dpmpp.dpmpp_sde),
    "DPM++ 2M SDE": Method(dpmpp.dpmpp_2m_sde),
    "DPM++ 2M SDE Heun": Method(dpmpp.dpmpp_2m_sde_heun),
    "DPM++ 2S a": Method(dpmpp.dpmpp_2s_ancestral),
    "DPM++ 3M SDE": Method(dpmpp.dpmpp_3m_sde),
    "Euler a": Method(euler.euler_ancestral),
    "Euler": Method(euler.euler),
    "LMS": Method(multistep.lms),
    "Heun": Method(euler.heun),
    "DPM2": Method(dpm.dpm2),
    "DPM2 a": Method(dpm.dpm2_ancestral),
    "DPM fast": Method(dpm.dpm_fast, own_sigmas=_uniform_only),
    "DPM adaptive": Method(dpm.dpm_adaptive, own_sigmas=_uniform_only),
    "Restart": Method(euler.restart, arrange=euler.restart_sigmas),
    "DDIM": Method(ddim.ddim, **_DDIM),
    # A1111 maps its scale of 0 to 12.5 to the paper's 0 to 1.
    "DDIM CFG++": Method(ddim.ddim_cfgpp, guidance_factor=1 / 12.5, needs_uncond=True, **_DDIM),
    "PLMS": Method(multistep.plms, **_DDIM),
    "UniPC": Method(
        multistep.unipc, own_sigmas=multistep.unipc_sigmas, part_sigmas=multistep.unipc_part, starts_whole=True
    ),
    "LCM": Method(ddim.lcm, own_levels=ddim.lcm_levels),
}


def find_method(sampler: str) -> Method:
    """Raises RecipeUnsupported for a label this engine does not know."""
    try:
        return METHODS[sampler]
    except KeyError:
        raise RecipeUnsupported(
            f"This engine has no sampler called {sampler!r}.", hint=f"It knows {', '.join(METHODS)}."
        ) from None
