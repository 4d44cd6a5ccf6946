"""Real processes that are meant to be killed, and started again at once.

They are forked from a server process that has imported everything, so a new one is there in a fraction of a second and
a thousand kills take minutes; from there on each runs the command that an operator would run.
"""

import contextlib
import multiprocessing
import os
import runpy
import signal
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Literal

import psutil

from stablehand.bench.chaos.mourning import die_with_parent

Part = Literal["web", "agent", "courier"]

_FORKS = multiprocessing.get_context("forkserver")

#: A process that ends by itself is started again after so long, and this doubles while it keeps ending.
RESTART_SECONDS, RESTART_SECONDS_MOST = 0.05, 2.0

#: modules that the processes need, imported once before they are forked
PRELOAD = (
    "stablehand.bench.chaos.nursery",
    "stablehand.cli",
    "stablehand.cli.serve",
    "stablehand.cli.agent",
    "stablehand.agent.loop",
    "stablehand.api.server",
    "stablehand.wiring.serving",
    "stablehand.wiring.runtimes",
    "stablehand.runtimes.null",
    "psycopg",
)


@dataclass(slots=True)
class Player:
    """One process, under all its incarnations."""

    name: str
    part: Part
    command: tuple[str, ...]
    environment: Mapping[str, str]
    log: Path
    process: ForkServerProcess | None = None
    starts: int = 0
    started_at: float = 0.0
    frozen: bool = False

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process is not None and self.process.is_alive() else None


@dataclass(slots=True)
class Troupe:
    """Keeps its players running until it is told to end."""

    players: list[Player] = field(default_factory=list)
    _guard: threading.RLock = field(default_factory=threading.RLock)
    _ending: threading.Event = field(default_factory=threading.Event)
    _keeper: threading.Thread | None = None
    _pauses: dict[str, float] = field(default_factory=dict)

    def start(self) -> None:
        _FORKS.set_forkserver_preload(list(PRELOAD))
        with self._guard:
            for player in self.players:
                self._start(player)
        self._keeper = threading.Thread(target=self._keep, name="keeper", daemon=True)
        self._keeper.start()

    def kill(self, player: Player, *, worker_only: bool = False) -> bool:
        """SIGKILL for the process and all it has started, or for its newest child alone; True if one was there."""
        with self._guard:
            pid = player.pid
            if pid is None:
                return False
            if worker_only:
                children = sorted(_children(pid), key=lambda child: child.pid)
                if children:
                    return _kill(children[-1].pid)
            return _kill_family(pid)

    def freeze(self, player: Player) -> bool:
        """SIGSTOP: it holds what it holds and hears nothing."""
        with self._guard:
            if player.frozen or player.pid is None:
                return False
            player.frozen = True
            os.kill(player.pid, signal.SIGSTOP)
            return True

    def thaw(self, player: Player) -> None:
        with self._guard:
            player.frozen = False
            if player.pid is not None:
                os.kill(player.pid, signal.SIGCONT)

    def end(self) -> None:
        """Take everybody off the stage."""
        self._ending.set()
        if self._keeper is not None:
            self._keeper.join()
        with self._guard:
            for player in self.players:
                if player.pid is not None:
                    _kill_family(player.pid)
                if player.process is not None:
                    player.process.join(timeout=10)

    def _keep(self) -> None:
        while not self._ending.wait(0.02):
            with self._guard:
                for player in self.players:
                    if player.pid is None and time.monotonic() >= player.started_at + self._pauses[player.name]:
                        self._start(player)

    def _start(self, player: Player) -> None:
        lived_seconds = time.monotonic() - player.started_at
        pause = self._pauses.get(player.name, RESTART_SECONDS)
        self._pauses[player.name] = RESTART_SECONDS if lived_seconds > 5 else min(pause * 2, RESTART_SECONDS_MOST)
        player.starts += 1
        player.started_at = time.monotonic()
        player.process = _FORKS.Process(
            target=_play, args=(player.command, dict(player.environment), str(player.log)), name=player.name
        )
        player.process.start()


def _play(command: Sequence[str], environment: Mapping[str, str], log: str) -> None:
    """What a forked process does: become the leader of its own group, and run the command."""
    die_with_parent()
    parent = multiprocessing.parent_process()
    if parent is None or not parent.is_alive():
        return  # it ended before we could ask to hear of it
    os.setsid()
    for name in [name for name in os.environ if name.startswith("STABLEHAND_")]:
        del os.environ[name]
    os.environ.update(environment)
    out = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.dup2(out, 1)
    os.dup2(out, 2)
    sys.argv = ["stablehand", *command]
    runpy.run_module("stablehand", run_name="__main__")


def _children(pid: int) -> list[psutil.Process]:
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).children(recursive=True)
    return []


def _kill_family(pid: int) -> bool:
    """The leader first, so that it cannot mourn its children."""
    family = _children(pid)
    was_there = _kill(pid)
    for member in family:
        _kill(member.pid)
    return was_there


def _kill(pid: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
        return True
    return False
