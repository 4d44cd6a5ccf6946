"""When a state is saved, and who may go on from it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stablehand.domain.parking import (
    OFFERS_MOST,
    Bench,
    Saved,
    Weights,
    drawing_seconds,
    is_due,
    may_resume,
    pays,
    remaining_seconds,
)

BENCH = Bench(runtime="native", version="1", device_kind="cuda", device_name="H200", precision="bf16")
WEIGHTS = Weights(sha256="ab", stamp="s")
SAVED = Saved(bench=BENCH, weights=WEIGHTS, recipe_fingerprint="f", offers=0)


def resumes(
    saved: Saved = SAVED, bench: Bench = BENCH, weights: Weights = WEIGHTS, fingerprint: str = "f", exact: bool = False
) -> bool:
    return may_resume(saved, bench, weights, recipe_fingerprint=fingerprint, exact=exact)


def test_the_same_bench_goes_on() -> None:
    assert resumes()
    assert resumes(exact=True)


@pytest.mark.parametrize("field", ["runtime", "version", "device_kind", "precision"])
def test_another_bench_begins_anew(field: str) -> None:
    assert not resumes(bench=replace(BENCH, **{field: "other"}))


def test_another_device_of_the_kind_goes_on_unless_the_recipe_is_exact() -> None:
    other = replace(BENCH, device_name="A100")
    assert resumes(bench=other)
    assert not resumes(bench=other, exact=True)


def test_weights_are_told_apart_by_hash_or_by_stamp() -> None:
    assert not resumes(weights=Weights(sha256="cd", stamp="s"))
    assert resumes(weights=Weights(sha256="ab", stamp="copied elsewhere"))
    unhashed = replace(SAVED, weights=Weights(sha256=None, stamp="s"))
    assert resumes(unhashed, weights=Weights(sha256="ab", stamp="s")), "the hash was computed in the meantime"
    assert not resumes(unhashed, weights=Weights(sha256="ab", stamp="t"))


def test_another_recipe_begins_anew() -> None:
    assert not resumes(fingerprint="g")


def test_a_state_that_leads_nowhere_is_left_behind() -> None:
    assert resumes(replace(SAVED, offers=OFFERS_MOST - 1))
    assert not resumes(replace(SAVED, offers=OFFERS_MOST))
    assert not may_resume(SAVED, BENCH, WEIGHTS, recipe_fingerprint="f", exact=False, runs_alone=True)


def test_due_after_its_interval_and_never_when_off() -> None:
    def due(every: float, running: float, since: float, took: float = 0.0) -> bool:
        return is_due(every_seconds=every, running_seconds=running, since_last_seconds=since, last_took_seconds=took)

    assert due(30, 30, 30)
    assert not due(30, 29, 29)
    assert not due(30, 100, 20)
    assert not due(0, 1e9, 1e9)
    assert not due(30, 100, 40, took=5), "a slow way makes it rarer"
    assert due(30, 100, 50, took=5)


@given(every=st.floats(0.1, 1e3), took=st.floats(0, 1e3), ticks=st.lists(st.floats(0.01, 50), min_size=20, max_size=60))
def test_sending_takes_a_small_share_of_the_time(every: float, took: float, ticks: list[float]) -> None:
    now, last, sent = 0.0, 0.0, 0
    for tick in ticks:
        now += tick
        if is_due(
            every_seconds=every,
            running_seconds=now,
            since_last_seconds=now - last,
            last_took_seconds=took if sent else 0.0,
        ):
            last, sent = now, sent + 1
    assert (sent - 1) * took <= 0.1 * now + 1e-6


def test_what_is_left_at_the_pace_so_far() -> None:
    assert remaining_seconds(progress=0.5, began_at_progress=0.0, seconds=10) == pytest.approx(10)
    assert remaining_seconds(progress=0.75, began_at_progress=0.5, seconds=10) == pytest.approx(10)
    assert remaining_seconds(progress=0.5, began_at_progress=0.5, seconds=10) == float("inf")
    assert remaining_seconds(progress=1.0, began_at_progress=0.5, seconds=10) == 0
    assert not pays(every_seconds=30, remaining_seconds=5)
    assert pays(every_seconds=30, remaining_seconds=float("inf"))


@given(st.floats(0.001, 1e4))
def test_some_of_the_grace_is_left_for_saving(grace: float) -> None:
    assert grace * 2 / 3 - 1e-6 <= drawing_seconds(grace) <= grace
    assert drawing_seconds(grace) < grace
