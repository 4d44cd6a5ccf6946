"""A crowd of processes that all work on one queue at the same time, in rounds, and say how it went.

Two kinds of work: ``StoreWork`` claims and delivers through the Store as a server does for its agents. ``BareWork`` is
the least that any queue in a database must do, two statements with nothing around them: it is the floor.
"""

import contextlib
import multiprocessing
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing.synchronize import Barrier
from typing import Any, Protocol

import psycopg

from stablehand.domain.agents import AgentDevice
from stablehand.domain.errors import StoreUnavailable
from stablehand.domain.pools import DEFAULT_POOL
from stablehand.services.identity import new_id
from stablehand.store import Store
from stablehand.store.agents import Introduction
from stablehand.store.holdings import Memory
from stablehand.store.images import NewImage

#: Checkpoints that an agent keeps in memory.
SLOTS = 3
LEASE_SECONDS = 60.0
#: What agents say of themselves that have a long queue before them: they draw nearly all the time.
BUSY_SHARE = 0.95
#: How long the others are waited for before and after a round.
PATIENCE_SECONDS = 120.0


class Work(Protocol):
    """What one process does. Made in the parent, opened in the process."""

    def open(self, number: int) -> None: ...

    def introduce(self, leases: int) -> None:
        """Before each round: so many shots will be claimed at once."""
        ...

    def step(self, leases: int) -> tuple[int, float]:
        """Claim and finish once: how many shots, and how long the claim took in seconds."""
        ...

    def close(self) -> None: ...


@dataclass
class StoreWork:
    url: str
    _resident: list[str] = field(default_factory=list)

    def open(self, number: int) -> None:
        self._store = Store(self.url, connections=2)
        name = f"bench-{number}"
        self._agent_id = self._store.register_agent(new_id(), name, DEFAULT_POOL.name, f"{name}-{new_id()}").id
        self._incarnation = new_id()

    def introduce(self, leases: int) -> None:
        self._store.hello(
            self._agent_id,
            Introduction(
                incarnation=self._incarnation,
                runtime="null",
                kinds=["text"],
                device=AgentDevice(kind="cpu", name="bench", precision="fp32", memory_bytes=0),
                ready=True,
                seats=leases + 1,  # one is kept free of normal shots
                present=[],
                resident=self._resident,
                version="",
                error="",
            ),
        )

    def step(self, leases: int) -> tuple[int, float]:
        began = time.perf_counter()
        got, _, _ = self._store.claim(
            self._agent_id,
            self._incarnation,
            seats=leases,
            memory=Memory(self._resident, busy_share=BUSY_SHARE),
            lease_seconds=LEASE_SECONDS,
        )
        took = time.perf_counter() - began
        for checkpoint_id in {lease.checkpoint.id for lease in got}:
            self._resident = [*(kept for kept in self._resident if kept != checkpoint_id), checkpoint_id][-SLOTS:]
        images = [
            NewImage(
                id=new_id(),
                shot_id=lease.shot_id,
                token=lease.token,
                upload_id=f"upload-{lease.shot_id}",
                infotext="",
                device_seconds=1.0,
            )
            for lease in got
        ]
        if not images:
            return 0, took
        accepted, refused, _ = self._store.deliver(self._agent_id, self._incarnation, images)
        if refused:
            raise AssertionError(f"{len(refused)} deliveries were refused")
        return len(accepted), took

    def close(self) -> None:
        self._store.close()


@dataclass
class BareWork:
    """``together``: one commit for all shots of a claim, as the Store delivers them, instead of one for each."""

    url: str  #: as the driver reads it
    together: bool = False

    def open(self, number: int) -> None:
        self._step: Callable[[int], tuple[int, float]]
        if self.url.startswith("postgresql"):
            self._postgresql = psycopg.connect(self.url, autocommit=True)
            self._step = self._on_postgresql
        else:
            self._sqlite = sqlite3.connect(self.url, isolation_level=None, timeout=30.0)
            self._sqlite.execute("PRAGMA synchronous = FULL")
            self._step = self._on_sqlite
        self._lane = number % FLOOR_LANES

    def introduce(self, leases: int) -> None:
        """Nobody needs to know it."""

    def step(self, leases: int) -> tuple[int, float]:
        got, took = self._step(leases)
        if not got:
            self._lane = (self._lane + 1) % FLOOR_LANES
        return got, took

    def _on_postgresql(self, leases: int) -> tuple[int, float]:
        began = time.perf_counter()
        got = self._postgresql.execute(
            "UPDATE floor_shots SET state = 'running', token = token + 1, until = now() + interval '60 s'"
            " WHERE id IN (SELECT id FROM floor_shots WHERE state = 'queued' AND lane = %s ORDER BY tag LIMIT %s"
            " FOR UPDATE SKIP LOCKED) RETURNING id, token",
            (self._lane, leases),
        ).fetchall()
        took = time.perf_counter() - began
        with self._postgresql.transaction() if self.together else contextlib.nullcontext():
            for shot in got:
                with contextlib.nullcontext() if self.together else self._postgresql.transaction():
                    self._postgresql.execute(
                        "UPDATE floor_shots SET state = 'done' WHERE id = %s AND token = %s AND state = 'running'", shot
                    )
                    self._postgresql.execute("INSERT INTO floor_results VALUES (%s, %s)", shot)
        return len(got), took

    def _on_sqlite(self, leases: int) -> tuple[int, float]:
        began = time.perf_counter()
        with self._alone():
            got = self._sqlite.execute(
                "UPDATE floor_shots SET state = 'running', token = token + 1, until = unixepoch() + 60"
                " WHERE id IN (SELECT id FROM floor_shots WHERE state = 'queued' AND lane = ? ORDER BY tag LIMIT ?)"
                " RETURNING id, token",
                (self._lane, leases),
            ).fetchall()
        took = time.perf_counter() - began
        for batch in [got] if self.together else [[shot] for shot in got]:
            with self._alone():
                for shot in batch:
                    self._sqlite.execute(
                        "UPDATE floor_shots SET state = 'done' WHERE id = ? AND token = ? AND state = 'running'", shot
                    )
                    self._sqlite.execute("INSERT INTO floor_results VALUES (?, ?)", shot)
        return len(got), took

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        self._sqlite.execute("BEGIN IMMEDIATE")
        yield
        self._sqlite.execute("COMMIT")

    def close(self) -> None:
        (self._postgresql if self.url.startswith("postgresql") else self._sqlite).close()


#: Lanes of the bare queue; a process stays in one until it is empty.
FLOOR_LANES = 8


@dataclass(frozen=True, slots=True)
class Round:
    shots: int
    seconds: float
    claims: list[float]  #: how long each took, in seconds
    unavailable: int  #: steps that the database did not answer in time

    @property
    def shots_per_second(self) -> float:
        return self.shots / self.seconds if self.seconds else 0.0


class Crowd:
    """Processes that wait between rounds. A context manager: they end with it."""

    def __init__(self, works: list[StoreWork] | list[BareWork]) -> None:
        context = multiprocessing.get_context("spawn")  # nobody inherits a connection
        self._gate = context.Barrier(len(works) + 1)
        self._answers: Any = context.SimpleQueue()
        self._orders: list[Any] = [context.SimpleQueue() for _ in works]
        self._left = context.Value("q", 0)
        self._processes = [
            context.Process(
                target=_live, args=(work, number, orders, self._gate, self._left, self._answers), daemon=True
            )
            for number, (work, orders) in enumerate(zip(works, self._orders, strict=True))
        ]

    def __enter__(self) -> "Crowd":
        for process in self._processes:
            process.start()
        return self

    def __exit__(self, *raised: object) -> None:
        for orders in self._orders:
            orders.put(None)
        for process in self._processes:
            process.join(PATIENCE_SECONDS)
            if process.is_alive():
                process.kill()
                process.join()

    def work(self, *, leases: int, shots: int, seconds: float) -> Round:
        """One round: until so many shots are done or the time is over."""
        self._left.value = shots
        for orders in self._orders:
            orders.put((leases, seconds))
        self._gate.wait(PATIENCE_SECONDS)
        began = time.perf_counter()
        self._gate.wait(PATIENCE_SECONDS + seconds)
        took = time.perf_counter() - began
        answers = [self._answers.get() for _ in self._processes]
        return Round(
            sum(done for done, _, _ in answers),
            took,
            [claim for _, claims, _ in answers for claim in claims],
            sum(unavailable for _, _, unavailable in answers),
        )


def _live(  # noqa: PLR0917  multiprocessing hands them over in order
    work: StoreWork | BareWork, number: int, orders: Any, gate: Barrier, left: Any, answers: Any
) -> None:
    work.open(number)
    try:
        while (order := orders.get()) is not None:
            leases, seconds = order
            work.introduce(leases)
            gate.wait(PATIENCE_SECONDS)
            deadline = time.perf_counter() + seconds
            done, claims, unavailable = 0, [], 0
            while time.perf_counter() < deadline and left.value > 0:
                try:
                    got, took = work.step(leases)
                except (StoreUnavailable, sqlite3.OperationalError):
                    unavailable += 1
                    continue
                with left.get_lock():
                    left.value -= got
                done += got
                claims.append(took)
            gate.wait(PATIENCE_SECONDS)
            answers.put((done, claims, unavailable))
    finally:
        work.close()
