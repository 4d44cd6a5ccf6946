"""The DPM-Solver family: DPM2, DPM2 a, DPM fast, DPM adaptive.

Lu et al. (2022, arXiv 2206.00927). Time is ``-log sigma``: it rises while a picture becomes clear.
"""

import math
from collections.abc import Generator

import torch
from torch import Tensor

from stablehand.engine.samplers.asks import Answer, Ask, Means, Sampling, ancestral, churned, slope, toward
from stablehand.engine.samplers.state import SamplerState


def dpm2(state: SamplerState, means: Means) -> Sampling:
    """DPM-Solver-2 with Karras et al.'s churn: the slope at the geometric middle of a step (``sample_dpm_2``)."""
    while state.step < state.steps:
        following = state.sigmas[state.step + 1]
        latent, sigma = churned(state, means)
        denoised = (yield Ask(latent, sigma)).denoised
        if following == 0:
            reached = denoised
        else:
            middle = math.sqrt(sigma * following)
            between = toward(latent, denoised, sigma, middle)
            denoised_there = (yield Ask(between, middle)).denoised
            reached = latent + slope(between, denoised_there, middle) * (following - sigma)
        state.latent = reached
        state.draws += 1
        state.step += 1


def dpm2_ancestral(state: SamplerState, means: Means) -> Sampling:
    """The same to a level below the next one, then fresh noise up to it (``sample_dpm_2_ancestral``)."""
    eta = means.eta(1.0)
    while state.step < state.steps:
        sigma, following = state.sigmas[state.step], state.sigmas[state.step + 1]
        denoised = (yield Ask(state.latent, sigma)).denoised
        down, up = ancestral(sigma, following, eta)
        if down == 0:
            reached = denoised
        else:
            middle = math.sqrt(sigma * down)
            between = toward(state.latent, denoised, sigma, middle)
            denoised_there = (yield Ask(between, middle)).denoised
            reached = state.latent + slope(between, denoised_there, middle) * (down - sigma)
        if up > 0:
            reached = reached + means.noise.at(state.draws) * (means.options.s_noise * up)
        state.draws += 1
        state.latent = reached
        state.step += 1


def dpm_fast(state: SamplerState, means: Means) -> Sampling:
    """DPM-Solver-fast with ancestral noise: third-order steps, equally long, as many as the calls allow.

    Goes from the first to the last positive level and calls the network once for each step of the schedule.
    """
    eta = means.eta(1.0)
    start, end = _span(state, means)
    orders = fast_orders(state.steps)
    while state.step < state.steps:
        index = next(index for index in range(len(orders)) if sum(orders[:index]) == state.step)
        now = start + (end - start) * index / len(orders)
        then = start + (end - start) * (index + 1) / len(orders)
        aim, up = _ancestral_time(now, then, end, eta)
        order = orders[index]
        if order == 3:
            _, reached = yield from _step_2_and_3(state.latent, now, aim)
        elif order == 2:
            reached = yield from _step_2(state.latent, now, aim)
        else:
            denoised = (yield Ask(state.latent, math.exp(-now))).denoised
            reached = toward(state.latent, denoised, math.exp(-now), math.exp(-aim))
        if up > 0:
            reached = reached + means.noise.at(state.draws) * (means.options.s_noise * up)
        state.draws += 1
        state.latent = reached
        state.step += order


def fast_orders(calls: int) -> list[int]:
    """The orders of DPM-Solver-fast's steps; they add up to the calls."""
    if calls < 3:
        return [calls]
    return [3] * (calls // 3 - 1) + [2, 1] if calls % 3 == 0 else [3] * (calls // 3) + [calls % 3]


RELATIVE_TOLERANCE, ABSOLUTE_TOLERANCE = 0.05, 0.0078
FIRST_STEP = 0.05
ACCEPTED_FACTOR = 0.81
#: A step of this share of the way is taken whatever its error: k-diffusion would shrink it for ever.
SHORTEST_STEP = 1e-3


def dpm_adaptive(state: SamplerState, means: Means) -> Sampling:
    """DPM-Solver-23 with ancestral noise, its step size controlled as in ``sample_dpm_adaptive``.

    Takes as many steps as the picture needs; the number that was asked for plays no part. The error is this picture's
    alone. State: ``time``, ``stride`` and the latest second-order result.
    """
    eta = means.eta(1.0)
    start, end = _span(state, means)
    power = 1 / (1.5 if eta else 3)
    while state.step < state.steps:
        now = state.numbers.get("time", start)
        stride = state.numbers.get("stride", FIRST_STEP)
        previous = state.history.get("low", (state.latent,))[0]
        then = min(end, now + stride)
        aim, up = _ancestral_time(now, then, end, eta)
        low, high = yield from _step_2_and_3(state.latent, now, aim)
        allowed = torch.clamp(RELATIVE_TOLERANCE * torch.maximum(low.abs(), previous.abs()), min=ABSOLUTE_TOLERANCE)
        # In one order of summing, whatever layout a device prefers: else a parked picture would choose other steps.
        error = float(((low - high) / allowed).square().contiguous().mean().sqrt())
        factor = 1 + math.atan((1 / (error + 1e-8)) ** power - 1)
        if factor >= ACCEPTED_FACTOR or then - now <= SHORTEST_STEP * (end - start):
            if up > 0:
                high = high + means.noise.at(state.draws) * (means.options.s_noise * up)
            state.draws += 1
            state.latent = high
            state.history = {"low": (low,)}
            now = then
        progress = min(1.0, (now - start) / (end - start))
        is_there = now >= end - 1e-5
        state.numbers |= {"time": now, "stride": stride * factor, "progress": 1.0 if is_there else progress}
        state.step = state.steps if is_there else min(state.steps - 1, int(progress * state.steps))


def _span(state: SamplerState, means: Means) -> tuple[float, float]:
    """Time at the first and at the last positive level; a single level reaches down to the smallest trained one."""
    positive = [sigma for sigma in state.sigmas if sigma > 0]
    if not positive:
        return 0.0, 0.0
    first, last = positive[0], positive[-1]
    if last >= first:
        last = min(float(means.levels.sigmas[0]), first / 2)
    return -math.log(first), -math.log(last)


def _ancestral_time(now: float, then: float, end: float, eta: float) -> tuple[float, float]:
    """The time to solve up to, and the noise that leads back from there to the level of ``then``."""
    following = math.exp(-then)
    down, _ = ancestral(math.exp(-now), following, eta)
    aim = min(end, -math.log(down)) if down > 0 else end
    return aim, math.sqrt(max(0.0, following**2 - math.exp(-aim) ** 2))


Half = Generator[Ask, Answer, Tensor]
Both = Generator[Ask, Answer, tuple[Tensor, Tensor]]


def _step_2(latent: Tensor, now: float, then: float) -> Half:
    """DPM-Solver-2, algorithm 1, with r1 = 1/2."""
    span, sigma, following = then - now, math.exp(-now), math.exp(-then)
    noise = slope(latent, (yield Ask(latent, sigma)).denoised, sigma)
    middle = math.exp(-(now + span / 2))
    between = latent - middle * math.expm1(span / 2) * noise
    noise_there = slope(between, (yield Ask(between, middle)).denoised, middle)
    return latent - following * math.expm1(span) * noise_there


def _step_2_and_3(latent: Tensor, now: float, then: float) -> Both:
    """The second-order result with r1 = 1/3, and DPM-Solver-3 (algorithm 2), which shares its calls."""
    span, sigma, following = then - now, math.exp(-now), math.exp(-then)
    first, second = math.exp(-(now + span / 3)), math.exp(-(now + span * 2 / 3))
    noise = slope(latent, (yield Ask(latent, sigma)).denoised, sigma)
    between = latent - first * math.expm1(span / 3) * noise
    change = slope(between, (yield Ask(between, first)).denoised, first) - noise
    grown = math.expm1(span)
    low = latent - following * grown * noise - following * 1.5 * grown * change
    third = span * 2 / 3
    between = latent - second * math.expm1(third) * noise - second * 2 * (math.expm1(third) / third - 1) * change
    change = slope(between, (yield Ask(between, second)).denoised, second) - noise
    high = latent - following * grown * noise - following * 1.5 * (grown / span - 1) * change
    return low, high
