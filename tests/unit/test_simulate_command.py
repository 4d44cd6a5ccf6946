import json
from pathlib import Path

from typer.testing import CliRunner

from stablehand.cli import app
from stablehand.simulation.scenarios import SCENARIOS

SMALL = "seconds: 60\npools: [{agents: 2}]\ncrowds: [{shots_a_second: 1, checkpoints: [0, 2]}]\norders: [{shots: 20}]\n"
CONTRACT = {"premium_p95_s", "normal_p95_s", "missed_share", "switches_per_100", "shots_per_second"}


def test_one_json_object_with_the_figures_of_each_policy(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(SMALL)
    asked = CliRunner().invoke(app, ["simulate", "--scenario", str(tmp_path / "mine.yaml"), "--seed", "7", "--json"])
    assert asked.exit_code == 0, asked.output
    result = json.loads(asked.output)
    assert (result["scenario"], result["seed"]) == ("mine", 7)
    assert set(result["policies"]) == {"stablehand", "fifo", "sticky"}
    for figures in result["policies"].values():
        assert set(figures) >= CONTRACT


def test_a_table_for_people_has_a_column_for_each_policy_that_was_asked_for(tmp_path: Path) -> None:
    (tmp_path / "mine.json").write_text(json.dumps({"seconds": 30, "crowds": [{"shots_a_second": 1}]}))
    asked = CliRunner().invoke(
        app, ["simulate", "--scenario", str(tmp_path / "mine.json"), "--policy", "fifo", "--policy", "stablehand"]
    )
    assert asked.exit_code == 0, asked.output
    header = next(line for line in asked.output.splitlines() if "stablehand" in line and "fifo" in line)
    assert header.split() == ["fifo", "stablehand"]
    assert "sticky" not in asked.output
    assert "premium p95" in asked.output


def test_the_frontier_varies_what_idle_agents_do(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(SMALL)
    asked = CliRunner().invoke(app, ["simulate", "--scenario", str(tmp_path / "mine.yaml"), "--frontier", "--json"])
    assert asked.exit_code == 0, asked.output
    assert {"idle share 0", "idle share 1", "idle share inf"} <= set(json.loads(asked.output)["policies"])


def test_scenarios_that_come_along_are_listed() -> None:
    listed = CliRunner().invoke(app, ["simulate", "--list"])
    assert [line.split()[0] for line in listed.output.splitlines()] == list(SCENARIOS)


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("{")
    (tmp_path / "wrong.yaml").write_text("secs: 1")
    for arguments in (
        ["nonsense"],
        ["--policy", "magic"],
        ["--scenario", str(tmp_path / "missing.yaml")],
        ["hog", "--scenario", str(tmp_path / "wrong.yaml")],
        ["--scenario", str(tmp_path / "wrong.yaml")],
        ["--scenario", str(tmp_path / "bad.yaml")],
    ):
        assert CliRunner().invoke(app, ["simulate", *arguments]).exit_code != 0
