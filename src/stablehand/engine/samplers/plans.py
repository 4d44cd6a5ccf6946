"""Plans: which noise levels a picture visits, from pure noise or from another picture, and its state before them."""

import math

import torch
from torch import Tensor

from stablehand.domain.errors import RecipeUnsupported
from stablehand.domain.samplers import AUTOMATIC_SCHEDULES, DISCARDING_SAMPLERS
from stablehand.engine.levels import NoiseLevels, Sigmas
from stablehand.engine.noise import Noise
from stablehand.engine.samplers.methods import find_method
from stablehand.engine.samplers.state import SamplerState
from stablehand.engine.schedules import SCHEDULES

#: A1111 draws no stronger than this: at 1 nothing of the input would be left to start from.
STRENGTH_MOST = 0.999


def plan_sigmas(
    sampler: str,
    schedule: str,
    steps: int,
    levels: NoiseLevels,
    *,
    discard_next_to_last: bool | None = None,
    family: str = "sd1",
) -> Sigmas:
    """The noise levels a picture visits that starts as pure noise.

    ``discard_next_to_last``: leave the last level before the end out, and take one more step above it; None: as the
    sampler does by itself. ``family``: of the checkpoint, where a schedule was measured for one.

    Raises RecipeUnsupported for labels this engine does not know.
    """
    method = find_method(sampler)
    sigmas = _whole(sampler, schedule, steps, levels, discards=discard_next_to_last, family=family)
    return method.arrange(sigmas) if method.arrange else sigmas


def plan_part(
    sampler: str,
    schedule: str,
    steps: int,
    levels: NoiseLevels,
    strength: float,
    *,
    is_fixed: bool = False,
    discard_next_to_last: bool | None = None,
    family: str = "sd1",
) -> Sigmas:
    """The noise levels of a picture that starts from another one: the end of a schedule.

    ``strength``: 0 to 1, how much of the way is drawn again. As A1111 counts, the end of a schedule of ``steps`` with
    ``int(strength * steps) + 1`` calls; with ``is_fixed`` exactly ``steps`` calls, of a schedule that is longer for
    it, which is how a second pass (hires) counts. With ``is_fixed`` and no strength there is nothing to visit.

    DDIM, DDIM CFG++, PLMS and UniPC begin at the timestep that A1111 noises to, with one call less; A1111 itself skips
    the first of their timesteps although the noise is there.

    Raises RecipeUnsupported for labels this engine does not know.
    """
    method = find_method(sampler)
    strength = min(strength, STRENGTH_MOST)
    if is_fixed:
        if strength <= 0:
            return (0.0,)
        total, last = int(steps / strength), steps - 1
    else:
        total, last = steps, int(strength * steps)
    if method.part_sigmas is not None:
        sigmas = method.part_sigmas(levels, total, max(1, last))
    else:
        whole = _whole(sampler, schedule, total, levels, discards=discard_next_to_last, family=family)
        sigmas = whole[min(max(0, total - last - 1), len(whole) - 2) :]
    return method.arrange(sigmas) if method.arrange else sigmas


def _whole(
    sampler: str, schedule: str, steps: int, levels: NoiseLevels, *, discards: bool | None, family: str
) -> Sigmas:
    method = find_method(sampler)
    label = AUTOMATIC_SCHEDULES.get(sampler, "Uniform") if schedule == "Automatic" else schedule
    if label not in SCHEDULES:
        raise RecipeUnsupported(
            f"This engine has no schedule called {schedule!r}.", hint=f"It knows Automatic, {', '.join(SCHEDULES)}."
        )
    if method.own_levels is not None:
        levels = method.own_levels(levels)
    if method.own_sigmas is not None:
        return method.own_sigmas(levels, steps)
    if discards is None:
        discards = sampler in DISCARDING_SAMPLERS
    sigmas = _falling(SCHEDULES[label](levels, steps + discards, family))
    return (*sigmas[:-2], sigmas[-1]) if discards and len(sigmas) > 2 else sigmas


def _falling(sigmas: Sigmas) -> Sigmas:
    """Without levels that are visited twice, which happens where there are more steps than trained levels."""
    return tuple(sigma for index, sigma in enumerate(sigmas) if index == 0 or sigma < sigmas[index - 1])


def begin(sampler: str, sigmas: Sigmas, noise: Noise, device: torch.device) -> SamplerState:
    """The state before the first step: the seed's first draw, scaled to the first noise level."""
    scale = math.sqrt(1 + sigmas[0] ** 2) if find_method(sampler).starts_whole else sigmas[0]
    return SamplerState(noise.at(0).to(device) * scale, sigmas)


def begin_from(latent: Tensor, sigmas: Sigmas, noise: Noise, noise_multiplier: float = 1.0) -> SamplerState:
    """The state of a picture that starts from ``latent`` (channels, height, width): it, and the first level's noise."""
    return SamplerState(latent + noise.at(0).to(latent.device) * (noise_multiplier * sigmas[0]), sigmas)
