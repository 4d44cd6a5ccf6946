"""What an agent bears: servers that restart, forget and lose answers, runtimes that break, parents that die."""

import os
import signal
import subprocess
import sys
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import pytest

from tests.agent.desk import RUNNER, TOKEN, Desk, Refusal, Start, StartProcess

END_SECONDS = 60.0

Log = list[MutableMapping[str, Any]]


@pytest.mark.parametrize("verb", ["hello", "claim", "renew", "upload", "deliver"])
def test_lost_answers_cost_nothing(desk: Desk, start_agent: Start, verb: str) -> None:
    shots = desk.order(6)
    desk.lose[verb] = 2
    start_agent()
    if verb == "claim":
        # The server believes these leased; only time brings them back.
        desk.until(lambda: desk.lose["claim"] == 0)
        desk.expire()
    desk.until(lambda: desk.all_are("succeeded"))
    assert desk.lose[verb] == 0
    assert [shot.results for shot in shots] == [1] * 6


def test_a_server_that_restarts_gets_every_finished_picture(desk: Desk, start_agent: Start) -> None:
    shots = desk.order(8, steps=100)
    start_agent("--seconds-per-step", "0.005")
    desk.until(lambda: any(shot.progress for shot in shots))
    desk.stop()
    desk.known.clear()  # and it has forgotten us
    hellos = len(desk.hellos)
    desk.start()
    desk.until(lambda: desk.all_are("succeeded"))
    assert len(desk.hellos) > hellos
    assert {shot.token for shot in shots} == {1}, "no picture was drawn twice"
    assert [shot.results for shot in shots] == [1] * 8


def test_pictures_that_finish_while_the_server_is_away_are_kept(desk: Desk, start_agent: Start, log: Log) -> None:
    (shot,) = desk.order(1, steps=120)
    start_agent("--seconds-per-step", "0.02")
    desk.until(lambda: shot.state == "running")
    desk.stop()
    desk.until(lambda: any(entry["event"] == "a picture waits for the server" for entry in log))
    desk.start()
    desk.until(lambda: shot.state == "succeeded")
    assert shot.token == 1


def test_a_late_picture_is_refused_and_forgotten(desk: Desk, start_agent: Start) -> None:
    (shot,) = desk.order(1, steps=2)
    desk.refuse["upload"] = [Refusal(409, "lease_lost")]
    start_agent()
    desk.until(lambda: desk.calls["upload"] == 1)
    assert desk.calls["deliver"] == 0
    desk.expire()
    desk.until(lambda: shot.state == "succeeded")
    assert shot.results == 1


def test_a_full_disk_fails_the_shot_with_the_server_s_words(desk: Desk, start_agent: Start) -> None:
    (shot,) = desk.order(1)
    desk.refuse["upload"] = [Refusal(507, "storage_full") for _ in range(9)]
    start_agent()
    desk.until(lambda: shot.state == "failed")
    assert shot.errors[0]["code"] == "storage_full"
    assert shot.errors[0]["hint"] == "Mend it."
    desk.refuse.clear()
    (other,) = desk.order(1)
    desk.until(lambda: other.state == "succeeded")


def test_a_server_error_is_not_the_picture_s_fault(desk: Desk, start_agent: Start) -> None:
    (shot,) = desk.order(1)
    desk.refuse["upload"] = [Refusal(500, "internal_error"), Refusal(503, "busy")]
    start_agent()
    desk.until(lambda: shot.state == "succeeded")
    assert not shot.errors


def test_a_wrong_token_ends_the_agent_with_a_clear_word(start_agent: Start, log: Log) -> None:
    agent = start_agent(token="wrong")
    assert agent.wait(END_SECONDS) == 4
    assert any("stablehand agents add" in entry.get("reason", "") for entry in log)


def test_a_newer_process_takes_our_place(desk: Desk, start_agent: Start) -> None:
    agent = start_agent()
    desk.until(lambda: desk.calls["claim"] > 0)
    desk.refuse["claim"] = [Refusal(409, "superseded")]
    assert agent.wait(END_SECONDS) == 4


def test_a_runtime_that_raises_fails_what_was_seated_and_goes_on(desk: Desk, start_agent: Start) -> None:
    shots = desk.order(3)
    start_agent("--raises", "once")
    desk.until(lambda: desk.all_are("succeeded"))
    errors = [error for shot in shots for error in shot.errors]
    assert errors
    assert {(error["error_class"], error["code"]) for error in errors} == {("retry", "runtime_error")}
    assert "the driver fell over" in errors[0]["message"]


@pytest.mark.parametrize(("raises", "code"), [("memory", "out_of_memory"), ("checkpoint", "checkpoint_broken")])
def test_what_cannot_get_better_is_final(desk: Desk, start_agent: Start, raises: str, code: str) -> None:
    (shot,) = desk.order(1)
    start_agent("--raises", raises)
    desk.until(lambda: shot.state == "failed")
    assert [(error["error_class"], error["code"]) for error in shot.errors] == [("final", code)]
    assert shot.errors[0]["hint"]


def test_a_runtime_that_always_raises_makes_room_for_a_fresh_process(desk: Desk, start_agent: Start) -> None:
    (shot,) = desk.order(1)
    agent = start_agent("--raises", "always")
    assert agent.wait(END_SECONDS) == 5
    assert len(shot.errors) == 3


def test_a_sick_device_is_told_and_makes_room_for_a_fresh_process(desk: Desk, start_agent: Start) -> None:
    (shot,) = desk.order(1)
    agent = start_agent("--sick")
    assert agent.wait(END_SECONDS) == 5
    assert [(error["error_class"], error["code"]) for error in shot.errors] == [("agent_sick", "device_lost")]
    assert desk.calls["release"] == 1, "it took leave"


def test_a_runtime_that_does_not_start_says_so(desk: Desk, start_agent: Start) -> None:
    agent = start_agent("--start-fails")
    assert agent.wait(END_SECONDS) == 3
    assert "no such device" in desk.hellos[-1]["error"]
    assert not desk.hellos[-1]["ready"]


def test_an_unknown_recipe_field_is_refused_not_swallowed(desk: Desk, start_agent: Start) -> None:
    (shot,) = desk.order(1)
    shot.recipe["hr_scale"] = 2
    start_agent()
    desk.until(lambda: bool(shot.errors))
    assert shot.errors[0]["code"] == "recipe_unsupported"
    assert "hr_scale" in shot.errors[0]["message"]


def test_sigterm_finishes_what_fits_in_the_grace(desk: Desk, start_process: StartProcess) -> None:
    shots = desk.order(2, steps=100)
    agent = start_process("--seconds-per-step", "0.01", "--grace-seconds", "15")
    desk.until(lambda: all(shot.progress for shot in shots))
    agent.send_signal(signal.SIGTERM)
    assert agent.wait(END_SECONDS) == 0
    assert desk.all_are("succeeded")


def test_sigterm_gives_back_what_does_not_fit(desk: Desk, start_process: StartProcess) -> None:
    shots = desk.order(3, steps=100_000)
    agent = start_process("--seconds-per-step", "0.01", "--grace-seconds", "0.2")
    desk.until(lambda: all(shot.progress for shot in shots))
    agent.send_signal(signal.SIGTERM)
    assert agent.wait(END_SECONDS) == 0
    assert desk.all_are("queued")
    assert [shot.releases for shot in shots] == [1, 1, 1]
    assert not any(shot.errors for shot in shots)


def test_it_ends_when_its_parent_does(desk: Desk, tmp_path: Path) -> None:
    # A parent that starts an agent as `serve` does, says its process id, and is then killed.
    script = (
        "import os, subprocess, sys, time\n"
        f"child = subprocess.Popen([sys.executable, {str(RUNNER)!r}, {desk.url!r}, {TOKEN!r},"
        " '--parent-pid', str(os.getpid())], process_group=0)\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    with (tmp_path / "parent.log").open("w") as log:
        parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=log, text=True)
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        (shot,) = desk.order(1, steps=100_000)
        desk.until(lambda: bool(shot.progress))
        parent.kill()
        parent.wait()
        parent.stdout.close()
        desk.until(lambda: not _runs(child))
    assert shot.state == "queued", "it gave its shot back before it went"


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A container's first process may not reap strangers: a zombie has ended all the same.
    status = Path(f"/proc/{pid}/stat")
    return not (status.exists() and status.read_text().rsplit(")", 1)[1].split()[0] == "Z")


@pytest.mark.parametrize(("fate", "code"), [("broken", "checkpoint_broken"), ("unreadable", "checkpoint_unreadable")])
def test_a_checkpoint_that_does_not_load_is_told_as_that(desk: Desk, start_agent: Start, fate: str, code: str) -> None:
    (shot,) = desk.order(1)
    start_agent("--load", fate)
    desk.until(lambda: bool(shot.errors))
    assert (shot.errors[0]["code"], shot.errors[0]["at_load"]) == (code, True)


def test_what_is_being_loaded_is_told_at_once_and_no_longer_than_it_loads(desk: Desk, start_agent: Start) -> None:
    (shot,) = desk.order(1, steps=400)
    start_agent("--load-seconds", "3", "--seconds-per-step", "0.01")
    desk.until(lambda: any(desk.loadings) and desk.loadings[-1] is None and shot.state == "running")
    desk.until(lambda: shot.state == "succeeded")
