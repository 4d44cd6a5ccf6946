import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from stablehand.domain.recipes import (
    SEED_MAX,
    Addon,
    Hires,
    NoiseOptions,
    Recipe,
    Refiner,
    SamplerOptions,
    Source,
    TextOptions,
)

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


def test_parts_survive_the_way_through_json() -> None:
    recipe = replace(
        RECIPE,
        kind="inpaint",
        sampler_options=SamplerOptions(eta=0.5, s_churn=2.0),
        noise=NoiseOptions(source="NV", subseed=7, subseed_strength=0.25),
        text=TextOptions(clip_skip=2),
        addons=(Addon(kind="vae", id="v", name="mse"),),
        source=Source(input="a" * 64, mask="b" * 64, only_masked=True),
        hires=Hires(width=512, height=384),
        refiner=Refiner(checkpoint_id="r", checkpoint="refiner", switch_at=0.8),
    )
    assert Recipe.from_dict(json.loads(json.dumps(recipe.as_dict()))) == recipe


def test_a_recipe_without_parts_does_not_mention_them() -> None:
    assert set(RECIPE.as_dict()) == {
        "prompt", "negative_prompt", "kind", "checkpoint_id", "checkpoint", "width", "height", "steps", "sampler",
        "schedule", "cfg_scale", "seed", "format", "quality", "exact", "version",
    }  # fmt: skip


def test_where_the_variation_seed_has_a_say_it_counts_up_and_the_seed_stays() -> None:
    recipe = replace(RECIPE, noise=NoiseOptions(subseed=5, subseed_strength=0.1))
    assert (recipe.for_shot(3).seed, recipe.for_shot(3).noise.subseed) == (RECIPE.seed, 8)
