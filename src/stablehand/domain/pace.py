"""Pace: what pictures cost, in a unit that devices of one kind work off at one rate (domain.estimates)."""

from stablehand.domain.recipes import Recipe


def cost_of(recipe: Recipe) -> float:
    """Work in one picture: steps × rows × megapixels. Without guidance a step costs one row instead of two."""
    rows = 1 if recipe.cfg_scale == 1 else 2
    return recipe.steps * rows * recipe.width * recipe.height / 1e6
