"""Pace: what pictures cost, in a unit that devices of one kind work off at one rate (domain.estimates)."""

from stablehand.domain.passes import passes
from stablehand.domain.recipes import Recipe

#: Work in resizing one megapixel, in rows of the same size.
_RESIZING = 0.05


def cost_of(recipe: Recipe) -> float:
    """Work in one picture: calls × rows × megapixels, over all its passes.

    Without guidance a step costs one row instead of two; a picture that starts from another one takes only as many
    steps as its strength says.
    """
    rows = 1 if recipe.cfg_scale == 1 else 2
    rounds = passes(recipe)
    if not rounds:
        return _RESIZING * recipe.width * recipe.height / 1e6
    return sum(one.calls * rows * one.recipe.width * one.recipe.height / 1e6 for one in rounds)
