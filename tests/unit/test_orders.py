import math
from dataclasses import asdict, replace
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stablehand.domain.checkpoints import Checkpoint
from stablehand.domain.defaults import DISTILLED, USUAL
from stablehand.domain.families import Distillation
from stablehand.domain.orders import LIMITS, JobOrder, make_recipe, problems
from stablehand.domain.recipes import SEED_MAX
from stablehand.domain.samplers import SAMPLERS, SCHEDULES

CHECKPOINT = Checkpoint(
    id="c",
    name="postcard",
    path="builtin:postcard",
    family="sd1",
    native_size=256,
    size_bytes=1,
    sha256=None,
    builtin=True,
)

sides = st.integers(8, 256).map(lambda units: units * 8)
good_orders = st.builds(
    JobOrder,
    prompt=st.text(min_size=1, max_size=50, alphabet=st.characters(exclude_categories=["Cs", "Zs", "Cc", "Zl", "Zp"])),
    negative_prompt=st.none() | st.just("blurry"),
    width=st.none() | sides,
    height=st.none() | sides,
    steps=st.none() | st.integers(1, 150),
    sampler=st.none() | st.sampled_from([s.name.upper() for s in SAMPLERS] + ["k_euler"]),
    schedule=st.none() | st.sampled_from([s.name.lower() for s in SCHEDULES]),
    cfg_scale=st.none() | st.floats(0, 30),
    seed=st.none() | st.integers(-1, SEED_MAX),
    count=st.none() | st.integers(1, 1000),
    format=st.none() | st.sampled_from(["png", "webp", "jpeg"]),
    quality=st.none() | st.integers(1, 100),
    exact=st.none() | st.booleans(),
)


@given(good_orders, st.integers(0, 2**32 - 1))
def test_a_good_order_becomes_a_recipe_that_keeps_what_was_said(order: JobOrder, random_seed: int) -> None:
    assert problems(order) == {}
    recipe = make_recipe(order, CHECKPOINT, random_seed=random_seed)
    assert recipe.prompt == order.prompt
    assert recipe.width == (order.width or 256)
    assert recipe.seed == (random_seed if order.seed in (None, -1) else order.seed)
    assert recipe.sampler in {sampler.name for sampler in SAMPLERS}
    assert recipe.schedule in {schedule.name for schedule in SCHEDULES}
    if order.cfg_scale is not None:
        assert recipe.cfg_scale == order.cfg_scale
    assert type(recipe).from_dict(recipe.as_dict()) == recipe


def test_the_defaults() -> None:
    recipe = make_recipe(JobOrder(prompt="x"), CHECKPOINT, random_seed=5)
    assert (recipe.width, recipe.height, recipe.steps, recipe.sampler, recipe.schedule, recipe.cfg_scale) == (
        256, 256, 20, "DPM++ 2M", "Automatic", 7.0,
    )  # fmt: skip
    assert (recipe.format, recipe.quality, recipe.seed, recipe.exact) == ("webp", 90, 5, False)


@pytest.mark.parametrize(
    ("distillation", "wanted"),
    [
        ("lcm", (6, "LCM", "Automatic", 1.5)),
        ("turbo", (4, "Euler a", "SGM Uniform", 1.0)),
        ("lightning", (6, "Euler", "SGM Uniform", 1.0)),
        ("hyper", (8, "Euler", "SGM Uniform", 1.0)),
        ("of tomorrow", (20, "DPM++ 2M", "Automatic", 7.0)),
    ],
)
def test_a_distilled_checkpoint_has_defaults_of_its_own(distillation: str, wanted: tuple[int, str, str, float]) -> None:
    checkpoint = replace(CHECKPOINT, distillation=distillation)
    open_ = make_recipe(JobOrder(prompt="x"), checkpoint, random_seed=5)
    assert (open_.steps, open_.sampler, open_.schedule, open_.cfg_scale) == wanted
    said = JobOrder(prompt="x", steps=11, sampler="k_heun", schedule="Automatic", cfg_scale=0.0)
    recipe = make_recipe(said, checkpoint, random_seed=5)
    assert (recipe.steps, recipe.sampler, recipe.schedule, recipe.cfg_scale) == (11, "Heun", "Automatic", 0.0)


def test_the_defaults_are_ones_that_could_be_ordered() -> None:
    assert set(DISTILLED) == set(get_args(Distillation))
    for defaults in (USUAL, *DISTILLED.values()):
        assert problems(JobOrder(prompt="x", **asdict(defaults))) == {}


def test_an_option_fits_the_sampler_that_the_checkpoint_brings() -> None:
    order = JobOrder(prompt="x", eta=0.5)
    assert set(problems(order)) == set(problems(order, CHECKPOINT)) == {"eta"}
    assert problems(order, replace(CHECKPOINT, distillation="turbo")) == {}


BAD: list[tuple[str, Any]] = [
    ("steps", 0), ("steps", 151), ("steps", 1000), ("steps", 2.0), ("steps", True), ("steps", "20"),
    ("width", 63), ("width", 100), ("width", 2056), ("height", 0), ("height", -8), ("height", 10**9),
    ("cfg_scale", math.nan), ("cfg_scale", math.inf), ("cfg_scale", -0.1), ("cfg_scale", 30.5),
    ("seed", -2), ("seed", SEED_MAX + 1), ("count", 0), ("count", 1001), ("count", 10**9),
    ("quality", 0), ("quality", 101), ("sampler", "Heun 9000"), ("sampler", ""), ("schedule", "Fast"),
    ("format", "gif"), ("kind", "video"), ("prompt", ""), ("prompt", "  \n"), ("prompt", "x" * 10_001),
    ("prompt", "a\0b"), ("prompt", "a\ud800"), ("negative_prompt", "y" * 10_001),
]  # fmt: skip


@pytest.mark.parametrize(("field", "value"), BAD)
def test_each_bad_value_is_named(field: str, value: object) -> None:
    values: dict[str, Any] = {"prompt": "x", field: value}
    assert list(problems(JobOrder(**values))) == [field]


@given(st.lists(st.sampled_from(BAD), min_size=2, unique_by=lambda bad: bad[0]))
def test_all_bad_values_are_named_at_once(bad: list[tuple[str, Any]]) -> None:
    assert set(problems(JobOrder(**{"prompt": "x", **dict(bad)}))) == {field for field, _ in bad}


@given(st.sampled_from(sorted(LIMITS)), st.integers() | st.floats())
def test_no_number_breaks_the_check(field: str, value: float) -> None:
    values: dict[str, Any] = {"prompt": "x", field: value}
    found = problems(JobOrder(**values))
    low, high = LIMITS[field]
    assert (found == {}) <= (low <= value <= high)


def test_the_same_order_has_the_same_fingerprint_and_another_has_not() -> None:
    assert JobOrder(prompt="x", steps=3).fingerprint == JobOrder(steps=3, prompt="x").fingerprint
    assert JobOrder(prompt="x", steps=3).fingerprint != JobOrder(prompt="x", steps=4).fingerprint
    assert JobOrder(prompt="x").fingerprint != JobOrder(prompt="x", seed=-1).fingerprint
