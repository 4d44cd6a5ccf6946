"""A running `stablehand serve` for tests: the real command, a data directory of its own, a free port, an agent."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import psutil

#: how long things may take before a test gives up; a machine that does much else at once is slow
PATIENCE_SECONDS = 180.0

#: sets a limit on the size of written files, then becomes the program behind it
_LIMITED = (
    "import os, resource, sys; size = int(sys.argv[1]);"
    " resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)); os.execv(sys.argv[2], sys.argv[2:])"
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def eventually(holds: Callable[[], bool], what: str, seconds: float = PATIENCE_SECONDS) -> None:
    """Wait until something is so; fails the test if it never comes to be."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"never came to be: {what}"
        time.sleep(0.05)


#: waits until whoever started it is gone, then ends a process group: tests that are killed leave no service behind
_WATCH = "import os, signal, sys; sys.stdin.read(); os.killpg(int(sys.argv[1]), signal.SIGKILL)"

ServiceFactory = Callable[..., "RunningService"]


class RunningService:
    """One service over one data directory. It can be stopped, killed and started again on the same port."""

    def __init__(self, data_dir: Path, **settings: str | float) -> None:
        """``settings`` by their environment names without prefix, such as ``COMPUTE__RUNTIME="null"``."""
        self.role = "all"
        self.data_dir = data_dir
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.http = httpx.Client(base_url=self.url, timeout=70.0, trust_env=False)
        self.seen: dict[int, float] = {}  #: every process it ever was, with its start time
        self._settings = {f"STABLEHAND_{name}": str(value) for name, value in settings.items()}
        self._process: subprocess.Popen[bytes] | None = None
        self._watch: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        path = self.data_dir.with_suffix(".log")
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self, *, file_size_limit: int | None = None, **settings: str | float) -> None:
        """Start it and wait until it is ready; ``file_size_limit`` makes larger files fail as a full disk does."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("STABLEHAND_")}
        environment |= self._settings | {f"STABLEHAND_{name}": str(value) for name, value in settings.items()}
        command = [sys.executable, "-m", "stablehand", "serve"]
        command += ["--port", str(self.port), "--data-dir", str(self.data_dir), "--role", self.role]
        if file_size_limit is not None:
            command = [sys.executable, "-c", _LIMITED, str(file_size_limit), *command]
        with self.data_dir.with_suffix(".log").open("ab") as log:
            self._process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, process_group=0)
        watch = [sys.executable, "-I", "-S", "-c", _WATCH, str(self._process.pid)]
        self._watch = subprocess.Popen(watch, stdin=subprocess.PIPE, process_group=0)
        eventually(self._is_ready, "the service is ready")
        self._note_processes()

    def stop(self) -> None:
        """Ask it to end, as Ctrl+C does, and see that it does, with all that it started."""
        assert self._process is not None
        self._note_processes()
        self._process.terminate()
        self._process.wait(PATIENCE_SECONDS)
        self._forget()
        eventually(lambda: not self.survivors(), "no process is left behind")

    def kill(self) -> None:
        """kill -9 of the server; its agent is left to notice by itself."""
        assert self._process is not None
        self._note_processes()
        victims = [process for process in self._tree() if not _is_agent(process)]
        for victim in victims:
            victim.kill()
        self._process.wait(PATIENCE_SECONDS)
        psutil.wait_procs(victims, PATIENCE_SECONDS)
        self._forget()

    def kill_worker(self) -> None:
        """kill -9 of the process that serves; its parent starts another. Returns when that one is ready."""
        assert self._process is not None
        (worker,) = [process for process in psutil.Process(self._process.pid).children() if not _is_agent(process)]
        self._note_processes()
        worker.kill()
        eventually(lambda: not _lives(worker.pid, worker.create_time()), "the worker is gone")
        eventually(self._is_ready, "the service is ready again")
        self._note_processes()

    def end(self) -> None:
        """Whatever state it is in, nothing of it is left."""
        self._note_processes()
        tree = self._tree()
        for process in tree:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(tree, PATIENCE_SECONDS)
        if self._process is not None:
            self._process.wait()
        self._forget()
        self.http.close()
        # An agent of a server that was killed earlier ends by itself.
        eventually(lambda: not self.survivors(), "no process is left behind")

    def agent_pid(self) -> int | None:
        """Of the agent child that runs now."""
        self._note_processes()
        agents = [process for process in self._tree() if _is_agent(process)]
        return agents[0].pid if agents else None

    def survivors(self) -> list[int]:
        """Processes of this service that are still there."""
        return [pid for pid, started in self.seen.items() if _lives(pid, started)]

    def get(self, path: str) -> Any:
        response = self.http.get(path)
        assert response.status_code == 200, f"{path}: {response.status_code} {response.text}"
        return response.json()

    def submit(self, **fields: Any) -> dict[str, Any]:
        response = self.http.post("/api/v1/jobs", json=fields)
        assert response.status_code == 202, response.text
        job: dict[str, Any] = response.json()
        return job

    def job(self, job_id: str) -> dict[str, Any]:
        job: dict[str, Any] = self.get(f"/api/v1/jobs/{job_id}")
        return job

    def finished(self, job_id: str, seconds: float = PATIENCE_SECONDS) -> dict[str, Any]:
        """The job once it is terminal."""
        end = time.monotonic() + seconds
        while True:
            try:
                job = self.get(f"/api/v1/jobs/{job_id}?wait=5")
            except httpx.TransportError:
                job = None  # it is being restarted
            if job is not None and job["state"] in ("succeeded", "failed", "cancelled"):
                return dict(job)
            assert time.monotonic() < end, f"the job does not end: {job}\n{self.log[-4000:]}"

    def images(self, query: Mapping[str, str | int] | None = None) -> list[dict[str, Any]]:
        """All images of the gallery, page by page."""
        items: list[dict[str, Any]] = []
        cursor = None
        while True:
            asked = {**(query or {}), **({"cursor": cursor} if cursor else {})}
            page = self.http.get("/api/v1/images", params=asked).json()
            items += page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return items

    def _forget(self) -> None:
        self._process = None
        if self._watch is not None and self._watch.stdin is not None:
            self._watch.kill()
            self._watch.wait()
            self._watch.stdin.close()
            self._watch = None

    def _is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"the service ended:\n{self.log[-4000:]}"
        try:
            return self.http.get("/readyz", timeout=5.0).status_code == 200
        except httpx.TransportError:
            return False

    def _tree(self) -> list[psutil.Process]:
        if self._process is None:
            return []
        try:
            root = psutil.Process(self._process.pid)
            return [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def _note_processes(self) -> None:
        for process in self._tree():
            try:
                self.seen[process.pid] = process.create_time()
            except psutil.NoSuchProcess:
                continue


def _is_agent(process: psutil.Process) -> bool:
    try:
        return "agent" in process.cmdline()
    except psutil.Error:
        return False


def _lives(pid: int, started: float) -> bool:
    try:
        process = psutil.Process(pid)
        return process.create_time() == started and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
