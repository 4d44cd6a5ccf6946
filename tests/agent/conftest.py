"""A desk (the protocol server of these tests) and agents that end with their test."""

import os
import subprocess
import sys
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.agent.desk import RUNNER, TOKEN, Desk, Start, StartProcess
from tests.agent.threads import AgentThread


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    desk.start()
    yield desk
    if desk._server is not None:
        desk.stop()


@pytest.fixture
def log() -> Iterator[list[MutableMapping[str, Any]]]:
    """What agents on threads have logged."""
    with capture_logs() as entries:
        yield entries


@pytest.fixture
def start_agent(desk: Desk, log: object) -> Iterator[Start]:
    """Start an agent on a thread, with the runner's options."""
    agents: list[AgentThread] = []

    def start(*options: str, token: str = TOKEN) -> AgentThread:
        agent = AgentThread(desk.url, token, *options)
        agents.append(agent)
        return agent

    yield start
    for agent in agents:
        agent.end()


@pytest.fixture
def start_process(desk: Desk, tmp_path: Path) -> Iterator[StartProcess]:
    """Start an agent as a process; its output is in the file ``agent.log`` of the test's folder."""
    processes: list[subprocess.Popen[str]] = []

    def start(*options: str) -> "subprocess.Popen[str]":
        with (tmp_path / "agent.log").open("a") as output:
            process = subprocess.Popen(
                [sys.executable, str(RUNNER), desk.url, TOKEN, "--parent-pid", str(os.getpid()), *options],
                stdout=output,
                stderr=output,
                text=True,
            )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.wait()
