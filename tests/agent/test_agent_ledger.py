"""The ledger's rules, and how long an agent waits between two tries."""

import random

import pytest

from stablehand.agent.backoff import Backoff
from stablehand.agent.ledger import Ledger
from stablehand.protocol import CheckpointRef, Lease


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def lease(shot_id: str, token: int = 1, timeout_seconds: float = 600.0) -> Lease:
    return Lease(
        shot_id=shot_id,
        job_id="job",
        index=0,
        token=token,
        attempt=token,
        lease_seconds=30.0,
        timeout_seconds=timeout_seconds,
        recipe={},
        checkpoint=CheckpointRef(id="c", name="c", path="c"),
    )


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(clock: Clock) -> Ledger:
    return Ledger(clock)


def test_a_lease_is_seated_once(ledger: Ledger) -> None:
    ledger.take([lease("a"), lease("b")])
    assert [seated.shot_id for seated in ledger.turn()[1]] == ["a", "b"]
    assert ledger.turn() == ([], [])
    assert ledger.drawing() == ["a", "b"]


def test_a_lost_shot_is_dropped_before_it_is_seated_anew(ledger: Ledger) -> None:
    ledger.take([lease("a", 1)])
    ledger.turn()
    ledger.strike([("a", 1)])
    ledger.take([lease("a", 2)])
    drops, seats = ledger.turn()
    assert drops == ["a"]
    assert [seated.token for seated in seats] == [2]


def test_a_shot_leased_anew_while_it_is_drawn_goes_on_under_the_new_token(ledger: Ledger) -> None:
    ledger.take([lease("a", 1)])
    ledger.turn()
    ledger.take([lease("a", 2)])
    assert ledger.turn() == ([], [])
    ended = ledger.end("a")
    assert ended is not None
    assert ended.token == 2


def test_a_stale_loss_does_not_strike_the_new_lease(ledger: Ledger) -> None:
    ledger.take([lease("a", 1)])
    ledger.turn()
    ledger.take([lease("a", 2)])
    ledger.strike([("a", 1)])
    assert ledger.drawing() == ["a"]


def test_an_ended_shot_leased_anew_is_drawn_again(ledger: Ledger) -> None:
    ledger.take([lease("a", 1)])
    ledger.turn()
    old = ledger.end("a")
    assert old is not None
    ledger.take([lease("a", 2)])
    assert [seated.token for seated in ledger.turn()[1]] == [2]
    ledger.settle(old)
    assert ledger.drawing() == ["a"]


def test_the_result_of_a_lost_shot_is_nobodys(ledger: Ledger) -> None:
    ledger.take([lease("a")])
    ledger.turn()
    assert ledger.strike([("a", 1)]) == ["a"]
    assert ledger.end("a") is None
    assert ledger.is_empty()


def test_cancel_stops_what_is_drawn_and_leaves_what_is_finished(ledger: Ledger) -> None:
    ledger.take([lease("waiting"), lease("drawing"), lease("finished")])
    ledger.turn()
    ledger.end("finished")
    stopped = ledger.cancel(["waiting", "drawing", "finished", "unknown"])
    assert {stop.shot_id for stop in stopped} == {"waiting", "drawing"}
    assert set(ledger.turn()[0]) == {"waiting", "drawing"}
    assert ledger.end("drawing") is None


def test_an_overdue_attempt_is_named_once(ledger: Ledger, clock: Clock) -> None:
    ledger.take([lease("short", timeout_seconds=5.0), lease("long")])
    ledger.turn()
    clock.now += 5.5
    assert [late.shot_id for late in ledger.overdue()] == ["short"]
    assert ledger.overdue() == []
    assert ledger.turn()[0] == ["short"]


def test_everything_unconfirmed_is_renewed_with_its_progress(ledger: Ledger) -> None:
    ledger.take([lease("a"), lease("b"), lease("c")])
    ledger.turn()
    ledger.end("c")
    held = {shot.shot_id: shot.progress for shot in ledger.held({"a": 0.25, "c": 0.9})}
    assert held == {"a": 0.25, "b": 0.0, "c": 1.0}
    drawn = {shot.shot_id: shot.progress for shot in ledger.held({})}
    assert drawn == {"a": 0.25, "b": 0.0, "c": 1.0}, "drawn, and gone from the runtime a moment before it ends here"


def test_reports_that_wait_hold_claims_back(ledger: Ledger) -> None:
    ledger.take([lease(f"shot-{number}") for number in range(4)])
    assert ledger.free_seats(4) == 0
    ledger.turn()
    for number in range(4):
        ledger.end(f"shot-{number}")
    assert ledger.free_seats(4) == 4
    ledger.take([lease(f"more-{number}") for number in range(4)])
    ledger.turn()
    for number in range(4):
        ledger.end(f"more-{number}")
    assert ledger.free_seats(4) == 0


def test_waits_double_up_to_the_most_with_jitter() -> None:
    backoff = Backoff(first=0.1, most=5.0, chance=random.Random(7))
    waits = [backoff.next_seconds() for _ in range(12)]
    for number, seconds in enumerate(waits):
        whole = min(5.0, 0.1 * 2**number)
        assert whole / 2 <= seconds <= whole
    backoff.reset()
    assert backoff.next_seconds() <= 0.1
    assert backoff.next_seconds(at_least=9.0) == 9.0


def test_a_shot_with_a_state_waits_for_it_and_counts_as_running() -> None:
    ledger = Ledger(clock=Clock())
    parked = lease("a").model_copy(update={"resume_from": "/agent/v1/x", "resumed_progress": 0.5})
    ledger.take([parked])
    assert not ledger.has_turn()
    assert ledger.free_seats(2) == 1
    assert [held.progress for held in ledger.held({})] == [0.5]
    ledger.fetched(parked.model_copy(update={"token": 99}), b"of another lease")
    assert not ledger.has_turn()
    ledger.fetched(parked, b"state")
    assert [seated.shot_id for seated in ledger.turn()[1]] == ["a"]
    assert ledger.take_state("a") == b"state"
    assert ledger.take_state("a") is None, "the ledger keeps no copy"
    assert [held.progress for held in ledger.held({})] == [0.5], "until the runtime knows of it"
    assert [held.progress for held in ledger.held({"a": 0.75})] == [0.75]


def test_a_state_that_cannot_be_had_begins_at_nothing() -> None:
    ledger = Ledger(clock=Clock())
    parked = lease("a").model_copy(update={"resume_from": "/agent/v1/x", "resumed_progress": 0.5})
    ledger.take([parked])
    ledger.fetched(parked, None)
    assert [held.progress for held in ledger.held({})] == [0.0]


def test_a_shot_that_leaves_keeps_its_seat_and_its_progress_until_it_is_settled() -> None:
    ledger = Ledger(clock=Clock())
    ledger.take([lease("a"), lease("b")])
    assert ledger.leave("a", 0.5) is None, "it is not being drawn"
    ledger.turn()
    left = ledger.leave("a", 0.5)
    assert left is not None
    assert ledger.free_seats(2) == 0
    assert {held.shot_id: held.progress for held in ledger.held({"b": 0.25})} == {"a": 0.5, "b": 0.25}
    assert ledger.cancel(["a"]) == [], "it is on its way out already"
    assert [shot.lease.shot_id for shot in ledger.under_way()] == ["b"]
    ledger.settle(left)
    assert ledger.free_seats(2) == 1


def test_what_no_device_has_seen_can_be_withdrawn() -> None:
    ledger = Ledger(clock=Clock())
    ledger.take([lease("a")])
    ledger.turn()
    ledger.take([lease("b"), lease("c").model_copy(update={"resume_from": "/agent/v1/x"})])
    assert [withdrawn.shot_id for withdrawn in ledger.withdraw()] == ["b", "c"]
    assert not ledger.has_turn()
    assert ledger.withdraw() == []
