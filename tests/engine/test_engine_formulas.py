"""Samplers that diffusers does not have, or has otherwise, against their published formulas in float64.

The stochastic DPM-Solver++ methods are written here as their authors do, in the variance-preserving form with
alpha, sigma and lambda = log(alpha / sigma); the engine works in the variance-exploding form.
"""

import itertools
import math
import random
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from stablehand.domain.recipes import SamplerOptions
from stablehand.engine.levels import Sigmas
from stablehand.engine.noise import Noise
from stablehand.engine.samplers import plan_sigmas
from tests.engine.solving import LEVELS, SHAPE, Denoise, Solving, any_denoiser, relative

SEED = 3


def draws() -> Callable[[], Tensor]:
    """The picture's draws after the first one, in float64."""
    noise = Noise(SEED, SHAPE)
    positions = itertools.count(1)
    return lambda: noise.at(next(positions)).double()


def start(sigmas: Sigmas) -> Tensor:
    return Noise(SEED, SHAPE).at(0).double() * sigmas[0]


def ours(sampler: str, denoise: Denoise, sigmas: Sigmas, options: SamplerOptions | None = None) -> Tensor:
    return Solving(sampler, denoise, SEED, options=options or SamplerOptions()).draw(sigmas, torch.float64)


def split(sigma: float, following: float, eta: float) -> tuple[float, float]:
    """Ancestral noise: down and up with down² + up² = following²."""
    up = eta * following * math.sqrt(1 - (following / sigma) ** 2)
    return math.sqrt(following**2 - up**2), up


class Preserving:
    """The variance-preserving form: a latent x = alpha x0 + sigma noise; y = x / alpha is the exploding one."""

    def __init__(self, sigma: float) -> None:
        self.alpha = 1 / math.sqrt(1 + sigma**2)
        self.sigma = sigma * self.alpha
        self.log_ratio = -math.log(sigma)


@pytest.mark.parametrize("eta", [1.0, 0.4, 0.0])
def test_dpmpp_2s_ancestral(eta: float, chance: random.Random) -> None:
    """Lu et al.'s algorithm for the singlestep solver, r = 1/2, and ancestral noise."""
    denoise, draw = any_denoiser(chance), draws()
    sigmas = plan_sigmas("DPM++ 2S a", "Karras", 12, LEVELS)
    y = start(sigmas)
    for sigma, following in itertools.pairwise(sigmas):
        down, up = split(sigma, following, eta)
        if down == 0:
            y = denoise(y, sigma)
            continue
        s, t = Preserving(sigma), Preserving(down)
        middle = Preserving(math.exp(-(s.log_ratio + t.log_ratio) / 2))
        h = t.log_ratio - s.log_ratio
        x = s.alpha * y
        u = middle.sigma / s.sigma * x - middle.alpha * math.expm1(-h / 2) * denoise(y, sigma)
        there = denoise(u / middle.alpha, middle.sigma / middle.alpha)
        x = t.sigma / s.sigma * x - t.alpha * math.expm1(-h) * there
        y = x / t.alpha + up * draw()
    assert relative(ours("DPM++ 2S a", denoise, sigmas, SamplerOptions(eta=eta)), y) < 1e-5


def test_dpmpp_sde(chance: random.Random) -> None:
    denoise = any_denoiser(chance)
    sigmas = plan_sigmas("DPM++ SDE", "Karras", 12, LEVELS)
    path = Noise(SEED, SHAPE).path(sigmas[-2], sigmas[0])
    y = start(sigmas)
    for sigma, following in itertools.pairwise(sigmas):
        denoised = denoise(y, sigma)
        if following == 0:
            y = denoised
            continue
        middle = math.exp((math.log(sigma) + math.log(following)) / 2)
        down, up = split(sigma, middle, 1)
        u = denoised + down / sigma * (y - denoised) + up * path.noise(sigma, middle).double()
        there = denoise(u, middle)
        down, up = split(sigma, following, 1)
        y = there + down / sigma * (y - there) + up * path.noise(sigma, following).double()
    assert relative(ours("DPM++ SDE", denoise, sigmas), y) < 1e-5


@pytest.mark.parametrize("sampler", ["DPM++ 2M SDE", "DPM++ 2M SDE Heun", "DPM++ 3M SDE"])
def test_multistep_sde_solvers(sampler: str, chance: random.Random) -> None:
    """SDE-DPM-Solver++ of two and three points: the integral of an interpolating polynomial in lambda.

    x_t = sigma_t / sigma_s e^-h x_s + alpha_t ∫ 2 e^-2(h - r) D(r) dr + sigma_t sqrt(1 - e^-2h) z, over r from 0 to h.
    The polynomial of the 2M midpoint solver is taken at the middle instead; of the 3M solver's, its authors and
    k-diffusion take half the quadratic term.
    """
    denoise = any_denoiser(chance)
    sigmas = plan_sigmas(sampler, "Exponential", 14, LEVELS)
    path = Noise(SEED, SHAPE).path(sigmas[-2], sigmas[0])
    y = start(sigmas)
    seen: list[tuple[float, Tensor]] = []
    nodes, weights = np.polynomial.legendre.leggauss(20)
    for sigma, following in itertools.pairwise(sigmas):
        s = Preserving(sigma)
        denoised = denoise(y, sigma)
        if following == 0:
            y = denoised
            continue
        t = Preserving(following)
        h = t.log_ratio - s.log_ratio
        seen = [(s.log_ratio, denoised), *seen][: 3 if sampler == "DPM++ 3M SDE" else 2]
        integral = torch.zeros_like(y)
        for node, weight in zip((nodes + 1) * h / 2, weights * h / 2, strict=True):
            at = s.log_ratio + (h / 2 if sampler == "DPM++ 2M SDE" else float(node))
            value = polynomial(seen, at)
            if len(seen) == 3:
                value = value - bend(seen) * (at - s.log_ratio) ** 2 / 2
            integral = integral + float(weight) * 2 * math.exp(-2 * (h - float(node))) * value
        fresh = path.noise(sigma, following).double()
        x = t.sigma / s.sigma * math.exp(-h) * s.alpha * y + t.alpha * integral
        y = (x + t.sigma * math.sqrt(-math.expm1(-2 * h)) * fresh) / t.alpha
    assert relative(ours(sampler, denoise, sigmas), y) < 1e-5


def polynomial(points: list[tuple[float, Tensor]], at: float) -> Tensor:
    """Lagrange's polynomial through the points."""
    total = torch.zeros_like(points[0][1])
    for own, value in points:
        others = [other for other, _ in points if other != own]
        total = total + value * math.prod((at - other) / (own - other) for other in others)
    return total


def bend(points: list[tuple[float, Tensor]]) -> Tensor:
    """The second divided difference."""
    (a, first), (b, second), (c, third) = points
    return ((first - second) / (a - b) - (second - third) / (b - c)) / (a - c)


@pytest.mark.parametrize("calls", [1, 2, 3, 4, 5, 6, 7, 20])
@pytest.mark.parametrize("eta", [1.0, 0.0])
def test_dpm_fast(calls: int, eta: float, chance: random.Random) -> None:
    """The steps of DPM-Solver-fast, as its paper counts them, each in the variance-preserving form."""
    denoise, draw = any_denoiser(chance), draws()
    sigmas = plan_sigmas("DPM fast", "Automatic", calls, LEVELS)
    first, last = -math.log(LEVELS.sigmas[-1]), -math.log(LEVELS.sigmas[0])
    orders = [3] * (calls // 3 - 1) + [2, 1] if calls % 3 == 0 else [3] * (calls // 3) + [calls % 3]
    times = np.linspace(first, last, len(orders) + 1)
    y = start(sigmas)
    for order, (now, then) in zip(orders, itertools.pairwise(times), strict=True):
        down, _ = split(math.exp(-now), math.exp(-then), eta)
        aim = min(-math.log(down), last)
        up = math.sqrt(max(0.0, math.exp(-2 * then) - math.exp(-2 * aim)))
        y = solver(order, denoise, y, float(now), aim) + up * draw()
    assert sum(orders) == calls
    solving = Solving("DPM fast", denoise, SEED, options=SamplerOptions(eta=eta))
    assert relative(solving.draw(sigmas, torch.float64), y) < 1e-5
    assert solving.calls == calls


def solver(order: int, denoise: Denoise, y: Tensor, now: float, then: float, *, third: bool = False) -> Tensor:
    """DPM-Solver-1, -2 (r1 1/2, or 1/3 as ``third``) and -3 of Lu et al. (2022), algorithms 1 and 2, on the noise."""

    def noise(x: Tensor, p: Preserving) -> Tensor:
        sigma = p.sigma / p.alpha
        return (x - p.alpha * denoise(x / p.alpha, sigma)) / p.sigma

    h = then - now
    s, t = Preserving(math.exp(-now)), Preserving(math.exp(-then))
    x = s.alpha * y
    e = noise(x, s)
    plain = t.alpha / s.alpha * x - t.sigma * math.expm1(h) * e
    if order == 1:
        return plain / t.alpha
    r1 = 1 / 3 if order == 3 or third else 1 / 2
    m1 = Preserving(math.exp(-(now + r1 * h)))
    u1 = m1.alpha / s.alpha * x - m1.sigma * math.expm1(r1 * h) * e
    d1 = noise(u1, m1) - e
    if order == 2:
        return (plain - t.sigma / (2 * r1) * math.expm1(h) * d1) / t.alpha
    r2 = 2 / 3
    m2 = Preserving(math.exp(-(now + r2 * h)))
    u2 = m2.alpha / s.alpha * x - m2.sigma * math.expm1(r2 * h) * e
    u2 = u2 - m2.sigma * r2 / r1 * (math.expm1(r2 * h) / (r2 * h) - 1) * d1
    d2 = noise(u2, m2) - e
    return (plain - t.sigma / r2 * (math.expm1(h) / h - 1) * d2) / t.alpha


@pytest.mark.parametrize("eta", [1.0, 0.0])
def test_dpm_adaptive(eta: float, chance: random.Random) -> None:
    denoise, draw = any_denoiser(chance), draws()
    sigmas = plan_sigmas("DPM adaptive", "Automatic", 20, LEVELS)
    s, last = -math.log(LEVELS.sigmas[-1]), -math.log(LEVELS.sigmas[0])
    y = before = start(sigmas)
    h = 0.05
    calls = 0
    while s < last - 1e-5:
        t = min(last, s + h)
        down, _ = split(math.exp(-s), math.exp(-t), eta)
        aim = min(-math.log(down), last)
        low = solver(2, denoise, y, s, aim, third=True)
        high = solver(3, denoise, y, s, aim)
        calls += 3
        allowed = torch.maximum(torch.tensor(0.0078), 0.05 * torch.maximum(low.abs(), before.abs()))
        error = float(torch.sqrt((((low - high) / allowed) ** 2).mean()))
        factor = 1 + math.atan((1 / (error + 1e-8)) ** (1 / (1.5 if eta else 3)) - 1)
        if factor >= 0.81:
            fresh = draw()
            up = math.sqrt(max(0.0, math.exp(-2 * t) - math.exp(-2 * aim)))
            before, y, s = low, high + up * fresh, t
        h *= factor
    solving = Solving("DPM adaptive", denoise, SEED, options=SamplerOptions(eta=eta))
    assert relative(solving.draw(sigmas, torch.float64), y) < 1e-5
    assert solving.calls == calls


@pytest.mark.parametrize("steps", [10, 24, 40])
def test_restart(steps: int, chance: random.Random) -> None:
    """Heun's steps down, and where the plan rises, noise of the missing variance."""
    denoise, draw = any_denoiser(chance), draws()
    sigmas = plan_sigmas("Restart", "Automatic", steps, LEVELS)
    y = start(sigmas)
    for sigma, following in itertools.pairwise(sigmas):
        if following > sigma:
            y = y + math.sqrt(following**2 - sigma**2) * draw()
            continue
        slope = (y - denoise(y, sigma)) / sigma
        reached = y + (following - sigma) * slope
        if following > 0:
            slope = (slope + (reached - denoise(reached, following)) / following) / 2
        y = y + (following - sigma) * slope
    assert relative(ours("Restart", denoise, sigmas), y) < 1e-5


@pytest.mark.parametrize("eta", [0.0, 0.7])
def test_ddim_and_cfgpp(eta: float, chance: random.Random) -> None:
    """Song et al.'s equation 12 in alphas; CFG++ renoises with the unguided noise."""
    guided, unguided = any_denoiser(chance), any_denoiser(chance)
    for sampler, uncond in (("DDIM", guided), ("DDIM CFG++", unguided)):
        draw = draws()
        sigmas = plan_sigmas(sampler, "Automatic", 15, LEVELS)
        x = Noise(SEED, SHAPE).at(0).double()
        for sigma, following in itertools.pairwise(sigmas):
            a, b = 1 / (1 + sigma**2), 1 / (1 + following**2)
            y = x / math.sqrt(a)
            fresh = eta * math.sqrt((1 - b) / (1 - a)) * math.sqrt(1 - a / b)
            noise = (x - math.sqrt(a) * uncond(y, sigma)) / math.sqrt(1 - a)
            x = math.sqrt(b) * guided(y, sigma) + math.sqrt(1 - b - fresh**2) * noise + fresh * draw()
        solving = Solving(sampler, guided, SEED, uncond, SamplerOptions(eta=eta))
        assert relative(solving.draw(sigmas, torch.float64), x) < 1e-5


def test_lcm(chance: random.Random) -> None:
    denoise, draw = any_denoiser(chance), draws()
    sigmas = plan_sigmas("LCM", "Automatic", 5, LEVELS)
    y = start(sigmas)
    for sigma, following in itertools.pairwise(sigmas):
        time = min(range(19, 1000, 20), key=lambda time: abs(math.log(LEVELS.sigmas[time] / sigma)))
        skip = 0.25 / ((10 * time) ** 2 + 0.25)
        out = 10 * time / math.sqrt((10 * time) ** 2 + 0.25)
        y = out * denoise(y, sigma) + skip * y
        if following:
            y = y + following * draw()
    assert relative(ours("LCM", denoise, sigmas), y) < 1e-5


def test_churn(chance: random.Random) -> None:
    """Karras et al.'s algorithm 2 with noise raised inside a window, a draw for each step used or not."""
    denoise = any_denoiser(chance)
    options = SamplerOptions(s_churn=9.0, s_tmin=0.3, s_tmax=5.0, s_noise=1.01)
    sigmas = plan_sigmas("Heun", "Karras", 12, LEVELS)
    for sampler in ("Euler", "Heun"):
        draw = draws()
        y = start(sigmas)
        for sigma, following in itertools.pairwise(sigmas):
            gamma = min(9 / 12, math.sqrt(2) - 1) if 0.3 <= sigma <= 5 else 0.0
            raised = sigma * (1 + gamma)
            y = y + math.sqrt(raised**2 - sigma**2) * 1.01 * draw()
            slope = (y - denoise(y, raised)) / raised
            reached = y + (following - raised) * slope
            if following > 0 and sampler == "Heun":
                slope = (slope + (reached - denoise(reached, following)) / following) / 2
            y = y + (following - raised) * slope
        assert relative(ours(sampler, denoise, sigmas, options), y) < 1e-5
