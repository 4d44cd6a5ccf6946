"""When pictures are ready, by what stands before them."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stablehand.domain.prospects import HANDLING_SECONDS_MOST, Due, Prospect, due, due_of_running, learn_handling

IDLE = Prospect(
    running_seconds=(),
    ahead_shots=0,
    ahead_seconds=0.0,
    between_seconds=0.0,
    shots=1,
    shot_seconds=2.0,
    agents=1,
    seats=4,
    load_seconds=0.0,
    spread=0.0,
)


def found(**changes: object) -> Due:
    answer = due(replace(IDLE, **changes))  # type: ignore[arg-type]
    assert answer is not None
    return answer


def ready(**changes: object) -> tuple[float, float]:
    """Seconds until the first and the last picture."""
    answer = found(**changes)
    return answer.first.seconds, answer.last.seconds


def test_without_an_agent_nothing_is_promised() -> None:
    assert due(replace(IDLE, agents=0)) is None


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, (2, 2)),
        ({"shots": 4}, (8, 8)),  # one batch: they end together
        ({"shots": 6}, (8, 12)),  # a batch of four, then the other two
        ({"shots": 4, "agents": 3}, (8, 8)),  # one claim takes them all, whoever else is idle
        ({"shots": 12, "agents": 3}, (8, 8)),
        ({"shots": 6, "agents": 3}, (8, 8)),  # four and two, beside each other
        ({"load_seconds": 5.0}, (7, 7)),
        ({"ahead_shots": 9, "ahead_seconds": 18.0}, (20, 20)),
        ({"ahead_shots": 9, "ahead_seconds": 18.0, "agents": 2}, (11, 11)),
        ({"shots": 2, "between_seconds": 6.0}, (4, 10)),
        ({"running_seconds": (1.0,)}, (3, 3)),
        ({"running_seconds": (60.0,)}, (4, 4)),  # it joins the long one, and leaves it behind
        ({"running_seconds": (60.0,) * 4}, (2 + 4 * 60, 2 + 4 * 60)),  # no seat is free before they are done
    ],
)
def test_what_stands_before_an_order_says_when_it_is_ready(
    changes: dict[str, object], expected: tuple[float, float]
) -> None:
    assert ready(**changes) == pytest.approx(expected)


def test_it_begins_at_once_while_a_seat_is_free() -> None:
    assert found(running_seconds=(60.0,) * 3).begins_seconds == 0
    assert found(running_seconds=(60.0,) * 4).begins_seconds > 0
    assert found(running_seconds=(60.0,) * 3, load_seconds=3.0).begins_seconds == 3


def test_what_is_no_drawing_is_learned_from_jobs_that_waited_for_nobody() -> None:
    assert learn_handling([5.0, 5.0]) == 0.0, "too few"
    assert learn_handling([0.5, 9.0, 0.7]) == 0.7
    assert learn_handling([-3.0] * 5) == 0.0
    assert learn_handling([1e6] * 5) == HANDLING_SECONDS_MOST
    assert ready(handling_seconds=0.7) == pytest.approx((2.7, 2.7))


def test_a_job_of_which_all_runs_is_done_with_its_slowest_agent() -> None:
    held = {"one": ([2.0, 1.0], [5.0]), "two": ([], [9.0]), "three": ([4.0], [])}
    ended = due_of_running(held, spread=0.0)
    assert ended is not None
    assert ended.seconds == 2 + 1 + 2, "of its neighbour no more than it needs itself"
    assert due_of_running({"two": ([], [9.0])}, spread=0.0) is None


seconds = st.floats(0, 1e4)
prospects = st.builds(
    Prospect,
    running_seconds=st.lists(seconds, max_size=12).map(tuple),
    ahead_shots=st.integers(0, 1000),
    ahead_seconds=seconds,
    between_seconds=seconds,
    shots=st.integers(1, 1000),
    shot_seconds=st.floats(0.01, 1e3),
    agents=st.integers(1, 50),
    seats=st.integers(1, 32),
    load_seconds=st.floats(0, 60),
    spread=st.floats(0, 2),
    handling_seconds=st.floats(0, 30),
)


@given(prospects)
def test_ranges_hold_what_is_likely_and_the_last_is_never_first(prospect: Prospect) -> None:
    answer = due(prospect)
    assert answer is not None
    for one in (answer.first, answer.last):
        assert 0 <= one.low_seconds <= one.seconds <= one.high_seconds
    assert answer.first.seconds <= answer.last.seconds
    assert answer.first.low_seconds <= answer.last.low_seconds
    assert answer.last.seconds >= prospect.shot_seconds + prospect.load_seconds - 1e-9


@given(prospects, st.floats(1, 100))
def test_more_before_it_never_makes_it_sooner(prospect: Prospect, more: float) -> None:
    before, after = due(prospect), due(replace(prospect, ahead_seconds=prospect.ahead_seconds + more))
    assert before is not None
    assert after is not None
    assert after.first.seconds >= before.first.seconds
    assert after.last.seconds >= before.last.seconds
