"""The quantiles of the beta distribution, for the schedule of that name, without a dependency on SciPy."""

import math
from functools import lru_cache

_TINY = 1e-300


def beta_cdf(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function I_x(a, b), by its continued fraction (DLMF 8.17.22)."""
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    if x > (a + 1) / (a + b + 2):
        return 1 - beta_cdf(1 - x, b, a)
    front = math.exp(a * math.log(x) + b * math.log1p(-x) - _log_beta(a, b)) / a
    # Lentz's method: numerator and denominator of the fraction's convergents, as ratios to the ones before.
    upper, lower = 1.0, 1 / _away_from_zero(1 - (a + b) * x / (a + 1))
    value = lower
    for m in range(1, 1000):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            lower = 1 / _away_from_zero(1 + term * lower)
            upper = _away_from_zero(1 + term / upper)
            value *= upper * lower
        if abs(upper * lower - 1) < 1e-15:
            break
    return front * value


@lru_cache(maxsize=65536)
def beta_quantile(share: float, a: float, b: float) -> float:
    """The x below which ``share`` of the distribution lies: bisection, quickened by Newton's steps where they fit."""
    if share <= 0 or share >= 1:
        return 0.0 if share <= 0 else 1.0
    low, high = 0.0, 1.0
    x = 0.5
    for _ in range(200):
        excess = beta_cdf(x, a, b) - share
        low, high = (low, x) if excess > 0 else (x, high)
        density = math.exp((a - 1) * math.log(x) + (b - 1) * math.log1p(-x) - _log_beta(a, b))
        guess = x - excess / density
        following = guess if low < guess < high else (low + high) / 2
        if abs(following - x) <= 1e-16 + 1e-15 * x:
            return following
        x = following
    return x


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def _away_from_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
