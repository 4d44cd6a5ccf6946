"""A fleet for tests: server processes of several roles over one PostgreSQL and one Redis, and an agent of its own."""

import contextlib
import os
import queue
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import socketio

from stablehand.services import Services
from stablehand.services.agents import hash_token, register_agent
from stablehand.settings import load
from stablehand.wiring import serving
from tests.api.site import write_checkpoint
from tests.running import PATIENCE_SECONDS, RunningService, eventually

ORDER = {"prompt": "a red house", "checkpoint": "tiny", "width": 64, "height": 64}


class Fleet:
    """``settings`` of every process, by their environment names without prefix."""

    def __init__(self, folder: Path, database_url: str, redis_url: str | None, **settings: str | float) -> None:
        self.folder = folder
        self.settings: dict[str, str | float] = {
            "STORAGE__DATABASE_URL": database_url,
            "STORAGE__OUTPUT_DIR": str(folder / "objects"),
            "STORAGE__DATABASE_CONNECTIONS": 8,
            "MODELS__LOCATION": str(folder / "models"),
            **({"QUEUE__REDIS_URL": redis_url} if redis_url else {}),
            **settings,
        }
        write_checkpoint(folder / "models" / "checkpoints" / "tiny")
        self.processes: list[RunningService] = []
        self.agents: list[subprocess.Popen[bytes]] = []

    def start(self, role: str = "web", **settings: str | float) -> RunningService:
        [process] = self.start_all(role, **settings)
        return process

    def start_all(self, *roles: str, **settings: str | float) -> list[RunningService]:
        """One process a role, which start beside each other."""
        started = []
        for role in roles:
            process = RunningService(self.folder / f"{role}-{len(self.processes)}", **{**self.settings, **settings})
            process.role = role
            self.processes.append(process)
            started.append(process)
        with ThreadPoolExecutor(len(started)) as pool:
            list(pool.map(RunningService.start, started))
        return started

    def stop(self) -> None:
        """All server processes end in good order, beside each other."""
        with ThreadPoolExecutor(len(self.processes)) as pool:
            list(pool.map(RunningService.stop, self.processes))

    def services(self) -> Services:
        """The same database and objects, for a look from outside."""
        sections: dict[str, dict[str, Any]] = {}
        for name, value in self.settings.items():
            section, key = name.lower().split("__")
            sections.setdefault(section, {})[key] = value
        return serving.open_services(load(data_dir=self.folder / "outside", command_line=sections))

    def start_agent(
        self, url: str, name: str = "fleet", *, program: Sequence[str] = ("-m", "stablehand")
    ) -> subprocess.Popen[bytes]:
        """An agent on the null runtime that speaks to the server at ``url``."""
        token = f"the-token-of-{name}"
        services = self.services()
        register_agent(services, name, "default", hash_token(token))
        services.store.close()
        token_file = self.folder / f"{name}.token"
        token_file.write_text(token)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("STABLEHAND_")}
        environment["STABLEHAND_COMPUTE__NULL_SECONDS_PER_STEP"] = "0.02"
        command = [sys.executable, *program, "agent", "--server", url, "--token-file", str(token_file)]
        command += ["--runtime", "null", "--data-dir", str(self.folder / name), "--grace-seconds", "0"]
        command += ["--parent-pid", str(os.getpid())]
        with (self.folder / f"{name}.log").open("ab") as log:
            agent = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        self.agents.append(agent)
        return agent

    def end(self) -> None:
        for agent in self.agents:
            agent.kill()
            agent.wait()
        for process in self.processes:
            process.end()


class Browser:
    """A page's socket that remembers what it was told."""

    def __init__(self, url: str) -> None:
        self.events: queue.Queue[tuple[str, Any]] = queue.Queue()
        self.client = socketio.Client(reconnection=True, reconnection_delay=0.2, reconnection_delay_max=1)
        for name in ("job", "shot", "image", "preview", "notice", "refetch"):
            self.client.on(name, lambda body, name=name: self.events.put((name, body)))
        self.client.connect(url, transports=["websocket"], wait_timeout=PATIENCE_SECONDS)

    def until(self, name: str, is_it: Any = lambda _: True) -> Any:
        while True:
            heard, body = self.events.get(timeout=120)
            if heard == name and is_it(body):
                return body

    def until_all(self, *names: str) -> list[Any]:
        """The first event of each of these names, in whatever order they come."""
        heard: dict[str, Any] = {}
        while not heard.keys() >= set(names):
            name, body = self.events.get(timeout=120)
            heard.setdefault(name, body)
        return [heard[name] for name in names]

    def heard_any(self, name: str) -> bool:
        """Whether such an event came since the last look; takes all events."""
        found = False
        with contextlib.suppress(queue.Empty):
            while True:
                found |= self.events.get_nowait()[0] == name
        return found

    def close(self) -> None:
        self.client.disconnect()


def is_ready_agent(process: RunningService) -> None:
    """Wait until some agent can draw."""
    eventually(lambda: bool(process.get("/api/v1/status")["ready"]), "an agent is ready")
