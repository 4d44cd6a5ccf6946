"""Quotes held against what happened, and a tier's promise in words."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stablehand.domain.estimates import Range
from stablehand.domain.quotes import Kept, Outcome, accuracy, promise, quantile, records
from stablehand.domain.tiers import NORMAL, PREMIUM

RANGE = Range(10.0, 5.0, 20.0)


def test_errors_are_shares_of_what_happened() -> None:
    found = accuracy([(RANGE, 5.0), (RANGE, 20.0), (RANGE, 40.0), (Range(0, 0, 0), 3.0)])
    assert found is not None
    assert found.jobs == 3
    assert (found.median_error, found.p90_error) == (0.75, 1.0)
    assert (found.median_error_seconds, found.p90_error_seconds) == (10.0, 30.0)
    assert found.bias == 2.0, "quotes were too short"
    assert found.inside == pytest.approx(2 / 3)
    assert accuracy([]) is None


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0.01, 1))
def test_a_quantile_is_not_passed_by_its_share(values: list[float], share: float) -> None:
    found = quantile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-9


def test_records_are_of_all_and_of_each_checkpoint() -> None:
    kept = Kept(device=RANGE, first=None, last=RANGE, held_by="queue")
    one = Outcome(checkpoint="b", count=1, kept=kept, device_seconds=10.0, first_seconds=1.0, last_seconds=20.0)
    everything, a, b = records([one, replace(one, checkpoint="a", device_seconds=20.0), one])
    assert [record.checkpoint for record in (everything, a, b)] == [None, "a", "b"]
    assert [record.jobs for record in (everything, a, b)] == [3, 1, 2]
    assert everything.first is None, "nothing was said of the first picture"
    assert a.device is not None
    assert a.device.bias == 2.0
    assert Kept.from_dict(kept.as_dict()) == kept


def test_what_is_no_drawing_is_what_is_left_of_a_job_that_waited_for_nobody() -> None:
    kept = Kept(device=RANGE, first=None, last=Range(14.0, 7.0, 28.0), held_by=None, handling_seconds=1.0)
    assert kept.besides(device_seconds=12.0, last_seconds=17.0) == 2.0, "three seconds of others stood before it"
    assert replace(kept, held_by="queue").besides(device_seconds=12.0, last_seconds=17.0) is None


def test_a_promise_is_said_as_people_say_it() -> None:
    assert promise(PREMIUM) == "at once"
    assert promise(NORMAL) == "within 30 minutes"
    assert promise(replace(NORMAL, deadline_seconds=86_400.0)) == "within 24 hours"
