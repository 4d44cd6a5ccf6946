"""What an agent does all day: claim, draw, show, deliver."""

import io

from PIL import Image as Pictures

from tests.agent.desk import Desk, Start


def test_pictures_are_drawn_and_delivered_once(desk: Desk, start_agent: Start) -> None:
    shots = desk.order(20)
    start_agent()
    desk.until(lambda: desk.all_are("succeeded"))
    assert [shot.results for shot in shots] == [1] * 20
    picture = Pictures.open(io.BytesIO(shots[0].picture or b""))
    assert picture.size == (64, 64)
    assert shots[0].picture != shots[1].picture
    assert shots[0].told["notes"] == []
    assert shots[0].told["manifest"]["runtime"] == "null"


def test_what_the_server_says_of_a_picture_is_delivered_with_it(desk: Desk, start_agent: Start) -> None:
    desk.notes = ["blurred"]
    (shot,) = desk.order(1)
    start_agent()
    desk.until(lambda: shot.state == "succeeded")
    assert shot.told["notes"] == ["blurred"]


def test_it_says_hello_before_the_runtime_starts_and_again_when_it_is_ready(desk: Desk, start_agent: Start) -> None:
    start_agent("--start-seconds", "0.5")
    desk.until(lambda: len(desk.hellos) == 1)
    first = desk.hellos[0]
    assert not first["ready"]
    assert desk.calls["claim"] == 0
    desk.until(lambda: len(desk.hellos) == 2)
    second = desk.hellos[1]
    assert second["ready"]
    assert second["seats"] == 8
    assert second["incarnation"] == first["incarnation"]


def test_it_claims_no_more_than_it_can_seat(desk: Desk, start_agent: Start) -> None:
    desk.order(6, steps=200)
    start_agent("--seats", "2", "--seconds-per-step", "0.01")
    desk.until(lambda: any(shot.progress for shot in desk.shots.values()))
    assert sum(shot.state == "running" for shot in desk.shots.values()) == 2


def test_progress_rises_while_a_picture_forms(desk: Desk, start_agent: Start) -> None:
    (shot,) = desk.order(1, steps=100)
    start_agent("--seconds-per-step", "0.01")
    desk.until(lambda: shot.state == "succeeded")
    assert len(shot.progress) > 3
    assert shot.progress == sorted(shot.progress)
    assert 0.0 < shot.progress[len(shot.progress) // 2] < 1.0


def test_previews_flow_only_while_somebody_watches(desk: Desk, start_agent: Start) -> None:
    (shot,) = desk.order(1, steps=400)
    start_agent("--seconds-per-step", "0.01")
    desk.until(lambda: len(shot.progress) > 2)
    assert not desk.previews
    desk.watch = True
    desk.until(lambda: len(desk.previews) >= 2)
    assert desk.previews[0]["data_url"].startswith("data:image/jpeg;base64,")
    assert desk.previews[0]["shot_id"] == shot.id


def test_a_cancelled_shot_stops_and_is_given_back(desk: Desk, start_agent: Start) -> None:
    (shot,) = desk.order(1, steps=100_000)
    start_agent("--seconds-per-step", "0.005")
    desk.until(lambda: bool(shot.progress))
    shot.cancel = True
    desk.until(lambda: shot.state == "cancelled")
    (other,) = desk.order(1)
    desk.until(lambda: other.state == "succeeded")


def test_a_lost_shot_is_dropped_and_drawn_again_when_it_comes_back(desk: Desk, start_agent: Start) -> None:
    (shot,) = desk.order(1, steps=300)
    start_agent("--seconds-per-step", "0.005")
    desk.until(lambda: bool(shot.progress))
    desk.expire()
    desk.until(lambda: shot.state == "succeeded")
    assert shot.token == 2
    assert shot.results == 1


def test_an_attempt_that_takes_too_long_is_reported(desk: Desk, start_agent: Start) -> None:
    desk.timeout_seconds = 0.3
    (shot,) = desk.order(1, steps=100_000)
    start_agent("--seconds-per-step", "0.005")
    desk.until(lambda: shot.state == "failed")
    assert {error["code"] for error in shot.errors} == {"attempt_timeout"}
    assert len(shot.errors) == 4


def test_a_draining_agent_claims_no_more(desk: Desk, start_agent: Start) -> None:
    desk.drain = True
    start_agent()
    desk.until(lambda: desk.calls["renew"] >= 1)
    (shot,) = desk.order(1)
    desk.until(lambda: desk.calls["renew"] >= 2)
    assert desk.calls["claim"] <= 1, "none after it has heard"
    desk.drain = False
    desk.until(lambda: shot.state == "succeeded")
