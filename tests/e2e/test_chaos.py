"""A small run of `stablehand bench chaos`; the full one is for an evening."""

import json
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "words",
    [
        ["--store", "postgresql", "--shots", "240", "--kills", "8", "--database-stops", "1", "--freezes", "1"],
        ["--store", "sqlite", "--shots", "140", "--kills", "6", "--freezes", "1"],
    ],
    ids=["postgresql", "sqlite"],
)
def test_chaos_loses_nothing_and_does_nothing_twice(words: list[str]) -> None:
    command = [sys.executable, "-m", "stablehand", "bench", "chaos", "--json", *words]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert finished.stdout, finished.stderr
    result = json.loads(finished.stdout)
    assert finished.returncode == 0, (result, finished.stderr)
    assert result["shots"] == int(words[words.index("--shots") + 1])
    assert result["kills"] == int(words[words.index("--kills") + 1])
    wrong = ("lost", "double_results", "double_charges", "double_notices", "lost_notices", "dead_lettered")
    assert {name: result[name] for name in wrong} == dict.fromkeys(wrong, 0)
    assert result["losses"] > 0, "nobody was killed in the middle of anything"
