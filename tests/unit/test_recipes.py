from hypothesis import given
from hypothesis import strategies as st

from stablehand.domain.recipes import SEED_MAX, Recipe

RECIPE = Recipe(
    prompt="a house", checkpoint_id="c", checkpoint="postcard", width=256, height=256, steps=20, sampler="Euler",
    schedule="Karras", cfg_scale=7.0, seed=1,
)  # fmt: skip


@given(st.integers(0, SEED_MAX), st.integers(0, 999))
def test_seeds_of_shots_follow_each_other_and_wrap(seed: int, index: int) -> None:
    drawn = RECIPE.with_seed(seed).for_shot(index)
    assert 0 <= drawn.seed <= SEED_MAX
    assert (drawn.seed - seed - index) % (SEED_MAX + 1) == 0
    assert drawn.with_seed(1) == RECIPE


@given(st.text(), st.floats(0, 30))
def test_a_recipe_survives_storing_and_keeps_its_fingerprint(prompt: str, cfg_scale: float) -> None:
    recipe = Recipe(**{**RECIPE.as_dict(), "prompt": prompt.encode("utf-8", "ignore").decode(), "cfg_scale": cfg_scale})
    again = Recipe.from_dict(recipe.as_dict())
    assert again == recipe
    assert again.fingerprint == recipe.fingerprint
    assert recipe.with_seed(2).fingerprint != recipe.fingerprint
