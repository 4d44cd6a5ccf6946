"""Schedules and noise levels: the published numbers, for any number of steps and any kind of checkpoint."""

import itertools
import math
import random
from collections.abc import Sequence
from typing import Any

import diffusers
import numpy as np
import pytest
import scipy.stats
import torch
from diffusers.schedulers.scheduling_ddim import rescale_zero_terminal_snr
from hypothesis import given
from hypothesis import strategies as st

from stablehand.domain.errors import CheckpointBroken
from stablehand.domain.samplers import SAMPLERS, SCHEDULES
from stablehand.engine.beta import beta_cdf, beta_quantile
from stablehand.engine.levels import NoiseLevels
from stablehand.engine.samplers import METHODS, plan_part, plan_sigmas
from tests.engine.solving import BETAS, LEVELS, Solving, any_denoiser

#: Of diffusers' own code.
pytestmark = pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")

ZERO_SNR = NoiseLevels.from_config({**BETAS, "rescale_betas_zero_snr": True, "prediction_type": "v_prediction"})
ALL_LEVELS = {"sd": LEVELS, "zero snr": ZERO_SNR}
STEPS = (1, 2, 3, 7, 20, 33, 150)
LABELS = [named.name for named in SCHEDULES if named.name != "Automatic"]


def published(label: str, steps: int, levels: NoiseLevels, *, is_sdxl: bool = False) -> list[float]:
    """The formulas as A1111 documents them, over the table of trained sigmas, in float64."""
    table = levels.sigmas
    count, low, high = len(table), float(table[0]), float(table[-1])

    def at(time: float) -> float:
        """k-diffusion's t_to_sigma."""
        below = int(time)
        share = time - below
        above = min(below + 1, count - 1)
        return math.exp((1 - share) * math.log(table[below]) + share * math.log(table[above]))

    i = np.arange(steps)
    ends = max(1, steps - 1)
    match label:
        case "Uniform" | "Normal":
            return [*(at((count - 1) * (1 - k / ends)) for k in i), 0.0]
        case "SGM Uniform":
            return [*(at((count - 1) * (1 - k / steps)) for k in i), 0.0]
        case "Karras":
            return [*((high ** (1 / 7) + i / ends * (low ** (1 / 7) - high ** (1 / 7))) ** 7), 0.0]
        case "Exponential" | "Polyexponential":
            return [*(high * (low / high) ** (i / ends)), 0.0]
        case "KL Optimal":
            k = np.arange(steps + 1)
            return list(np.tan(k / steps * math.atan(low) + (1 - k / steps) * math.atan(high)))
        case "Align Your Steps":
            sd = [14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.029]
            xl = [14.615, 6.315, 3.771, 2.181, 1.342, 0.862, 0.555, 0.380, 0.234, 0.113, 0.029]
            known = np.log((xl if is_sdxl else sd)[::-1])
            if steps == 1:
                return [14.615, 0.0]
            places = np.linspace(0, 1, steps)
            return [*np.exp(np.interp(places, np.linspace(0, 1, 11), known))[::-1], 0.0]
        case "Simple":
            return [*(table[-(1 + int(k * (count / steps)))] for k in i), 0.0]
        case "DDIM":
            return [*table[1 :: count // steps][::-1], 0.0] if steps > 1 else [high, 0.0]
        case "Beta":
            places = scipy.stats.beta.ppf(1 - np.linspace(0, 1, steps), 0.6, 0.6)
            return [*(low + places * (high - low)), 0.0]
    raise AssertionError(f"no formula for {label}")


@pytest.mark.parametrize("kind", ALL_LEVELS)
@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("label", LABELS)
def test_a_schedule_is_its_formula(label: str, steps: int, kind: str) -> None:
    levels = ALL_LEVELS[kind]
    for family in ("sd1", "sdxl"):
        ours = plan_sigmas("Euler", label, steps, levels, family=family)
        assert ours == pytest.approx(published(label, steps, levels, is_sdxl=family == "sdxl"), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("kind", ALL_LEVELS)
@pytest.mark.parametrize("sampler", METHODS)
def test_plans_fall_and_begin_at_the_top(sampler: str, kind: str) -> None:
    """Whatever the sampler, the schedule and the steps; Restart alone goes back up, to a level it has been at."""
    levels = ALL_LEVELS[kind]
    for label in ("Automatic", *LABELS):
        for steps in STEPS:
            sigmas = plan_sigmas(sampler, label, steps, levels)
            assert len(sigmas) > 1
            assert all(math.isfinite(sigma) and sigma >= 0 for sigma in sigmas)
            rises = [index for index in range(len(sigmas) - 1) if sigmas[index + 1] >= sigmas[index]]
            assert len(rises) <= (0 if sampler != "Restart" or steps < 20 else 1 if steps < 36 else 2)
            if label != "Align Your Steps" and sampler not in ("DDIM", "DDIM CFG++", "PLMS") and label != "DDIM":
                assert sigmas[0] == pytest.approx(levels.sigmas[-1], rel=1e-6)


def test_what_diffusers_knows_it_knows_the_same() -> None:
    for label, options, error in (
        ("Uniform", {}, 1e-3),
        ("Karras", {"use_karras_sigmas": True}, 3e-5),
        ("Exponential", {"use_exponential_sigmas": True}, 3e-5),
        ("Beta", {"use_beta_sigmas": True}, 3e-5),
    ):
        for steps in (2, 7, 20, 150):
            scheduler: Any = diffusers.EulerDiscreteScheduler(**BETAS, timestep_spacing="linspace", **options)
            scheduler.set_timesteps(steps)
            assert plan_sigmas("Euler", label, steps, LEVELS) == pytest.approx(scheduler.sigmas.tolist(), rel=error)


def test_the_next_to_last_level_is_discarded_where_a_sampler_does_so_or_is_told_to() -> None:
    for named in SAMPLERS:
        if not named.has_schedule or named.name in ("Restart", "LCM"):
            continue
        plain = published("Karras", 12, LEVELS)
        longer = published("Karras", 13, LEVELS)
        for wish in (None, True, False):
            is_discarded = named.discards_next_to_last if wish is None else wish
            expected = [*longer[:-2], 0.0] if is_discarded else plain
            ours = plan_sigmas(named.name, "Karras", 12, LEVELS, discard_next_to_last=wish)
            assert ours == pytest.approx(expected, rel=1e-6), (named.name, wish)


def test_restart_goes_back_as_often_as_a1111() -> None:
    """No restart below 20 steps, one of 9 below 36, then two of a quarter; the calls stay those that were asked for."""
    for steps, times, length in ((19, 0, 0), (20, 1, 9), (35, 1, 9), (36, 2, 9), (60, 2, 15), (150, 2, 37)):
        sigmas = plan_sigmas("Restart", "Uniform", steps, LEVELS)
        rises = [index for index in range(len(sigmas) - 1) if sigmas[index + 1] > sigmas[index]]
        assert len(rises) == times
        assert len(sigmas) - 1 - times == steps
        for rise in rises:
            assert sigmas[rise] == pytest.approx(0.1, abs=0.06)
            assert sigmas[rise + 1] == pytest.approx(2, abs=0.7)
            assert sigmas[rise + 1 + length] == sigmas[rise]


def test_lcm_visits_only_what_it_was_distilled_on() -> None:
    """A1111's numbers: log sigma interpolated over the timesteps 999, 979, … 19."""
    grid = [float(LEVELS.sigmas[time]) for time in range(19, 1000, 20)]
    for steps in (1, 4, 8, 50):
        places = np.linspace(49, 0, steps)
        expected = np.exp(np.interp(places, np.arange(50), np.log(grid)))
        assert plan_sigmas("LCM", "Automatic", steps, LEVELS) == pytest.approx([*expected, 0.0], rel=1e-9)
    assert plan_sigmas("LCM", "Simple", 150, LEVELS) == pytest.approx([*grid[::-1], 0.0])


@pytest.mark.parametrize(("steps", "calls"), [(1, 1), (20, 19), (30, 30), (50, 49), (150, 166)])
def test_ddim_calls_the_network_as_often_as_a1111(steps: int, calls: int) -> None:
    for sampler in ("DDIM", "DDIM CFG++", "PLMS"):
        assert len(plan_sigmas(sampler, "Automatic", steps, LEVELS)) - 1 == calls
    assert len(plan_sigmas("UniPC", "Automatic", steps, LEVELS)) - 1 == (calls + 1 if steps > 1 else 1)


# Starting from a picture


def schedule_with_end(sampler: str) -> bool:
    return METHODS[sampler].part_sigmas is None


@pytest.mark.parametrize("sampler", METHODS)
def test_a_part_is_the_end_of_a_schedule(sampler: str) -> None:
    for steps, strength in itertools.product((1, 2, 3, 20, 150), (0.0, 0.01, 0.3, 0.5, 0.75, 0.999, 1.0)):
        check_part(sampler, steps, strength)


def check_part(sampler: str, steps: int, strength: float) -> None:
    part = plan_part(sampler, "Automatic", steps, LEVELS, strength)
    kept = int(min(strength, 0.999) * steps)
    assert len(part) > 1
    if sampler == "Restart":
        return
    if schedule_with_end(sampler):
        assert len(part) - 1 == min(kept + 1, steps)
        assert part == plan_sigmas(sampler, "Automatic", steps, LEVELS)[-len(part) :]
    elif sampler != "UniPC":
        whole = plan_sigmas(sampler, "Automatic", steps, LEVELS)
        assert len(part) - 1 == min(max(1, kept), len(whole) - 1)
        assert part == whole[-len(part) :]
    else:
        times = [LEVELS.timestep(sigma) for sigma in part]
        assert times[-1] == pytest.approx(0, abs=1e-6)
        assert times[0] <= 999


@pytest.mark.parametrize("sampler", METHODS)
def test_a_second_pass_takes_the_steps_it_is_given(sampler: str) -> None:
    for steps, strength in itertools.product((1, 2, 3, 20, 150), (0.05, 0.3, 0.5, 0.75, 0.999, 1.0)):
        check_second_pass(sampler, steps, strength)


def check_second_pass(sampler: str, steps: int, strength: float) -> None:
    part = plan_part(sampler, "Automatic", steps, LEVELS, strength, is_fixed=True)
    assert all(first != second for first, second in itertools.pairwise(part))
    total = int(steps / min(strength, 0.999))
    if sampler == "Restart":
        assert len(part) - 1 in (steps, steps + 1, steps + 2)
    elif schedule_with_end(sampler):
        expected = min(steps, 50) if sampler == "LCM" and steps > 50 else steps
        assert len(part) - 1 == expected or sampler == "LCM"
        assert part == plan_sigmas(sampler, "Automatic", total, LEVELS)[-len(part) :]
    else:
        assert 1 <= len(part) - 1 <= steps


@pytest.mark.parametrize("sampler", METHODS)
def test_no_strength_changes_nothing(sampler: str, chance: random.Random) -> None:
    sigmas = plan_part(sampler, "Automatic", 20, LEVELS, 0.0, is_fixed=True)
    solving = Solving(sampler, any_denoiser(chance))
    state = solving.begin((1.0, 0.0))
    state.sigmas = sigmas
    before = state.latent.clone()
    assert solving.go_on(state)
    assert torch.equal(state.latent, before)
    assert solving.calls == 0
    assert state.progress == 1


# Levels


def test_levels_are_those_of_stable_diffusion() -> None:
    assert LEVELS.sigmas[0] == pytest.approx(0.029168, abs=1e-6)
    assert LEVELS.sigmas[-1] == pytest.approx(14.614643, abs=1e-4)
    for timestep in (0.0, 1.0, 51.0, 731.25, 999.0):
        assert LEVELS.timestep(LEVELS.sigma(timestep)) == pytest.approx(timestep, abs=1e-6)


def test_zero_terminal_snr_is_that_of_its_authors() -> None:
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    rescaled: Any = rescale_zero_terminal_snr(betas)
    theirs = np.cumprod(1 - rescaled.numpy())
    assert ZERO_SNR.alphas[:-1] == pytest.approx(theirs[:-1], rel=1e-6)
    assert theirs[-1] == pytest.approx(0, abs=1e-12)
    assert ZERO_SNR.sigmas[-1] == pytest.approx(4518.76, abs=0.01)


def test_betas_that_end_at_pure_noise_keep_a_finite_sigma() -> None:
    levels = NoiseLevels.from_config({"trained_betas": [*np.linspace(0.001, 0.9, 99), 1.0]})
    assert math.isfinite(levels.sigmas[-1])
    assert levels.timestep(float(levels.sigmas[-1])) == 99


def test_unknown_betas_and_predictions_are_refused() -> None:
    with pytest.raises(CheckpointBroken, match="squaredcos"):
        NoiseLevels.from_config({"beta_schedule": "squaredcos_cap_v2"})
    with pytest.raises(CheckpointBroken, match="sample"):
        NoiseLevels.from_config({"prediction_type": "sample"})


@pytest.mark.parametrize("sampler", METHODS)
def test_samplers_stay_finite_from_a_sigma_of_thousands(sampler: str, chance: random.Random) -> None:
    denoise = any_denoiser(chance)
    for steps in (1, 3, 20):
        sigmas = plan_sigmas(sampler, "Automatic", steps, ZERO_SNR)
        solving = Solving(sampler, denoise, levels=ZERO_SNR)
        assert float(solving.draw(sigmas).abs().max()) < 100, steps


# The beta distribution


@given(st.floats(1e-6, 1 - 1e-6), st.floats(0.2, 5), st.floats(0.2, 5))
def test_the_beta_distribution_is_scipys(share: float, a: float, b: float) -> None:
    assert beta_cdf(share, a, b) == pytest.approx(float(scipy.stats.beta.cdf(share, a, b)), rel=1e-9, abs=1e-12)
    assert beta_quantile(share, a, b) == pytest.approx(float(scipy.stats.beta.ppf(share, a, b)), rel=1e-7, abs=1e-9)


def test_steps_are_counted_from_sequences_of_any_kind() -> None:
    """A plan is a plain tuple of floats: it is parked as JSON."""
    for sampler in METHODS:
        for sigmas in (plan_sigmas(sampler, "Beta", 20, LEVELS), plan_part(sampler, "Beta", 20, LEVELS, 0.5)):
            assert isinstance(sigmas, Sequence)
            assert {type(sigma) for sigma in sigmas} == {float}
