"""Pictures that shots start from may be lost or damaged on their way: the shot bears it, and the agent goes on."""

import hashlib

import pytest

from stablehand.agent import inputs
from tests.agent.desk import Desk, Refusal, Shot, Start

WHOLE = bytes(range(256)) * 40
NAME = hashlib.sha256(WHOLE).hexdigest()


def order(desk: Desk, *sent: bytes) -> Shot:
    """A shot that starts from a picture, of which this comes, one after the other; nothing: it is gone."""
    with desk.changed:
        (shot,) = desk.order(1)
        shot.inputs = {NAME: list(sent)}
    return shot


def test_what_comes_damaged_or_late_is_asked_for_again(desk: Desk, start_agent: Start) -> None:
    desk.refuse["input"] = [Refusal(503, "storage_away")]
    desk.lose["input"] = 1
    shot = order(desk, WHOLE[:-1], WHOLE[:100], b"", WHOLE[::-1], WHOLE)
    start_agent()
    desk.until(lambda: shot.state == "succeeded")
    assert shot.errors == []
    assert desk.calls["input"] >= 5


def test_one_that_is_gone_fails_its_shot_for_good_and_no_other(desk: Desk, start_agent: Start) -> None:
    gone = order(desk)
    (other,) = desk.order(1, seed=7)
    start_agent()
    desk.until(lambda: gone.state == "failed" and other.state == "succeeded")
    (error,) = gone.errors
    assert (error["code"], error["error_class"]) == ("input_unavailable", "final")
    assert "not_found" in error["message"]
    assert "Upload it again" in error["hint"]
    (after,) = desk.order(1, seed=9)
    desk.until(lambda: after.state == "succeeded")
    assert desk.calls["input"] == 1


def test_one_that_stays_damaged_is_given_up_for_now(
    desk: Desk, start_agent: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inputs, "_FETCH_SECONDS", 0.2)
    shot = order(desk, WHOLE[:-1])
    start_agent()
    desk.until(lambda: len(shot.errors) == 1)
    assert (shot.errors[0]["code"], shot.errors[0]["error_class"]) == ("input_unavailable", "retry")
    assert "its bytes are not what its name says" in shot.errors[0]["message"]
    with desk.changed:
        shot.inputs[NAME] = [WHOLE]
    desk.until(lambda: shot.state == "succeeded")


def test_shots_that_start_from_one_picture_fetch_it_once(desk: Desk, start_agent: Start) -> None:
    first = order(desk, WHOLE)
    start_agent("--seats", "1")
    desk.until(lambda: first.state == "succeeded")
    more = [order(desk, WHOLE) for _ in range(3)]
    desk.until(lambda: all(shot.state == "succeeded" for shot in more))
    assert desk.calls["input"] == 1
