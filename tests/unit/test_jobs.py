from hypothesis import given
from hypothesis import strategies as st

from stablehand.domain.jobs import TERMINAL, State, roll_up

shots = st.lists(st.sampled_from(State), min_size=1, max_size=12)


@given(shots, st.booleans())
def test_a_job_is_terminal_exactly_when_all_its_shots_are(states: list[State], cancel: bool) -> None:
    assert roll_up(states, cancel_requested=cancel).is_terminal == all(state in TERMINAL for state in states)


@given(shots, st.booleans(), st.randoms(use_true_random=False))
def test_neither_order_nor_number_of_equal_shots_matters(states: list[State], cancel: bool, random) -> None:  # type: ignore[no-untyped-def]
    shuffled = [*states, random.choice(states)]
    random.shuffle(shuffled)
    assert roll_up(shuffled, cancel_requested=cancel) is roll_up(states, cancel_requested=cancel)


@given(st.lists(st.sampled_from(sorted(TERMINAL)), min_size=1), st.booleans())
def test_the_end_is_cancelled_then_failed_then_succeeded(states: list[State], cancel: bool) -> None:
    end = roll_up(states, cancel_requested=cancel)
    if cancel and State.CANCELLED in states:
        assert end is State.CANCELLED
    elif State.FAILED in states:
        assert end is State.FAILED
    else:
        assert end is State.SUCCEEDED


def test_a_job_runs_as_soon_as_one_shot_has_left_the_queue() -> None:
    assert roll_up([State.QUEUED, State.QUEUED], cancel_requested=False) is State.QUEUED
    assert roll_up([State.QUEUED, State.RUNNING], cancel_requested=False) is State.RUNNING
    assert roll_up([State.QUEUED, State.SUCCEEDED], cancel_requested=False) is State.RUNNING
