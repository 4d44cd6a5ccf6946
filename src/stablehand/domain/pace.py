"""Pace: what pictures cost, in a unit that devices of one kind work off at one rate (domain.estimates)."""

from stablehand.domain.passes import passes
from stablehand.domain.recipes import Recipe

#: Work in resizing one megapixel, in rows of the same size.
_RESIZING = 0.05
#: Work in drawing one megapixel by a network that enlarges: ESRGAN beside Stable Diffusion 1.5, in operations.
_ENLARGING = 1.0


def cost_of(recipe: Recipe) -> float:
    """Work in one picture: calls × rows × megapixels, over all its passes.

    Without guidance a step costs one row instead of two; a picture that starts from another one takes only as many
    steps as its strength says.
    """
    rows = 1 if recipe.cfg_scale == 1 else 2
    rounds = passes(recipe)
    width, height = recipe.output_size
    is_enlarged = any(addon.kind == "upscaler" for addon in recipe.addons)
    resizing = (_ENLARGING if is_enlarged else 0.0 if rounds else _RESIZING) * width * height / 1e6
    return resizing + sum(one.calls * rows * one.recipe.width * one.recipe.height / 1e6 for one in rounds)
