"""Samplers against diffusers' schedulers, where those are the same method; and the table of labels."""

import math
import random
from collections.abc import Sequence
from typing import Any

import diffusers
import pytest
import torch
from torch import Tensor

from stablehand.domain.errors import RecipeUnsupported
from stablehand.domain.recipes import SamplerOptions
from stablehand.domain.samplers import SAMPLERS, SCHEDULES, find_sampler, find_schedule
from stablehand.engine import schedules
from stablehand.engine.noise import Noise
from stablehand.engine.samplers import METHODS, plan_sigmas
from tests.engine.solving import BETAS, LEVELS, SHAPE, Denoise, Solving, any_denoiser, ends_at, relative

#: How far single precision may carry two orders of the same operations apart: five times the most that hundreds of
#: random denoisers showed.
ROUNDING = 5e-5
#: The same where diffusers' noise levels are rounded to single precision before it interpolates between them.
ROUNDED_LEVELS = 2e-3

#: Of diffusers' own code.
pytestmark = pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning", "ignore:Should have t:UserWarning")


def test_every_label_has_an_implementation() -> None:
    assert [named.name for named in SAMPLERS] == list(METHODS)
    assert [named.name for named in SCHEDULES] == ["Automatic", *schedules.SCHEDULES]
    assert len({named.name for named in SAMPLERS}) == 20
    for named in (*SAMPLERS, *SCHEDULES):
        table = find_sampler if named in SAMPLERS else find_schedule
        for spelling in (named.name, *named.aliases):
            assert table(spelling.upper()) == named.name


def test_labels_say_whether_a_schedule_applies() -> None:
    for named in SAMPLERS:
        assert named.has_schedule == (METHODS[named.name].own_sigmas is None)
        changed = plan_sigmas(named.name, "SGM Uniform", 9, LEVELS) != plan_sigmas(named.name, "Beta", 9, LEVELS)
        assert changed == named.has_schedule


def test_automatic_is_the_samplers_own_choice() -> None:
    for named in SAMPLERS:
        own = named.schedule or "Uniform"
        assert plan_sigmas(named.name, "Automatic", 20, LEVELS) == plan_sigmas(named.name, own, 20, LEVELS)


def test_unknown_labels_are_refused() -> None:
    with pytest.raises(RecipeUnsupported, match="Ouler"):
        plan_sigmas("Ouler", "Automatic", 20, LEVELS)
    with pytest.raises(RecipeUnsupported, match="Gamma"):
        plan_sigmas("Euler", "Gamma", 20, LEVELS)


@pytest.mark.parametrize("named", SAMPLERS, ids=lambda named: named.name)
def test_labels_say_which_options_matter(named: Any, chance: random.Random) -> None:
    denoise = any_denoiser(chance)
    sigmas = plan_sigmas(named.name, "Automatic", 20, LEVELS)

    def draw(options: SamplerOptions) -> Tensor:
        return Solving(named.name, denoise, options=options).draw(sigmas)

    churn = SamplerOptions(s_churn=8.0)
    for option, changed, base in (
        ("eta", SamplerOptions(eta=0.5), SamplerOptions()),
        ("s_churn", churn, SamplerOptions()),
        ("s_noise", SamplerOptions(s_noise=1.1, s_churn=8.0), churn),
        ("s_tmin", SamplerOptions(s_tmin=1.0, s_churn=8.0), churn),
        ("s_tmax", SamplerOptions(s_tmax=1.0, s_churn=8.0), churn),
        ("ensd", SamplerOptions(ensd=31337, eta=1.0, s_churn=8.0), SamplerOptions(eta=1.0, s_churn=8.0)),
    ):
        assert torch.equal(draw(changed), draw(base)) == (option not in named.options), option


def follow(
    scheduler: Any, latent: Tensor, steps: Sequence[tuple[float, Any]], denoise: Denoise, **options: Any
) -> Tensor:
    """diffusers' loop over (sigma, timestep), the denoiser turned into the noise it would predict.

    Schedulers that scale their input keep the variance-exploding form, the others the variance-preserving one.
    """
    is_exploding = "scale_model_input" in type(scheduler).__dict__ and hasattr(scheduler, "is_scale_input_called")
    for sigma, timestep in steps:
        if is_exploding:
            scheduler.scale_model_input(latent, timestep)
        exploding = latent if is_exploding else latent * math.sqrt(1 + sigma**2)
        noise = (exploding - denoise(exploding, sigma)) / sigma
        latent = scheduler.step(noise, timestep, latent, return_dict=False, **options)[0]
    return latent


def injected(scheduler: Any, sigmas: Sequence[float], steps: int) -> Any:
    """The scheduler with our noise levels in it, and the fractional timesteps that fit them."""
    scheduler.set_timesteps(steps)
    scheduler.sigmas = torch.tensor(sigmas)
    scheduler.timesteps = torch.tensor([LEVELS.timestep(sigma) for sigma in sigmas[:-1]])
    scheduler.num_inference_steps = steps
    return scheduler


@pytest.mark.parametrize("schedule", ["Uniform", "Karras", "Exponential"])
@pytest.mark.parametrize(
    ("sampler", "scheduler_class"),
    [("Euler", "EulerDiscreteScheduler"), ("LMS", "LMSDiscreteScheduler")],
)
def test_single_calls_in_exploding_form(
    sampler: str, scheduler_class: str, schedule: str, chance: random.Random
) -> None:
    denoise = any_denoiser(chance)
    sigmas = plan_sigmas(sampler, schedule, 20, LEVELS)
    scheduler = injected(getattr(diffusers, scheduler_class)(**BETAS, timestep_spacing="linspace"), sigmas, 20)
    start = Noise(3, SHAPE).at(0) * sigmas[0]
    theirs = follow(scheduler, start, list(zip(sigmas[:-1], scheduler.timesteps, strict=True)), denoise)
    assert relative(Solving(sampler, denoise).draw(sigmas), theirs) < ROUNDING


def test_euler_ancestral(chance: random.Random) -> None:
    denoise = any_denoiser(chance)
    sigmas = plan_sigmas("Euler a", "Automatic", 20, LEVELS)
    scheduler = injected(diffusers.EulerAncestralDiscreteScheduler(**BETAS), sigmas, 20)
    generator = torch.Generator().manual_seed(3)
    start = torch.randn(SHAPE, generator=generator) * sigmas[0]
    steps = list(zip(sigmas[:-1], scheduler.timesteps, strict=True))
    theirs = follow(scheduler, start, steps, denoise, generator=generator)
    assert relative(Solving("Euler a", denoise).draw(sigmas), theirs) < ROUNDING


def test_heun(chance: random.Random) -> None:
    denoise = any_denoiser(chance)
    scheduler: Any = diffusers.HeunDiscreteScheduler(**BETAS, timestep_spacing="linspace")
    scheduler.set_timesteps(20)
    sigmas = plan_sigmas("Heun", "Uniform", 20, LEVELS)
    # Its own ones are interpolated between trained levels, where A1111 interpolates their logarithms.
    asked = [sigmas[0], *(sigma for sigma in sigmas[1:-1] for _ in range(2))]
    scheduler.sigmas = torch.tensor([*asked, 0.0])
    theirs = Noise(3, SHAPE).at(0) * sigmas[0]
    for sigma, timestep in zip(asked, scheduler.timesteps, strict=True):
        scheduler.scale_model_input(theirs, timestep)
        theirs = scheduler.step((theirs - denoise(theirs, sigma)) / sigma, timestep, theirs, return_dict=False)[0]
    solving = Solving("Heun", denoise)
    assert relative(solving.draw(sigmas), theirs) < ROUNDING
    assert solving.calls == 39


# diffusers' second-order schedulers take NumPy's logarithm of torch tensors, in their constructors already.
@pytest.mark.filterwarnings("ignore:__array_wrap__ must accept context:DeprecationWarning:diffusers")
@pytest.mark.filterwarnings("ignore:__array_wrap__ must accept context:DeprecationWarning:numpy")
@pytest.mark.parametrize("sampler", ["DPM2", "DPM2 a"])
def test_dpm2(sampler: str, chance: random.Random) -> None:
    denoise = any_denoiser(chance)
    name = "KDPM2AncestralDiscreteScheduler" if sampler == "DPM2 a" else "KDPM2DiscreteScheduler"
    scheduler = getattr(diffusers, name)(**BETAS, timestep_spacing="linspace", use_karras_sigmas=True)
    scheduler.set_timesteps(20)
    sigmas = plan_sigmas(sampler, "Karras", 20, LEVELS, discard_next_to_last=False)
    generator = torch.Generator().manual_seed(3)
    theirs = torch.randn(SHAPE, generator=generator) * sigmas[0]
    solving = Solving(sampler, denoise)
    ours = solving.draw(sigmas)
    assert solving.calls == 39
    options = {"generator": generator} if sampler == "DPM2 a" else {}
    for sigma, timestep in zip(solving.asked, scheduler.timesteps, strict=True):
        scheduler.scale_model_input(theirs, timestep)
        noise = (theirs - denoise(theirs, sigma)) / sigma
        theirs = scheduler.step(noise, timestep, theirs, return_dict=False, **options)[0]
    assert relative(ours, theirs) < ROUNDED_LEVELS


@pytest.mark.parametrize("schedule", ["Karras", "Uniform", "Exponential", "Beta"])
def test_dpmpp_2m(schedule: str, chance: random.Random) -> None:
    denoise = any_denoiser(chance)
    sigmas = plan_sigmas("DPM++ 2M", schedule, 20, LEVELS)
    scheduler = injected(
        diffusers.DPMSolverMultistepScheduler(**BETAS, solver_type="midpoint", final_sigmas_type="zero"), sigmas, 20
    )
    start = Noise(3, SHAPE).at(0) * sigmas[0] / math.sqrt(1 + sigmas[0] ** 2)
    theirs = follow(scheduler, start, list(zip(sigmas[:-1], scheduler.timesteps, strict=True)), denoise)
    assert relative(Solving("DPM++ 2M", denoise).draw(sigmas), theirs) < ROUNDING


def test_dpmpp_sde(chance: random.Random) -> None:
    """With our Brownian motion in both: a level rounded otherwise would meet another point of it."""
    denoise = any_denoiser(chance)
    scheduler: Any = diffusers.DPMSolverSDEScheduler(
        **BETAS, use_karras_sigmas=True, timestep_spacing="linspace", noise_sampler_seed=3
    )
    scheduler.set_timesteps(20)
    sigmas = plan_sigmas("DPM++ SDE", "Karras", 20, LEVELS)
    solving = Solving("DPM++ SDE", denoise)
    ours = solving.draw(sigmas)
    theirs = (Noise(3, SHAPE).at(0) * sigmas[0])[None]
    path = solving.noise().path(sigmas[-2], sigmas[0])
    levels = torch.tensor(solving.asked)

    def level(sigma: Tensor) -> float:
        return float(levels[(levels - sigma).abs().argmin()])

    scheduler.noise_sampler = lambda sigma, following: path.noise(level(sigma), level(following))[None]
    for sigma, timestep in zip(solving.asked, scheduler.timesteps, strict=True):
        scheduler.scale_model_input(theirs, timestep)
        noise = (theirs - denoise(theirs[0], sigma)[None]) / sigma
        theirs = scheduler.step(noise, timestep, theirs, return_dict=False)[0]
    assert relative(ours, theirs[0]) < ROUNDED_LEVELS


@pytest.mark.parametrize(("sampler", "solver_type"), [("DPM++ 2M SDE", "midpoint"), ("DPM++ 2M SDE Heun", "heun")])
def test_dpmpp_2m_sde(sampler: str, solver_type: str, chance: random.Random) -> None:
    denoise = any_denoiser(chance)
    sigmas = plan_sigmas(sampler, "Exponential", 20, LEVELS)
    scheduler = injected(
        diffusers.DPMSolverMultistepScheduler(
            **BETAS, algorithm_type="sde-dpmsolver++", solver_type=solver_type, final_sigmas_type="zero"
        ),
        sigmas,
        20,
    )
    path = Noise(3, SHAPE).path(sigmas[-2], sigmas[0])
    latent = Noise(3, SHAPE).at(0) * sigmas[0] / math.sqrt(1 + sigmas[0] ** 2)
    for index, timestep in enumerate(scheduler.timesteps):
        sigma, following = sigmas[index], sigmas[index + 1]
        exploding = latent * math.sqrt(1 + sigma**2)
        noise = (exploding - denoise(exploding, sigma)) / sigma
        drawn = path.noise(sigma, following) if following else torch.zeros(SHAPE)
        latent = scheduler.step(noise, timestep, latent, variance_noise=drawn, return_dict=False)[0]
    assert relative(Solving(sampler, denoise).draw(sigmas), latent) < 2e-4


@pytest.mark.parametrize("steps", [7, 20, 33, 50])
def test_ddim(steps: int, chance: random.Random) -> None:
    denoise = any_denoiser(chance)
    scheduler: Any = diffusers.DDIMScheduler(**BETAS, set_alpha_to_one=False, clip_sample=False)
    scheduler.set_timesteps(steps)
    times = [min(time + 1, 999) for time in range(0, 1000, 1000 // steps)][::-1]
    sigmas = plan_sigmas("DDIM", "Automatic", steps, LEVELS)
    assert [round(LEVELS.timestep(sigma)) for sigma in sigmas] == times
    latent = Noise(3, SHAPE).at(0)
    for index, time in enumerate(times[:-1]):
        exploding = latent * math.sqrt(1 + sigmas[index] ** 2)
        noise = (exploding - denoise(exploding, sigmas[index])) / sigmas[index]
        latent = scheduler.step(noise, time, latent, return_dict=False)[0]
    solving = Solving("DDIM", denoise)
    assert relative(solving.draw(sigmas), latent) < ROUNDING
    assert solving.calls == {7: 7, 20: 19, 33: 33, 50: 49}[steps]


@pytest.mark.parametrize("steps", [10, 20, 50])
def test_plms(steps: int, chance: random.Random) -> None:
    denoise = any_denoiser(chance)
    scheduler: Any = diffusers.PNDMScheduler(**BETAS, skip_prk_steps=True, set_alpha_to_one=False)
    scheduler.set_timesteps(steps)
    sigmas = plan_sigmas("PLMS", "Automatic", steps, LEVELS)
    times = [round(LEVELS.timestep(sigma)) for sigma in sigmas]
    asked = [times[0], times[1], *times[1:-1]]
    latent = Noise(3, SHAPE).at(0)
    for time in asked:
        sigma = float(LEVELS.sigmas[time])
        exploding = latent * math.sqrt(1 + sigma**2)
        latent = scheduler.step((exploding - denoise(exploding, sigma)) / sigma, time, latent, return_dict=False)[0]
    solving = Solving("PLMS", denoise)
    assert relative(solving.draw(sigmas), latent) < ROUNDING
    assert solving.calls == len(sigmas)


@pytest.mark.parametrize("steps", [3, 4, 20, 50])
def test_unipc(steps: int, chance: random.Random) -> None:
    denoise = any_denoiser(chance)
    sigmas = plan_sigmas("UniPC", "Automatic", steps, LEVELS)
    calls = len(sigmas) - 1
    scheduler = injected(
        diffusers.UniPCMultistepScheduler(**BETAS, solver_order=3, solver_type="bh1", final_sigmas_type="sigma_min"),
        sigmas,
        calls,
    )
    start = Noise(3, SHAPE).at(0)
    theirs = follow(scheduler, start, list(zip(sigmas[:-1], scheduler.timesteps, strict=True)), denoise)
    solving = Solving("UniPC", denoise)
    assert relative(solving.draw(sigmas), theirs) < ROUNDING
    assert solving.calls == calls


def test_one_step_gives_the_denoised_latent(chance: random.Random) -> None:
    """For all that end at zero noise; the others end at their last level."""
    denoise = any_denoiser(chance)
    for sampler in METHODS:
        sigmas = plan_sigmas(sampler, "Automatic", 1, LEVELS)
        assert sigmas[0] == pytest.approx(LEVELS.sigmas[-1], rel=1e-6), sampler
        solving = Solving(sampler, denoise)
        finished = ends_at(sampler, solving.draw(sigmas), sigmas[-1])
        start = solving.begin(sigmas).latent
        if sigmas[-1] == 0 and METHODS[sampler].own_sigmas is None:
            assert relative(finished, denoise(start, sigmas[0])) < 1e-5, sampler
        assert float(finished.abs().max()) < 10, sampler
