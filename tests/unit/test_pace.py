import pytest
from hypothesis import given
from hypothesis import strategies as st

from stablehand.domain.pace import average_pace, cost_of
from stablehand.domain.recipes import Recipe

RECIPE = Recipe(
    prompt="x", checkpoint_id="c", checkpoint="c", width=1000, height=1000, steps=20, sampler="Euler",
    schedule="Karras", cfg_scale=7.0, seed=1,
)  # fmt: skip


def test_cost_is_steps_times_rows_times_megapixels() -> None:
    assert cost_of(RECIPE) == 40.0
    assert cost_of(Recipe(**{**RECIPE.as_dict(), "cfg_scale": 1.0})) == 20.0


def test_nothing_measured_is_no_pace() -> None:
    assert average_pace([]) is None


@given(st.lists(st.floats(0, 1e6), min_size=1))
def test_the_average_lies_between_the_measurements(paces: list[float]) -> None:
    average = average_pace(paces)
    assert average is not None
    assert min(paces) * (1 - 1e-9) <= average <= max(paces) * (1 + 1e-9)


def test_the_newest_measurement_weighs_most() -> None:
    assert average_pace([2.0, 1.0, 1.0]) > average_pace([1.0, 1.0, 2.0])  # type: ignore[operator]
    assert average_pace([3.0] * 10) == pytest.approx(3.0)
