"""Samplers and schedules: the same numbers as diffusers' schedulers, and exact continuation from any step."""

import math
from typing import Any

import pytest
import torch
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
)
from torch import Tensor

from stablehand.domain.errors import CheckpointBroken, RecipeUnsupported
from stablehand.domain.samplers import SAMPLERS as SAMPLER_NAMES
from stablehand.domain.samplers import SCHEDULES as SCHEDULE_NAMES
from stablehand.engine.levels import NoiseLevels
from stablehand.engine.noise import Noise
from stablehand.engine.parked import pack, unpack
from stablehand.engine.samplers import METHODS, begin, plan_sigmas
from stablehand.engine.samplers.state import SamplerState
from stablehand.engine.schedules import SCHEDULES

#: Of diffusers' own code.
pytestmark = pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")

BETAS: dict[str, Any] = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}
LEVELS = NoiseLevels.from_config(BETAS)
SHAPE = (4, 8, 8)
CPU = torch.device("cpu")


def denoise(latent: Tensor, sigma: float) -> Tensor:
    """A synthetic denoiser: pulls towards a pattern, more gently at high noise; smooth, nonlinear, no network."""
    pattern = torch.sin(torch.arange(latent.numel(), dtype=latent.dtype)).reshape(latent.shape)
    trust = 1 / (1 + sigma**2)
    return trust * torch.tanh(latent) + (1 - trust) * pattern * 0.8


def draw(sampler: str, sigmas: tuple[float, ...], seed: int = 3) -> Tensor:
    noise = Noise(seed, SHAPE)
    state = begin(sampler, sigmas, noise, CPU)
    finish(sampler, state, noise)
    return state.latent


def finish(sampler: str, state: SamplerState, noise: Noise, stop_at: int | None = None) -> None:
    sampling = METHODS[sampler].sample(state, noise)
    ask = next(sampling, None)
    while ask is not None and state.step != stop_at:
        try:
            ask = sampling.send(denoise(ask.latent, ask.sigma))
        except StopIteration:
            return


def relative(ours: Tensor, theirs: Tensor) -> float:
    return float((ours - theirs).abs().max() / theirs.abs().max())


def test_every_name_has_an_implementation() -> None:
    assert {named.name for named in SAMPLER_NAMES} == set(METHODS)
    assert {named.name for named in SCHEDULE_NAMES} == {"Automatic", *SCHEDULES}


def test_levels_are_those_of_stable_diffusion() -> None:
    assert LEVELS.sigmas[0] == pytest.approx(0.029168, abs=1e-6)
    assert LEVELS.sigmas[-1] == pytest.approx(14.614643, abs=1e-4)
    for timestep in (0.0, 1.0, 51.0, 731.25, 999.0):
        assert LEVELS.timestep(LEVELS.sigma(timestep)) == pytest.approx(timestep, abs=1e-6)


def test_unknown_betas_and_predictions_are_refused() -> None:
    with pytest.raises(CheckpointBroken, match="squaredcos"):
        NoiseLevels.from_config({"beta_schedule": "squaredcos_cap_v2"})
    with pytest.raises(CheckpointBroken, match="sample"):
        NoiseLevels.from_config({"prediction_type": "sample"})


@pytest.mark.parametrize("steps", [2, 7, 20, 150])
def test_uniform_and_normal_are_diffusers_linspace(steps: int) -> None:
    scheduler: Any = EulerDiscreteScheduler(**BETAS, timestep_spacing="linspace")
    scheduler.set_timesteps(steps)
    for label in ("Uniform", "Normal"):
        assert plan_sigmas("Euler", label, steps, LEVELS) == pytest.approx(scheduler.sigmas.tolist(), rel=1e-3)


@pytest.mark.parametrize("steps", [2, 7, 20, 150])
def test_karras_is_diffusers_karras(steps: int) -> None:
    scheduler: Any = EulerDiscreteScheduler(**BETAS, timestep_spacing="linspace", use_karras_sigmas=True)
    scheduler.set_timesteps(steps)
    assert plan_sigmas("Euler", "Karras", steps, LEVELS) == pytest.approx(scheduler.sigmas.tolist(), rel=3e-5)


def test_automatic_is_the_samplers_own_choice() -> None:
    assert plan_sigmas("DPM++ 2M", "Automatic", 20, LEVELS) == plan_sigmas("DPM++ 2M", "Karras", 20, LEVELS)
    assert plan_sigmas("Euler", "Automatic", 20, LEVELS) == plan_sigmas("Euler", "Uniform", 20, LEVELS)
    assert plan_sigmas("Euler a", "Automatic", 20, LEVELS) == plan_sigmas("Euler a", "Uniform", 20, LEVELS)
    assert plan_sigmas("DDIM", "Karras", 20, LEVELS) == plan_sigmas("DDIM", "Automatic", 20, LEVELS)


def test_unknown_names_are_refused() -> None:
    with pytest.raises(RecipeUnsupported, match="Heun"):
        plan_sigmas("Heun", "Automatic", 20, LEVELS)
    with pytest.raises(RecipeUnsupported, match="Beta"):
        plan_sigmas("Euler", "Beta", 20, LEVELS)


@pytest.mark.parametrize(("steps", "calls"), [(1, 1), (20, 19), (30, 30), (50, 49)])
def test_ddim_calls_the_network_as_often_as_a1111(steps: int, calls: int) -> None:
    assert len(plan_sigmas("DDIM", "Automatic", steps, LEVELS)) - 1 == calls


def test_euler_is_diffusers_euler() -> None:
    scheduler: Any = EulerDiscreteScheduler(**BETAS, timestep_spacing="linspace")
    scheduler.set_timesteps(20)
    theirs = Noise(3, SHAPE).at(0) * scheduler.sigmas[0]
    for timestep, sigma in zip(scheduler.timesteps, scheduler.sigmas.tolist(), strict=False):
        scheduler.scale_model_input(theirs, timestep)
        slope = (theirs - denoise(theirs, sigma)) / sigma
        theirs = scheduler.step(slope, timestep, theirs, return_dict=False)[0]
    assert relative(draw("Euler", plan_sigmas("Euler", "Uniform", 20, LEVELS)), theirs) < 1e-5


def test_euler_ancestral_is_diffusers_with_the_same_noise() -> None:
    sigmas = plan_sigmas("Euler a", "Uniform", 20, LEVELS)
    scheduler: Any = EulerAncestralDiscreteScheduler(**BETAS, timestep_spacing="linspace")
    scheduler.set_timesteps(20)
    scheduler.sigmas = torch.tensor(sigmas)
    generator = torch.Generator().manual_seed(3)
    theirs = torch.randn(SHAPE, generator=generator) * sigmas[0]
    for timestep, sigma in zip(scheduler.timesteps, sigmas, strict=False):
        scheduler.scale_model_input(theirs, timestep)
        slope = (theirs - denoise(theirs, sigma)) / sigma
        theirs = scheduler.step(slope, timestep, theirs, generator=generator, return_dict=False)[0]
    assert relative(draw("Euler a", sigmas), theirs) < 1e-5


@pytest.mark.parametrize("schedule", ["Karras", "Uniform"])
def test_dpmpp_2m_is_diffusers_multistep_solver(schedule: str) -> None:
    sigmas = plan_sigmas("DPM++ 2M", schedule, 20, LEVELS)
    scheduler: Any = DPMSolverMultistepScheduler(
        **BETAS, algorithm_type="dpmsolver++", solver_order=2, solver_type="midpoint", final_sigmas_type="zero"
    )
    scheduler.set_timesteps(20)
    scheduler.sigmas = torch.tensor(sigmas)
    scheduler.timesteps = torch.tensor([LEVELS.timestep(sigma) for sigma in sigmas[:-1]])
    theirs = Noise(3, SHAPE).at(0) * sigmas[0] / math.sqrt(1 + sigmas[0] ** 2)
    for timestep, sigma in zip(scheduler.timesteps, sigmas, strict=False):
        exploding = theirs * math.sqrt(1 + sigma**2)
        slope = (exploding - denoise(exploding, sigma)) / sigma
        theirs = scheduler.step(slope, timestep, theirs, return_dict=False)[0]
    assert relative(draw("DPM++ 2M", sigmas), theirs) < 1e-5


@pytest.mark.parametrize("steps", [20, 30])
def test_ddim_is_diffusers_ddim_on_a1111s_timesteps(steps: int) -> None:
    scheduler: Any = DDIMScheduler(**BETAS, set_alpha_to_one=False, clip_sample=False)
    scheduler.set_timesteps(steps)
    times = [min(time + 1, 999) for time in range(0, 1000, 1000 // steps)]
    theirs = Noise(3, SHAPE).at(0)
    for time in reversed(times[1:]):
        alpha = float(scheduler.alphas_cumprod[time])
        sigma = math.sqrt((1 - alpha) / alpha)
        slope = (theirs - math.sqrt(alpha) * denoise(theirs / math.sqrt(alpha), sigma)) / math.sqrt(1 - alpha)
        theirs = scheduler.step(slope, time, theirs, return_dict=False)[0]
    assert relative(draw("DDIM", plan_sigmas("DDIM", "Automatic", steps, LEVELS)), theirs) < 1e-5


@pytest.mark.parametrize("sampler", sorted(METHODS))
def test_a_picture_saved_at_any_step_continues_exactly(sampler: str) -> None:
    sigmas = plan_sigmas(sampler, "Automatic", 6, LEVELS)
    whole = draw(sampler, sigmas)
    for cut in range(len(sigmas) - 1):
        state = begin(sampler, sigmas, Noise(3, SHAPE), CPU)
        finish(sampler, state, Noise(3, SHAPE), stop_at=cut)
        assert state.step == cut
        continued = unpack(pack(state))
        finish(sampler, continued, Noise(3, SHAPE))
        assert torch.equal(continued.latent, whole), f"cut before step {cut}"


def test_one_step_gives_the_denoised_latent() -> None:
    for sampler in ("Euler", "Euler a", "DPM++ 2M"):
        sigmas = plan_sigmas(sampler, "Automatic", 1, LEVELS)
        first = Noise(3, SHAPE).at(0) * sigmas[0]
        assert relative(draw(sampler, sigmas), denoise(first, sigmas[0])) < 1e-5


def test_noise_is_a_function_of_seed_and_position() -> None:
    source = Noise(7, SHAPE)
    in_order = [source.at(position) for position in range(5)]
    for position in (3, 3, 0, 4, 1):
        assert torch.equal(source.at(position), in_order[position])
        assert torch.equal(Noise(7, SHAPE).at(position), in_order[position])
    assert not torch.equal(in_order[0], in_order[1])
    assert not torch.equal(in_order[0], Noise(8, SHAPE).at(0))
    assert Noise(2**63 - 1, SHAPE).at(0).isfinite().all()
