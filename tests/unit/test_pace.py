from stablehand.domain.pace import cost_of
from stablehand.domain.recipes import Recipe

RECIPE = Recipe(
    prompt="x", checkpoint_id="c", checkpoint="c", width=1000, height=1000, steps=20, sampler="Euler",
    schedule="Karras", cfg_scale=7.0, seed=1,
)  # fmt: skip


def test_cost_is_steps_times_rows_times_megapixels() -> None:
    assert cost_of(RECIPE) == 40.0
    assert cost_of(Recipe(**{**RECIPE.as_dict(), "cfg_scale": 1.0})) == 20.0
