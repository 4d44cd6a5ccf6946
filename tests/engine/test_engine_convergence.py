"""Without noise every sampler solves the same differential equation: one picture, reached at its method's order."""

import itertools
import math
import random

import numpy as np
import pytest
import torch
from torch import Tensor

from stablehand.domain.recipes import SamplerOptions
from stablehand.engine.levels import Sigmas
from stablehand.engine.samplers import METHODS, SamplerState
from tests.engine.solving import SHAPE, Denoise, Solving, any_denoiser, ends_at, relative

HIGHEST, LOWEST = 8.0, 0.2

#: Label -> the order at which the error falls, as the methods' authors have it. Multistep methods lose the orders that
#: their first steps lack, where those are of first order: two remain.
ORDERS = {
    "Euler": 1, "Euler a": 1, "DDIM": 1, "DDIM CFG++": 1,
    "Heun": 2, "Restart": 2, "DPM2": 2, "DPM2 a": 2,
    "DPM++ 2M": 2, "DPM++ 2S a": 2, "DPM++ SDE": 2, "DPM++ 2M SDE": 2, "DPM++ 2M SDE Heun": 2, "DPM++ 3M SDE": 2,
    "LMS": 2, "PLMS": 2, "UniPC": 2, "DPM fast": 2,
}  # fmt: skip
#: Chooses its own steps.
ADAPTIVE = "DPM adaptive"
#: Follows no differential equation: it denoises and adds noise anew.
JUMPING = "LCM"


def levels(steps: int) -> Sigmas:
    return tuple(float(sigma) for sigma in np.geomspace(HIGHEST, LOWEST, steps + 1))


def solve(sampler: str, denoise: Denoise, start: Tensor, steps: int) -> Tensor:
    state = SamplerState(start.clone(), levels(steps))
    solving = Solving(sampler, denoise, uncond=denoise, options=SamplerOptions(eta=0.0))
    assert solving.go_on(state)
    return ends_at(sampler, state.latent, LOWEST)


def truth(denoise: Denoise, start: Tensor, steps: int = 400) -> Tensor:
    """Runge and Kutta's classical method of fourth order in log sigma, which none of the samplers is."""
    latent = start
    times = np.linspace(math.log(HIGHEST), math.log(LOWEST), steps + 1)

    def change(latent: Tensor, time: float) -> Tensor:
        return latent - denoise(latent, math.exp(time))

    for time, following in itertools.pairwise(times):
        span = float(following - time)
        k1 = change(latent, time)
        k2 = change(latent + span / 2 * k1, time + span / 2)
        k3 = change(latent + span / 2 * k2, time + span / 2)
        k4 = change(latent + span * k3, following)
        latent = latent + span / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return latent


@pytest.fixture
def problem(chance: random.Random) -> tuple[Denoise, Tensor, Tensor]:
    """A denoiser, a start and the end, in float64."""
    denoise = any_denoiser(chance)
    generator = torch.Generator().manual_seed(chance.randrange(2**63))
    start = HIGHEST * torch.randn(SHAPE, generator=generator, dtype=torch.float64)
    return denoise, start, truth(denoise, start)


def test_every_sampler_is_in_the_table() -> None:
    assert {*ORDERS, ADAPTIVE, JUMPING} == set(METHODS)


@pytest.mark.parametrize("sampler", sorted(ORDERS))
def test_the_error_falls_with_the_order_of_the_method(sampler: str, problem: tuple[Denoise, Tensor, Tensor]) -> None:
    denoise, start, end = problem
    errors = [float((solve(sampler, denoise, start, steps) - end).square().mean().sqrt()) for steps in (60, 120, 240)]
    for error, halved in itertools.pairwise(errors):
        assert math.log2(error / halved) > ORDERS[sampler] - 0.35, errors
    if ORDERS[sampler] == 1:
        assert math.log2(errors[1] / errors[2]) < 1.5, "a first-order method that is better is another one"
    assert relative(solve(sampler, denoise, start, 1000), end) < (0.02 if ORDERS[sampler] == 1 else 1e-3)


def test_the_adaptive_sampler_comes_as_close_as_it_promises(problem: tuple[Denoise, Tensor, Tensor]) -> None:
    denoise, start, end = problem
    assert relative(solve(ADAPTIVE, denoise, start, 20), end) < 0.1
    assert torch.equal(solve(ADAPTIVE, denoise, start, 20), solve(ADAPTIVE, denoise, start, 3)), "steps play no part"


def test_better_methods_are_closer_at_twenty_steps(problem: tuple[Denoise, Tensor, Tensor]) -> None:
    denoise, start, end = problem
    euler = relative(solve("Euler", denoise, start, 20), end)
    for sampler, order in ORDERS.items():
        if order == 2:
            assert relative(solve(sampler, denoise, start, 20), end) < euler, sampler
