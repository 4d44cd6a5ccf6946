"""Memory does not grow with the pictures that have been drawn: counted in things that live, not in bytes."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from stablehand.bench import memory as measured
from stablehand.cli.bench import bench
from stablehand.engine.batch import Batch
from stablehand.engine.caps import KINDS_MOST, Caps


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measured, "SIDES", (64, 96))


def run(**changes: Any) -> dict[str, Any]:
    options = {"pictures": 6, "checkpoints": 3, "slots": 1, "threads": 1, "precision": "fp32", "round_pictures": 3}
    return measured.run(**{**options, **changes})


def test_nothing_is_left_of_pictures_and_checkpoints_that_have_gone() -> None:
    said: list[str] = []
    result = run(say=said.append)
    assert result["most_resident"] == 1
    assert result["loads"] >= 4, "some came again"
    assert len(said) == len(result["tensors"]) == len(result["rss_mb"]) == 2
    after_one_round, at_the_end = result["tensors_left"]
    assert at_the_end <= after_one_round


def test_what_is_kept_of_pictures_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = []
    drop = Batch.drop

    def leak(self: Batch, picture_id: str) -> None:
        kept.append(self._drawn.get(picture_id))
        drop(self, picture_id)

    monkeypatch.setattr(Batch, "drop", leak)
    after_one_round, at_the_end = run(pictures=2, checkpoints=1, round_pictures=1)["tensors_left"]
    assert at_the_end > after_one_round


def test_the_command_prints_one_json_object() -> None:
    arguments = ["memory", "--json", "--pictures", "2", "--checkpoints", "2", "--slots", "2", "--threads", "1"]
    result = CliRunner().invoke(bench, arguments)
    assert result.exit_code == 0, result.output
    printed = json.loads(result.stdout)
    assert (printed["pictures"], printed["checkpoints"], printed["slots"]) == (2, 2, 2)
    assert printed["rss_mb"][0] > 0
    assert printed["seconds"] > 0


def test_the_caps_of_calls_long_unseen_are_forgotten() -> None:
    caps = Caps(call_seconds=1.0, most=8)
    for kind in range(KINDS_MOST + 10):
        caps.rows(kind, memory_rows=8, guess_seconds=0.1)
        caps.failed(kind, rows=8)
        caps.rows("everyday", memory_rows=8, guess_seconds=0.1)
        if not kind:
            caps.failed("everyday", rows=6)
    assert caps.rows("everyday", 8, 0.1) == 3
    assert caps.rows(KINDS_MOST + 9, 8, 0.1) == 4
    assert caps.rows(0, 8, 0.1) == 8
    assert len(caps._caps) == KINDS_MOST
