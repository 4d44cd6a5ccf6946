"""Where a job stands, when it will be done, and why it does not move."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from stablehand.cli import app
from stablehand.domain.jobs import QueuePlace
from stablehand.domain.pace import cost_of
from stablehand.domain.pools import Pool
from stablehand.protocol import Device, Hello
from stablehand.services.cancel import cancel
from stablehand.services.hello import hello
from stablehand.store.measures import note_loads
from tests.store.house import House, found


def place(house: House, job_id: str) -> QueuePlace:
    queue = house.job(job_id).queue
    assert queue is not None
    return queue


def test_ahead_counts_the_shots_that_are_claimed_before(house: House) -> None:
    first = house.order(count=3, tier="normal")
    second = house.order(count=2, tier="normal")
    premium = house.order(count=4, tier="premium")
    assert [place(house, job.id).ahead for job in (premium, first, second)] == [0, 4, 7]
    hand = house.agent()
    hand.claim(5)
    assert [place(house, job.id).ahead for job in (premium, first, second)] == [0, 0, 2]
    cancel(house.services, house.account, first.id)
    assert place(house, second.id).ahead == 0
    assert house.job(premium.id).queue is not None


def test_nothing_is_promised_before_anything_was_measured(house: House) -> None:
    job = house.order(count=2)
    assert place(house, job.id).eta_seconds is None
    hand = house.agent()
    hand.draw(hand.claim_one())
    assert place(house, job.id).eta_seconds == pytest.approx(2.0)


def test_the_estimate_counts_what_runs_what_waits_and_how_many_devices_there_are(house: House) -> None:
    warm_up = house.order()
    hand = house.agent()
    hand.draw(hand.claim_one())  # two device seconds a picture
    assert house.job(warm_up.id).queue is None
    first = house.order(count=2)
    mine = house.order(count=3)
    lease = hand.claim_one()
    assert place(house, first.id).eta_seconds == pytest.approx(4.0)
    assert place(house, mine.id).eta_seconds == pytest.approx(10.0)
    hand.renew(lease, progress=0.5)
    assert place(house, mine.id).eta_seconds == pytest.approx(9.0)
    house.agent("two")
    assert place(house, mine.id).eta_seconds == pytest.approx(1.5 + 6), "one agent will take all three at once"
    half = house.order(steps=10)
    assert place(house, half.id).eta_seconds == pytest.approx(4.5 + 1)
    other = place(house, house.order(checkpoint="beta").id)
    assert other.eta_seconds is not None, "of the same family"
    assert other.eta_low_seconds is not None
    assert other.eta_high_seconds is not None
    assert 0 < other.eta_low_seconds < other.eta_seconds < other.eta_high_seconds


def test_the_reason_is_a_sentence_that_says_what_to_do(house: House) -> None:
    job = house.order()
    assert "No agent is connected yet" in str(place(house, job.id).reason)
    hand = house.agent()
    assert place(house, job.id).reason is None
    house.clock.turn(61)
    assert "No agent is connected yet" in str(place(house, job.id).reason)
    hand.renew()
    assert place(house, job.id).reason is None
    house.services.store.note_scan([found("beta")])
    assert "alpha" in str(place(house, job.id).reason)
    house.services.store.note_scan([found("alpha")])
    hand.claim(1)
    house.clock.turn(61)
    assert place(house, job.id).reason is None, "it runs, so nothing holds it up"


def test_an_agent_that_is_starting_or_drained_is_the_reason(house: House) -> None:
    hand = house.agent()
    house.order()
    hand.fail(hand.claim_one(), "agent_sick")
    assert "drained" in str(place(house, house.order().id).reason)
    device = Device(kind="cpu", name="test")
    hello(house.services, hand.agent, Hello(incarnation="next", runtime="null", device=device))
    assert "getting its device ready" in str(place(house, house.order().id).reason)


def test_the_reason_counts_what_comes_first(house: House) -> None:
    house.agent()
    house.order(count=3, tier="normal")
    mine = house.order(count=2, tier="normal")
    assert place(house, mine.id).reason == "First come 3 pictures with an earlier share of the devices."
    house.order(tier="premium")
    assert "1 picture of a better tier and 3 pictures" in str(place(house, mine.id).reason)


def test_a_checkpoint_that_nobody_holds_must_be_loaded_first(house: House) -> None:
    hand = house.agent()
    hand.resident = ("id-beta",)
    hand.renew()
    job = house.order(checkpoint="alpha")
    assert place(house, job.id).reason == "The checkpoint alpha must be loaded first, which takes about 1 s."
    with house.services.store.writing() as tx:
        note_loads(tx, hand.agent.id, [("id-alpha", 40.0)])
    house.order(checkpoint="beta")
    assert "about 40 s. Agents stay with the checkpoints that they hold" in str(place(house, job.id).reason)


def test_a_shot_that_failed_says_when_it_is_tried_again(house: House) -> None:
    hand = house.agent()
    job = house.order()
    hand.fail(hand.claim_one())
    assert "An attempt has failed. The next one begins in about" in str(place(house, job.id).reason)


def test_a_pool_without_agents_is_the_reason(house: House) -> None:
    house.services = replace(house.services, pools=(Pool("slow", frozenset({"alpha"})), Pool("default")))
    house.agent()
    job = house.order(checkpoint="alpha")
    assert "The pool slow runs this checkpoint" in str(place(house, job.id).reason)


def test_a_long_queue_is_not_counted_to_its_end(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stablehand.store.places.COUNTED", 10)
    house.agent()
    house.order(count=30, tier="normal")
    mine = house.order(count=2, tier="normal")
    stand = place(house, mine.id)
    assert stand.ahead == 32, "all of the lane, its own shots among them: not more can come first"
    assert "at most 32 pictures" in str(stand.reason)


def test_what_was_measured_is_told_by_kind(house: House) -> None:
    assert house.services.store.rates() == {}
    hand = house.agent()
    job = house.order(count=3)
    for lease in hand.claim(3):
        hand.draw(lease)
    ((key, rate),) = house.services.store.rates().items()
    assert (key.family, key.size_class, rate.measurements) == ("sd1", "tiny", 3)
    assert rate.seconds_per_cost == pytest.approx(house.charges()[0] / cost_of(job.recipe))


def test_a_plan_takes_what_the_data_directory_has_measured(file_house: House, tmp_path: Path) -> None:
    hand = file_house.agent()
    file_house.order(count=2)
    for lease in hand.claim(2):
        hand.draw(lease)
    (tmp_path / "load.yaml").write_text("streams: [{pictures_a_day: 100, width: 64, height: 64}]")
    asked = CliRunner().invoke(app, ["plan", str(tmp_path / "load.yaml"), "--data-dir", str(tmp_path), "--json"])
    assert asked.exit_code == 0, asked.output
    assert json.loads(asked.output)["draws"][0]["known_by"].endswith("(2 pictures)")


def test_estimates_are_held_against_what_happened(house: House) -> None:
    hand = house.agent()
    house.order(count=4)
    assert house.services.store.calibration() is None
    for lease in hand.claim(4):
        hand.draw(lease)
    found = house.services.store.calibration()
    assert found is not None
    assert (found.count, found.inside_share, round(found.median_ratio, 6)) == (3, 1.0, 1.0)
