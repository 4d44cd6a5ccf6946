"""Parking: an agent that ends, or is ended, costs what it did since the last saved state and nothing more."""

import os
import signal
from collections.abc import MutableMapping
from typing import Any

from stablehand.agent.exits import Exit
from tests.agent.desk import Desk, Refusal, Shot, Start, StartProcess

STEPS = 400
SLOW = ("--seconds-per-step", "0.01")

Log = list[MutableMapping[str, Any]]


def lowest_after(shot: Shot, count: int) -> float:
    """The least progress that was heard after the first ``count`` words of it."""
    return min(shot.progress[count:])


def test_a_killed_agents_picture_goes_on_from_its_last_state(desk: Desk, start_process: StartProcess) -> None:
    desk.park_seconds = 0.3
    (shot,) = desk.order(1, steps=STEPS)
    victim = start_process(*SLOW)
    desk.until(lambda: len(shot.parked_steps) >= 2)
    os.kill(victim.pid, signal.SIGKILL)
    victim.wait()
    heard, parked = len(shot.progress), shot.parked_steps[-1]
    assert 0 < parked < STEPS
    start_process(*SLOW)
    desk.until(lambda: len(desk.hellos) == 4)  # the dead one's claim may still wait at the desk until then
    desk.expire()
    desk.until(lambda: shot.state == "succeeded")
    assert shot.offered == 1
    assert lowest_after(shot, heard) >= parked / STEPS, "it never falls back"
    assert shot.results == 1
    assert shot.parked_steps == sorted(shot.parked_steps)


def test_short_pictures_are_not_parked(desk: Desk, start_agent: Start) -> None:
    desk.park_seconds = 20.0
    shots = desk.order(10, steps=20)
    start_agent()
    desk.until(lambda: desk.all_are("succeeded"))
    assert desk.calls["park"] == 0
    assert not any(shot.parked for shot in shots)


def test_a_server_that_wants_no_states_gets_none(desk: Desk, start_process: StartProcess) -> None:
    (shot,) = desk.order(1, steps=100_000)
    agent = start_process(*SLOW, "--grace-seconds", "0.3")
    desk.until(lambda: len(shot.progress) > 5)
    agent.terminate()
    assert agent.wait(60) == Exit.DONE
    desk.until(lambda: shot.state == "queued")
    assert desk.calls["park"] == 0
    assert shot.releases == 1


def test_sigterm_saves_what_does_not_fit_at_once_and_lets_the_rest_end(desk: Desk, start_process: StartProcess) -> None:
    desk.park_seconds = 3600.0
    long, short = desk.order(1, steps=100_000) + desk.order(1, steps=150, seed=7)
    agent = start_process(*SLOW, "--grace-seconds", "60")
    desk.until(lambda: bool(long.progress) and bool(short.progress) and short.progress[-1] > 0.1)
    agent.terminate()
    desk.until(lambda: long.state == "queued")
    assert short.state == "running", "the long one left while the short one was still being drawn"
    desk.until(lambda: short.state == "succeeded")
    assert agent.wait(60) == Exit.DONE
    assert long.releases == 1
    assert len(long.parked_steps) == 1
    assert long.parked_steps[0] > 0
    assert short.parked_steps == []


def test_shots_that_were_never_seated_are_given_back_with_their_state(desk: Desk, start_process: StartProcess) -> None:
    desk.park_seconds = 0.3
    (shot,) = desk.order(1, steps=100_000)
    agent = start_process(*SLOW, "--grace-seconds", "5")
    desk.until(lambda: len(shot.parked_steps) >= 1)
    agent.terminate()
    agent.wait(60)
    desk.until(lambda: shot.state == "queued")
    states = len(shot.parked_steps)
    desk.refuse["parked"] = [Refusal(503, "storage_away")] * 100
    second = start_process(*SLOW, "--grace-seconds", "5")
    desk.until(lambda: desk.calls["parked"] >= 1)
    assert shot.state == "running", "renewed while its state is fetched"
    second.terminate()
    assert second.wait(60) == Exit.DONE
    desk.until(lambda: shot.state == "queued")
    assert len(shot.parked_steps) == states


def test_a_state_that_cannot_be_read_costs_the_beginning_only(desk: Desk, start_agent: Start, log: Log) -> None:
    damaged, foreign, gone = desk.order(3, steps=30)
    for shot in (damaged, foreign, gone):
        shot.parked_steps.append(20)
    damaged.parked = b"SHP1\x05\x00\x00\x00nonsense"
    foreign.parked = b"something else"
    gone.parked = b""
    start_agent()
    desk.until(lambda: desk.all_are("succeeded"))
    assert [shot.results for shot in (damaged, foreign, gone)] == [1, 1, 1]
    assert [shot.errors for shot in (damaged, foreign, gone)] == [[], [], []]
    assert sum("saved state" in str(entry["event"]) for entry in log) == 3


def test_a_state_that_is_not_to_be_had_costs_the_beginning_only(desk: Desk, start_agent: Start) -> None:
    (shot,) = desk.order(1, steps=30)
    shot.parked, shot.parked_steps = b"x", [20]
    desk.refuse["parked"] = [Refusal(404, "not_found")]
    start_agent()
    desk.until(lambda: shot.state == "succeeded")


def test_drawing_goes_on_while_states_cannot_be_saved(desk: Desk, start_agent: Start) -> None:
    desk.park_seconds = 0.1
    desk.refuse["park"] = [Refusal(503, "storage_away")] * 3 + [Refusal(507, "storage_full")]
    (shot,) = desk.order(1, steps=STEPS)
    start_agent(*SLOW)
    desk.until(lambda: shot.state == "succeeded")
    assert desk.calls["park"] > 4
    assert shot.parked_steps, "later ones were saved"
    assert shot.errors == []


def test_one_that_leaves_is_given_back_even_if_its_state_is_not_taken(desk: Desk, start_process: StartProcess) -> None:
    desk.park_seconds = 3600.0
    desk.refuse["park"] = [Refusal(503, "storage_away")] * 10
    (shot,) = desk.order(1, steps=100_000)
    agent = start_process(*SLOW, "--grace-seconds", "30")
    desk.until(lambda: len(shot.progress) > 3)
    agent.terminate()
    assert agent.wait(60) == Exit.DONE
    assert shot.releases == 1
    assert shot.parked_steps == []


def test_a_zombies_state_is_refused_and_the_next_lease_goes_on(desk: Desk, start_agent: Start) -> None:
    desk.park_seconds = 0.2
    desk.refuse["park"] = [Refusal(409, "lease_lost")]
    (shot,) = desk.order(1, steps=STEPS)
    start_agent(*SLOW)
    desk.until(lambda: shot.state == "succeeded")
    assert shot.results == 1


def test_fetching_counts_as_a_seat(desk: Desk, start_agent: Start) -> None:
    shots = desk.order(6, steps=30)
    for shot in shots:
        shot.parked, shot.parked_steps = b"x", [20]
    desk.refuse["parked"] = [Refusal(503, "storage_away")] * 3
    start_agent("--seats", "2", *SLOW)
    desk.until(lambda: desk.calls["parked"] >= 2)
    assert sum(shot.state == "running" for shot in shots) <= 2
    desk.until(lambda: desk.all_are("succeeded"))


def test_a_state_that_cannot_be_copied_costs_nothing_else(desk: Desk, start_process: StartProcess) -> None:
    desk.park_seconds = 0.1
    short, long = desk.order(1, steps=200) + desk.order(1, steps=100_000, seed=9)
    agent = start_process(*SLOW, "--stateless", "--grace-seconds", "5")
    desk.until(lambda: short.state == "succeeded")
    assert short.errors == []
    agent.terminate()
    assert agent.wait(60) == Exit.DONE
    assert long.state == "queued"
    assert (long.releases, long.errors, desk.calls["park"]) == (1, [], 0)
