"""A house with a real database and real object files, a clock that tests turn, and agents made of messages."""

import functools
import io
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from PIL import Image as PillowImage
from sqlalchemy import select

from stablehand.adapters.doorbell import InProcessDoorbell
from stablehand.adapters.objects import Objects
from stablehand.domain.accounts import Account
from stablehand.domain.checkpoints import Found
from stablehand.domain.jobs import Job
from stablehand.domain.orders import JobOrder
from stablehand.protocol import (
    Claim,
    Deliver,
    Delivered,
    Device,
    Done,
    Fail,
    Failure,
    Held,
    Hello,
    Lease,
    Picture,
    Release,
    Renew,
    Renewed,
)
from stablehand.services import Limits, Services
from stablehand.services.accounts import owner
from stablehand.services.agents import agent_by_token, hash_token, register_agent
from stablehand.services.claim import claim
from stablehand.services.deliver import deliver, upload
from stablehand.services.fail import fail
from stablehand.services.feed import Feed
from stablehand.services.hello import hello
from stablehand.services.release import release
from stablehand.services.renew import renew
from stablehand.services.submit import submit
from stablehand.store import DATABASE_NAME, Store
from stablehand.store.holdings import Memory
from stablehand.store.ledger_rows import ChargeRow


class Clock:
    """Stands still until it is turned."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def turn(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def found(name: str, *, path: str | None = None, stamp: str = "s") -> Found:
    return Found(
        new_id=f"id-{name}",
        name=name,
        path=path or f"checkpoints/{name}",
        family="sd1",
        native_size=64,
        size_bytes=10,
        stamp=f"{stamp}-{name}",
        builtin=False,
    )


@functools.cache
def migrated_database() -> bytes:
    """A fresh database file; migrating once is enough for all tests that are not about it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fresh.db"
        store = Store(Store.url_of(path))
        store.migrate()
        store.close()
        return path.read_bytes()


def open_services(
    folder: Path, *, clock: Clock | None = None, limits: Limits | None = None, url: str | None = None
) -> Services:
    """``url``: a migrated database; default: an SQLite file in ``folder``."""
    path = folder / DATABASE_NAME
    if url is None and not path.exists():
        path.write_bytes(migrated_database())
    store = Store(url or Store.url_of(path), clock=clock)
    services = Services(
        store=store,
        objects=Objects(folder / "objects"),
        doorbell=InProcessDoorbell(),
        feed=Feed(),
        limits=limits or Limits(),
    )
    if not store.checkpoints():
        store.note_scan([found("alpha"), found("beta")])
    return services


def picture_bytes(width: int = 64, height: int = 64, kind: str = "WEBP", color: str = "red") -> bytes:
    out = io.BytesIO()
    PillowImage.new("RGB", (width, height), color).save(out, kind)
    return out.getvalue()


@dataclass
class House:
    """Services and the account that orders."""

    services: Services
    clock: Clock
    account: Account = field(init=False)

    def __post_init__(self) -> None:
        self.account = owner(self.services)

    def order(self, count: int = 1, **fields: object) -> Job:
        return submit(self.services, self.account, JobOrder(prompt="a red house", count=count, **fields))  # type: ignore[arg-type]

    def job(self, job_id: str) -> Job:
        return self.services.store.job(job_id, account_id=self.account.id, progress=self.services.feed.progress)

    def charges(self) -> list[float]:
        with self.services.store.reading() as tx:
            return list(tx.session.scalars(select(ChargeRow.device_seconds).order_by(ChargeRow.number)))

    def agent(self, name: str = "one", *, seats: int = 8, incarnation: str = "first") -> "Hand":
        register_agent(self.services, name, "default", hash_token(name))
        return Hand(self.services, name, seats).hello(incarnation)


@dataclass
class Hand:
    """An agent: it says what an agent would, when it is told to."""

    services: Services
    name: str
    seats: int
    incarnation: str = "first"
    resident: tuple[str, ...] = ("id-alpha", "id-beta")  #: so that nothing waits for a checkpoint to be loaded

    @property
    def agent(self):  # type: ignore[no-untyped-def]
        return agent_by_token(self.services, self.name)

    @property
    def memory(self) -> Memory:
        return Memory(list(self.resident))

    def hello(self, incarnation: str | None = None) -> "Hand":
        self.incarnation = incarnation or self.incarnation
        device = Device(kind="cpu", name="test")
        hello(
            self.services,
            self.agent,
            Hello(
                incarnation=self.incarnation,
                runtime="null",
                device=device,
                ready=True,
                seats=self.seats,
                resident=list(self.resident),
            ),
        )
        return self

    def claim(self, seats: int = 1) -> list[Lease]:
        return claim(
            self.services,
            self.agent,
            Claim(incarnation=self.incarnation, seats=seats, resident=list(self.resident), wait_seconds=0),
        ).leases

    def claim_one(self) -> Lease:
        [lease] = self.claim(1)
        return lease

    def renew(self, *leases: Lease, progress: float = 0.5, loading: str | None = None) -> Renewed:
        shots = [Held(shot_id=lease.shot_id, token=lease.token, progress=progress) for lease in leases]
        message = Renew(incarnation=self.incarnation, shots=shots, resident=list(self.resident), loading=loading)
        return renew(self.services, self.agent, message)

    def upload(
        self,
        lease: Lease,
        data: bytes | None = None,
        *,
        notes: Sequence[str] = (),
        manifest: dict[str, Any] | None = None,
        device_seconds: float = 2.0,
    ) -> Picture:
        recipe = lease.recipe
        data = data or picture_bytes(recipe["width"], recipe["height"])
        uploaded = upload(self.services, self.agent, lease.shot_id, lease.token, data)
        return Picture(
            shot_id=lease.shot_id,
            token=lease.token,
            upload=uploaded.upload,
            width=recipe["width"],
            height=recipe["height"],
            format=recipe["format"],
            seed=recipe["seed"],
            infotext="text",
            device_seconds=device_seconds,
            notes=list(notes),
            manifest=manifest,
        )

    def deliver(self, *pictures: Picture) -> Delivered:
        return deliver(self.services, self.agent, Deliver(incarnation=self.incarnation, pictures=list(pictures)))

    def draw(self, lease: Lease) -> Delivered:
        return self.deliver(self.upload(lease))

    def fail(self, lease: Lease, error_class: str = "retry", code: str = "oops", *, at_load: bool = False) -> Done:
        failure = Failure(
            shot_id=lease.shot_id,
            token=lease.token,
            error_class=error_class,
            code=code,
            message="It went wrong.",
            at_load=at_load,
        )
        return fail(self.services, self.agent, Fail(incarnation=self.incarnation, failures=[failure]))

    def release(self, *leases: Lease, leaving: bool = False) -> Done:
        shots = [Held(shot_id=lease.shot_id, token=lease.token) for lease in leases]
        message = Release(incarnation=self.incarnation, shots=shots, leaving=leaving)
        return release(self.services, self.agent, message)
