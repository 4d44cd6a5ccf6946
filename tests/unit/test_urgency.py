from hypothesis import given
from hypothesis import strategies as st

from stablehand.domain.urgency import COUNTED_SHOTS, account_urgency, counted_seconds, lane_urgency

waits = st.integers(0, 100_000)


@given(waits, st.none() | waits, st.sampled_from([15.0, 1800.0]))
def test_an_account_is_as_urgent_as_the_time_since_it_was_served(
    oldest: int, since_claim: int | None, deadline: float
) -> None:
    urgency = account_urgency(
        oldest_wait_seconds=oldest, since_claim_seconds=since_claim, tier_deadline_seconds=deadline
    )
    assert urgency * deadline <= oldest * (1 + 1e-9)
    if since_claim is not None:
        assert urgency * deadline <= since_claim * (1 + 1e-9)
    assert urgency >= 0


def test_clocks_that_disagree_do_not_make_urgency_negative() -> None:
    assert account_urgency(oldest_wait_seconds=-1, since_claim_seconds=None, tier_deadline_seconds=15) == 0


def test_a_lane_is_as_urgent_as_its_worst_served_account() -> None:
    assert lane_urgency([0.1, 0.7, 0.3]) == 0.7
    assert lane_urgency([]) == 0


@given(st.integers(COUNTED_SHOTS, 100_000), st.floats(0.1, 10))
def test_more_shots_of_one_account_are_not_more_work(shots: int, seconds: float) -> None:
    assert abs(counted_seconds([(shots, shots * seconds)]) - COUNTED_SHOTS * seconds) < 1e-6 * shots


@given(st.lists(st.tuples(st.integers(1, COUNTED_SHOTS), st.floats(0, 100))))
def test_small_orders_count_in_full(accounts: list[tuple[int, float]]) -> None:
    assert abs(counted_seconds(accounts) - sum(seconds for _, seconds in accounts)) < 1e-6
    assert counted_seconds([*accounts, (0, 0.0)]) == counted_seconds(accounts)
