from hypothesis import given
from hypothesis import strategies as st

from stablehand.domain.attempts import LOSSES_BEFORE_ALONE, runs_alone
from stablehand.domain.seats import Candidate, fill, seating

queues = st.lists(st.tuples(st.integers(0, 4), st.booleans(), st.sampled_from("xyz"))).map(
    lambda entries: [
        Candidate(shot_id=str(index), account_id=account, is_premium=premium, losses=losses)
        for index, (losses, premium, account) in enumerate(sorted(entries, key=lambda entry: not entry[1]))
    ]
)
seats = st.integers(0, 8)


@given(seats, st.none() | st.integers(0, 16), st.integers(0, 4))
def test_normal_shots_leave_room_for_premium_but_never_the_last_seat_empty(
    normal_fill: int, seats_max: int | None, premium_seats: int
) -> None:
    limits = seating(normal_fill, seats_max=seats_max, premium_seats=premium_seats)
    assert limits.premium >= normal_fill >= limits.normal
    assert limits.normal >= min(normal_fill, 1)
    assert normal_fill - limits.normal <= premium_seats


@given(queues, seats, st.integers(0, 16), st.integers(0, 10))
def test_what_is_picked_fits(queue: list[Candidate], normal_fill: int, seats_max: int, held: int) -> None:
    limits = seating(normal_fill, seats_max=seats_max)
    ids = fill(queue, limits=limits, held=held, holds_alone=False)
    picked = [candidate for candidate in queue if candidate.shot_id in ids]
    assert [candidate.shot_id for candidate in picked] == ids
    assert not picked or held + len(picked) <= limits.premium
    if any(not candidate.is_premium for candidate in picked if not runs_alone(candidate.losses)):
        assert held + len(picked) <= limits.normal
    alone = [candidate for candidate in picked if runs_alone(candidate.losses)]
    assert not alone or (len(picked) == 1 and held == 0)


@given(queues)
def test_nothing_joins_a_shot_that_runs_alone(queue: list[Candidate]) -> None:
    assert fill(queue, limits=seating(8), held=1, holds_alone=True) == []


@given(st.integers(1, 20), st.integers(1, 20), st.booleans())
def test_healthy_shots_fill_every_seat_of_their_tier(waiting: int, free: int, premium: bool) -> None:
    queue = [
        Candidate(shot_id=str(i), account_id="x", is_premium=premium, losses=LOSSES_BEFORE_ALONE - 1)
        for i in range(waiting)
    ]
    limits = seating(free + 3)
    room = (limits.premium if premium else limits.normal) - 3
    assert len(fill(queue, limits=limits, held=3, holds_alone=False)) == min(waiting, max(0, room))


@given(queues, st.integers(1, 4), st.integers(0, 5))
def test_no_account_holds_more_than_its_cap_and_nobody_waits_for_it(
    queue: list[Candidate], cap: int, flying: int
) -> None:
    healthy = [Candidate(shot_id=c.shot_id, account_id=c.account_id, is_premium=True) for c in queue]
    ids = fill(healthy, limits=seating(100), held=0, holds_alone=False, left={"x": cap - flying, "y": cap, "z": cap})
    for account, before in (("x", flying), ("y", 0), ("z", 0)):
        mine = [candidate for candidate in healthy if candidate.account_id == account]
        taken = sum(candidate.shot_id in ids for candidate in mine)
        assert taken == min(len(mine), max(0, cap - before))
