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
