from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stablehand.domain.estimates import (
    FIRST_SPREAD,
    Range,
    Rate,
    calibration,
    draw_seconds,
    learn_rate,
    size_class,
    stand_in,
)

positive = st.floats(0.01, 1e3)


@given(st.lists(st.tuples(positive, positive), min_size=1))
def test_a_rate_lies_between_what_was_measured(measured: list[tuple[float, float]]) -> None:
    rate: Rate | None = None
    for cost, seconds in measured:
        rate = learn_rate(rate, cost=cost, seconds=seconds)
    assert rate is not None
    paces = [seconds / cost for cost, seconds in measured]
    assert min(paces) * (1 - 1e-9) <= rate.seconds_per_cost <= max(paces) * (1 + 1e-9)
    assert rate.measurements == len(measured)


def test_an_estimate_learned_online_is_calibrated() -> None:
    """Pictures whose times scatter by a third: most lie in their range, as many above the estimate as below."""
    random = Random(1)
    rate = learn_rate(None, cost=20.0, seconds=4.0)
    outcomes = []
    for _ in range(500):
        cost = random.uniform(10, 60)
        seconds = cost * 0.2 * random.lognormvariate(0, 0.33)
        outcomes.append((draw_seconds(rate, cost), seconds))
        rate = learn_rate(rate, cost=cost, seconds=seconds)
    measured = calibration(outcomes)
    assert measured is not None
    assert measured.count == 500
    assert 0.8 <= measured.inside_share <= 0.95
    assert measured.median_ratio == pytest.approx(1, abs=0.05)


def test_nothing_known_is_said_as_such() -> None:
    assert calibration([]) is None


@given(positive, st.floats(0, 3))
def test_a_stand_in_says_the_same_with_a_wider_range(seconds_per_cost: float, spread: float) -> None:
    rate = Rate(seconds_per_cost, spread, 40)
    wider = stand_in(rate)
    assert wider.seconds_per_cost == seconds_per_cost
    assert wider.spread >= max(spread, FIRST_SPREAD)
    assert draw_seconds(wider, 2.0).low_seconds <= draw_seconds(rate, 2.0).low_seconds


def test_calibration_says_how_many_lay_inside_and_which_way_the_rest_went() -> None:
    range_ = Range(10, 5, 20)
    found = calibration([(range_, 5), (range_, 20), (range_, 21), (range_, 30)])
    assert found is not None
    assert (found.count, found.inside_share, found.median_ratio) == (4, 0.5, 2.05)


def test_size_classes_part_what_people_draw() -> None:
    sizes = [(256, 256), (512, 512), (768, 768), (1024, 1024), (2048, 2048)]
    assert [size_class(*size) for size in sizes] == ["tiny", "small", "medium", "large", "huge"]
