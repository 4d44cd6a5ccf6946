"""The agent child of `stablehand serve`: started, watched, started again."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

import structlog

from stablehand.agent.exits import Exit

#: seconds between a death and the next start: doubling from the first to the last, back to the first after a hello
FIRST_RESTART_SECONDS = 0.5
LAST_RESTART_SECONDS = 5.0

#: Variables that the child has no business with: an agent's only secret is its token.
KEPT_TO_OURSELVES = frozenset(
    {
        "STABLEHAND_AUTH__SECRET_KEY",
        "STABLEHAND_QUEUE__REDIS_URL",
        "STABLEHAND_STORAGE__ACCESS_KEY_ID",
        "STABLEHAND_STORAGE__DATABASE_URL",
        "STABLEHAND_STORAGE__SECRET_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
    }
)

log = structlog.get_logger("agent")


def write_token(path: Path, token: str) -> None:
    """Store a token so that only this user can read it, replacing an older one in one step."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(token + "\n")
    fresh.replace(path)


class AgentChild:
    """One `stablehand agent` process of our own, kept alive until :meth:`stop`.

    The child learns its parent's process id and ends by itself when that process is gone, so a parent that is killed
    leaves no orphan. ``on_death(exit_code)`` is called on the watching thread after each death that we did not ask
    for, before the next start: its leases can be expired at once.
    """

    def __init__(
        self,
        server: str,
        token_file: Path,
        *,
        arguments: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        on_death: Callable[[int], None] = lambda _code: None,
        sink: IO[str] | None = None,
        first_restart_seconds: float = FIRST_RESTART_SECONDS,
        last_restart_seconds: float = LAST_RESTART_SECONDS,
        stop_seconds: float = 8.0,
    ) -> None:
        """``arguments`` go to the command as they are; ``environment`` is added to ours; output goes to ``sink``
        (default: standard error), each line behind ``agent | ``. ``stop_seconds`` is how long it may take to end."""
        self._command = [
            *(sys.executable, "-m", "stablehand", "agent"),
            *("--server", server, "--token-file", str(token_file), "--parent-pid", str(os.getpid())),
            *arguments,
        ]
        ours = {name: value for name, value in os.environ.items() if name.upper() not in KEPT_TO_OURSELVES}
        self._environment = {**ours, "PYTHONUNBUFFERED": "1", **(environment or {})}
        self._on_death = on_death
        self._sink = sink if sink is not None else sys.stderr
        self._first_restart_seconds = first_restart_seconds
        self._last_restart_seconds = last_restart_seconds
        self._stop_seconds = stop_seconds
        self._deaths = 0  #: in a row, without a good life between them
        self._was_heard = False  #: the present process has said hello
        self._stopping = threading.Event()
        self._guard = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._thread = threading.Thread(target=self._keep_alive, name="agent-child", daemon=True)

    @property
    def pid(self) -> int | None:
        """Of the running process; None between a death and the next start."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def start(self) -> None:
        self._thread.start()

    def said_hello(self) -> None:
        """The server heard it: the next restart, should one be needed, comes soon again."""
        self._was_heard = True

    def stop(self) -> None:
        """Ask it to end, insist after ``stop_seconds``; returns once it is gone."""
        self._stopping.set()
        with self._guard:
            process = self._process
        if process is not None and process.poll() is None:
            process.terminate()
            try:
                process.wait(self._stop_seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(self._stop_seconds)

    def _keep_alive(self) -> None:
        while not self._stopping.is_set():
            process = self._spawn()
            if process is None:
                return
            self._pass_through(process)
            code = process.wait()
            if self._stopping.is_set():
                return
            seconds = self._restart_after(code)
            log.warning("the agent process died", code=code, restart_seconds=seconds)
            try:
                self._on_death(code)
            except Exception:
                log.exception("what should follow the agent's death failed; its leases will expire by themselves")
            self._stopping.wait(seconds)

    def _restart_after(self, code: int) -> float:
        # A runtime that does not start is heard and dies all the same, each time at the cost of loading its libraries.
        if self._was_heard and code != Exit.NO_RUNTIME:
            self._deaths = 0
        seconds = min(self._last_restart_seconds, self._first_restart_seconds * 2.0 ** min(self._deaths, 30))
        self._deaths += 1
        self._was_heard = False
        return seconds

    def _spawn(self) -> subprocess.Popen[str] | None:
        with self._guard:
            if self._stopping.is_set():
                return None
            self._process = subprocess.Popen(  # noqa: S603  (our own interpreter and our own arguments)
                self._command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                # Ctrl+C in a terminal reaches the parent alone, which then stops its child in good order.
                process_group=0,
            )
            return self._process

    def _pass_through(self, process: subprocess.Popen[str]) -> None:
        """Copy its lines until it closes its end, which it does when it dies."""
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                try:
                    self._sink.write(f"agent | {line}")
                    self._sink.flush()
                except (OSError, ValueError):
                    continue  # nobody reads our output any more; the child's pipe must still be emptied
