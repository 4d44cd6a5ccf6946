"""Pace: what pictures cost, and how many seconds the devices take for it, learned from what they delivered."""

from collections.abc import Iterable

from stablehand.domain.recipes import Recipe

#: Weight of the newest measurement in the moving average.
NEWEST_WEIGHT = 0.2

#: Deliveries a pace is learned from; older ones weigh less than a thousandth.
MEASUREMENTS = 32


def cost_of(recipe: Recipe) -> float:
    """Work in one picture: steps × rows × megapixels. Without guidance a step costs one row instead of two."""
    rows = 1 if recipe.cfg_scale == 1 else 2
    return recipe.steps * rows * recipe.width * recipe.height / 1e6


def average_pace(paces: Iterable[float]) -> float | None:
    """Exponentially weighted mean of seconds per cost, newest first; None when nothing was measured."""
    total = weights = 0.0
    weight = 1.0
    for pace in paces:
        total += weight * pace
        weights += weight
        weight *= 1 - NEWEST_WEIGHT
    return total / weights if weights else None
