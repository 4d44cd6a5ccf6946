"""A small run of `stablehand bench chaos`; the full one is for an evening."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

from tests.running import eventually

#: of the smallest run: a web process, a courier, two agents
PLAYERS = 4


@pytest.mark.parametrize(
    "words",
    [
        ["--store", "postgresql", "--shots", "240", "--kills", "8", "--database-stops", "1", "--freezes", "1"],
        ["--store", "sqlite", "--shots", "140", "--kills", "6", "--freezes", "1"],
    ],
    ids=["postgresql", "sqlite"],
)
def test_chaos_loses_nothing_and_does_nothing_twice(words: list[str]) -> None:
    # Slow steps: whoever is killed holding something has not delivered it a moment before.
    command = [sys.executable, "-m", "stablehand", "bench", "chaos", "--json", "--seconds-per-step", "0.1", *words]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert finished.stdout, finished.stderr
    result = json.loads(finished.stdout)
    assert finished.returncode == 0, (result, finished.stderr)
    assert result["shots"] == int(words[words.index("--shots") + 1])
    assert result["kills"] == int(words[words.index("--kills") + 1])
    wrong = (
        *("lost", "double_results", "double_charges", "double_notices", "lost_notices", "dead_lettered"),
        *("ledger_differences", "unbooked_leases", "overbooked_shots"),
    )
    assert {name: result[name] for name in wrong} == dict.fromkeys(wrong, 0)
    assert result["ledger_seconds"] == result["delivered_seconds"] > 0
    assert result["waste_seconds"] > 0
    assert result["losses"] > 0, "nobody was killed in the middle of anything"


def test_nobody_outlives_a_run_that_was_killed() -> None:
    # Below the system's own folder, where the database's own user may go, and with a short path.
    folder = Path(tempfile.mkdtemp(prefix="killed-"))
    folder.chmod(0o755)
    command = [sys.executable, "-m", "stablehand", "bench", "chaos", "--agents", "2", "--webs", "1", "--kills", "1"]
    run = subprocess.Popen(
        command, env={**os.environ, "TMPDIR": str(folder)}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    try:
        eventually(lambda: len(list(folder.glob("stablehand-chaos-*/*.log"))) == PLAYERS, "everybody plays")
        [pid_file] = folder.glob("chaos-*/postmaster.pid")
        everybody = psutil.Process(run.pid).children(recursive=True)
        assert len(everybody) > PLAYERS, "they and whom they are forked from"
        everybody.append(psutil.Process(int(pid_file.read_text().split()[0])))
        run.kill()
        _, complaints = run.communicate()
        eventually(lambda: not any(map(_lives, everybody)), "nobody is left")
        assert b"Warning" not in complaints
    finally:
        run.kill()
        run.wait()
        eventually(lambda: not list(folder.glob("chaos-*")), "the database's files are gone")
        shutil.rmtree(folder)


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
