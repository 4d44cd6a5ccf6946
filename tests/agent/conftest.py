"""A desk (the protocol server of these tests) and agent processes that end with their test."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agent.desk import RUNNER, TOKEN, Desk, Start


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    desk.start()
    yield desk
    if desk._server is not None:
        desk.stop()


@pytest.fixture
def start_agent(desk: Desk, tmp_path: Path) -> Iterator[Start]:
    """Start an agent with the runner's options; its output is in the file ``agent.log`` of the test's folder."""
    processes: list[subprocess.Popen[str]] = []

    def start(*options: str, token: str = TOKEN) -> "subprocess.Popen[str]":
        with (tmp_path / "agent.log").open("a") as log:
            process = subprocess.Popen(
                [sys.executable, str(RUNNER), desk.url, token, *options], stdout=log, stderr=log, text=True
            )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.wait()
