from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from stablehand.domain.attempts import LOSSES_BEFORE_ALONE, runs_alone
from stablehand.domain.leases import STRAY_AFTER, Candidate, is_renewal_due, is_stray, pick

NOW = datetime(2026, 1, 1, tzinfo=UTC)
queues = st.lists(st.integers(0, 4)).map(lambda losses: [Candidate(str(i), n) for i, n in enumerate(losses)])


@given(queues, st.integers(-3, 10), st.integers(0, 10))
def test_what_is_picked_is_the_head_of_the_queue_and_fits(queue: list[Candidate], free: int, held: int) -> None:
    chosen = pick(queue, free_seats=free, held=held, holds_alone=False)
    assert chosen == [candidate.shot_id for candidate in queue[: len(chosen)]]
    assert len(chosen) <= max(0, free)
    alone = [candidate for candidate in queue[: len(chosen)] if runs_alone(candidate.losses)]
    assert not alone or (len(chosen) == 1 and held == 0)


@given(queues, st.integers(1, 10))
def test_nothing_joins_a_shot_that_runs_alone(queue: list[Candidate], free: int) -> None:
    assert pick(queue, free_seats=free, held=1, holds_alone=True) == []


@given(st.integers(1, 20), st.integers(1, 20))
def test_healthy_shots_fill_every_seat(waiting: int, free: int) -> None:
    queue = [Candidate(str(i), LOSSES_BEFORE_ALONE - 1) for i in range(waiting)]
    assert len(pick(queue, free_seats=free, held=3, holds_alone=False)) == min(waiting, free)


def test_leases_are_written_each_quarter_of_their_length() -> None:
    until = NOW + timedelta(seconds=30)
    assert not is_renewal_due(until, NOW + timedelta(seconds=7), 30)
    assert is_renewal_due(until, NOW + timedelta(seconds=8), 30)


def test_a_lease_is_doubted_only_when_its_answer_cannot_be_on_its_way() -> None:
    assert not is_stray(NOW, NOW + STRAY_AFTER)
    assert is_stray(NOW, NOW + STRAY_AFTER + timedelta(microseconds=1))
