"""The queue: claims and deliveries a second through the Store, beside the least that the same database could do.

Processes stand for web servers: each claims shots for an agent and delivers them, as fast as it can. Just before and
just after each measurement the floor is measured in the same database with as many processes: one statement that
claims, then an UPDATE and an INSERT in a transaction for each shot. What else the machine does meets both.
"""

import os
import platform
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sqlalchemy import func, select, text

from stablehand.bench.crowd import FLOOR_LANES, BareWork, Crowd, Round, StoreWork
from stablehand.bench.own_postgres import start_postgres
from stablehand.bench.waits import submit_to_claim
from stablehand.domain.checkpoints import Found
from stablehand.domain.orders import JobOrder, make_recipe
from stablehand.domain.pools import DEFAULT_POOL
from stablehand.domain.tiers import SHIPPED
from stablehand.services.identity import new_id
from stablehand.store import DATABASE_NAME, Store
from stablehand.store.jobs import NewJob
from stablehand.store.lanes import fleet_of, lane_parameters, lane_views, lanes_query, waiting_lanes
from stablehand.store.models import IS_QUEUED, AccountRow, ShotRow

LANES = 40
ACCOUNTS = 20
SHOTS_PER_JOB = 1000
#: Agents and the shots that each claims at once.
SHAPES = ((1, 1), (4, 8), (8, 8))
#: A round ends when so much of the queue is worked off, so that its depth stays about what the row says.
SHARE_OF_DEPTH = 0.25

FLOOR_TABLES = (
    "DROP TABLE IF EXISTS floor_shots",
    "DROP TABLE IF EXISTS floor_results",
    "CREATE TABLE floor_shots"
    " (id bigint PRIMARY KEY, lane int, tag float, state varchar(16), token bigint, until {time})",
    "CREATE TABLE floor_results (shot_id bigint PRIMARY KEY, token bigint)",
    "CREATE INDEX floor_in_order ON floor_shots (lane, tag) WHERE state = 'queued'",
)


@dataclass(frozen=True, slots=True)
class Place:
    """A database to measure."""

    name: str  #: sqlite or postgresql
    url: str
    bare_url: str  #: for the driver alone
    folder: Path  #: on the disk whose fsync counts


def run(
    *,
    depths: Sequence[int],
    seconds: float,
    stores: Sequence[str] = ("sqlite", "postgresql"),
    shapes: Sequence[tuple[int, int]] = SHAPES,
    database_url: str | None = None,
    latencies: int = 40,
) -> dict[str, Any]:
    """Measure everything. ``database_url``: an empty PostgreSQL; default: one is started for the purpose.

    Raises BadSettings when there is no PostgreSQL to measure.
    """
    rows: list[dict[str, Any]] = []
    waits: list[dict[str, Any]] = []
    for name in stores:
        with database(name, database_url) as place:
            store = Store(place.url)
            store.tiers = SHIPPED.with_quotas(queued=None)
            store.migrate()
            furnish(store)
            waits.append({"store": name, **submit_to_claim(place.url, latencies)})  # while nothing else waits
            for depth in sorted(depths):
                rows += _at_depth(store, place, depth, seconds, shapes)
            store.close()
    return {
        "rows": rows,
        "submit_to_claim": waits,
        "lanes": LANES,
        "accounts": ACCOUNTS,
        "cores": os.cpu_count(),
        "load_average": os.getloadavg()[0],
        "python": platform.python_version(),
        "sqlalchemy": version("sqlalchemy"),
        "psycopg": version("psycopg"),
    }


@contextmanager
def database(name: str, database_url: str | None) -> Iterator[Place]:
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    try:
        if name == "sqlite":
            path = folder / DATABASE_NAME
            yield Place(name, Store.url_of(path), str(path), folder)
        elif database_url is not None:
            yield Place(name, database_url, database_url.replace("+psycopg", ""), folder)
        else:
            with _own_postgresql(folder) as url:
                yield Place(name, url, url, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _own_postgresql(folder: Path) -> Iterator[str]:
    server = start_postgres(folder / "pg", otherwise="name an empty one with --database-url")
    try:
        yield str(server.get_uri())
    finally:
        server.stop()


def furnish(store: Store) -> None:
    store.owner(new_id())
    store.note_scan(
        [
            Found(
                new_id=f"lane-{lane:02}",
                name=f"lane-{lane:02}",
                path=f"checkpoints/lane-{lane:02}",
                family="sd1",
                native_size=512,
                size_bytes=2_000_000_000,
                stamp=f"lane-{lane:02}",
                builtin=False,
            )
            for lane in range(LANES)
        ]
    )
    with store.writing() as tx:
        known = set(tx.session.scalars(select(AccountRow.name)))
        for number in range(ACCOUNTS):
            if f"bench-{number}" not in known:
                tx.session.add(
                    AccountRow(id=f"account-{number}", name=f"bench-{number}", role="user", created_at=tx.now)
                )


def _at_depth(
    store: Store, place: Place, depth: int, seconds: float, shapes: Sequence[tuple[int, int]]
) -> list[dict[str, Any]]:
    rows = []
    for agents, leases in shapes:
        single = _floor(place, agents, leases, depth, seconds / 2)
        ours = _ours(store, place, (agents, leases), depth, seconds)
        again = _floor(place, agents, leases, depth, seconds / 2)
        batched = _floor(place, agents, leases, depth, seconds / 2, together=True)
        floor = (single.shots + again.shots) / (single.seconds + again.seconds)
        rows.append(
            {
                "store": place.name,
                "depth": depth,
                "agents": agents,
                "leases": leases,
                "shots_per_second": round(ours.shots_per_second, 1),
                "claim_p50_ms": round(1000 * statistics.median(ours.claims), 2),
                "claim_p99_ms": round(1000 * _quantile(ours.claims, 0.99), 2),
                "fsync_ms": round(_fsync_ms(place.folder), 3),
                "floor_shots_per_second": round(floor, 1),
                "ratio_to_floor": round(ours.shots_per_second / floor, 3),
                "ratio_to_batched_floor": round(ours.shots_per_second / batched.shots_per_second, 3),
                "unavailable": ours.unavailable,
                "lane_heads_ms": round(_lane_heads_ms(store), 3),
                "lane_views_ms": round(_lane_views_ms(store), 3),
            }
        )
    return rows


def _ours(store: Store, place: Place, shape: tuple[int, int], depth: int, seconds: float) -> Round:
    agents, leases = shape
    with Crowd([StoreWork(place.url) for _ in range(agents)]) as crowd:
        fill(store, depth)
        _tidy(store, ("shots", "jobs", "uploads", "tallies"))
        crowd.work(leases=leases, shots=max(1, depth // 20), seconds=seconds / 5)  # plans and pools warm up
        return _rounds(crowd, leases, depth, seconds, lambda: fill(store, depth))


def _floor(place: Place, agents: int, leases: int, depth: int, seconds: float, *, together: bool = False) -> Round:
    make_floor(place)
    fill_floor(place, depth)
    with Crowd([BareWork(place.bare_url, together) for _ in range(agents)]) as crowd:
        crowd.work(leases=leases, shots=max(1, depth // 20), seconds=seconds / 5)
        return _rounds(crowd, leases, depth, seconds, lambda: fill_floor(place, depth))


def _rounds(crowd: Crowd, leases: int, depth: int, seconds: float, fill: Any) -> Round:
    """Rounds that each take a share of the queue, filled up in between, until they have lasted long enough."""
    rounds: list[Round] = []
    while (lasted := sum(one.seconds for one in rounds)) < seconds:
        fill()
        rounds.append(crowd.work(leases=leases, shots=max(1, int(depth * SHARE_OF_DEPTH)), seconds=seconds - lasted))
    return Round(
        sum(one.shots for one in rounds),
        sum(one.seconds for one in rounds),
        [claim for one in rounds for claim in one.claims],
        sum(one.unavailable for one in rounds),
    )


def fill(store: Store, depth: int) -> None:
    """Order until ``depth`` shots wait, in all lanes and for all accounts, and note uploads for what is delivered."""
    with store.reading() as tx:
        queued = tx.session.scalar(select(func.count()).select_from(ShotRow).where(IS_QUEUED)) or 0
    checkpoints = store.checkpoints()
    number = 0
    while queued < depth:
        count = min(SHOTS_PER_JOB, max(1, depth // LANES), depth - queued)
        recipe = make_recipe(JobOrder(prompt="a red house"), checkpoints[number % LANES], random_seed=number)
        store.submit(
            NewJob(
                id=new_id(),
                account_id=f"account-{number % ACCOUNTS}",
                tier="premium" if number % 10 < 3 else "normal",
                pool=DEFAULT_POOL.name,
                recipe=recipe,
                seeds=range(count),
            ),
        )
        queued += count
        number += 1
    with store.writing() as tx:
        if tx.is_postgresql:
            tx.session.execute(text("SET LOCAL statement_timeout = 0"))
        tx.session.execute(
            text(
                "INSERT INTO uploads (id, shot_id, token, width, height, format, object_key, thumbnail_key, size_bytes,"
                " sha256, created_at) SELECT 'upload-' || id, id, token + 1, 512, 512, 'webp', 'images/' || id,"
                " 'thumbnails/' || id, 50000, '', :now FROM shots WHERE state = 'queued' ON CONFLICT (id) DO NOTHING"
            ),
            {"now": tx.now if tx.is_postgresql else tx.now.replace(tzinfo=None).isoformat(" ", "microseconds")},
        )


def make_floor(place: Place) -> None:
    """The bare queue, empty."""
    store = Store(place.url)
    time_type = "timestamptz" if store.is_postgresql else "float"
    with store.writing() as tx:
        for statement in FLOOR_TABLES:
            tx.session.execute(text(statement.format(time=time_type)))
    store.close()


def fill_floor(place: Place, depth: int) -> None:
    """Add to the bare queue until ``depth`` shots wait in it."""
    store = Store(place.url)
    with store.writing() as tx:
        last, queued = tx.session.execute(
            text("SELECT COALESCE(MAX(id), 0), COUNT(*) FILTER (WHERE state = 'queued') FROM floor_shots")
        ).one()
        numbers = (
            "generate_series(CAST(:first AS bigint), :last) AS n (i)"
            if store.is_postgresql
            else "(WITH RECURSIVE n (i) AS"
            " (SELECT :first UNION ALL SELECT i + 1 FROM n WHERE i < :last) SELECT i FROM n)"
        )
        if queued < depth:
            tx.session.execute(
                text(f"INSERT INTO floor_shots SELECT i, i % {FLOOR_LANES}, i, 'queued', 0, NULL FROM {numbers}"),  # noqa: S608
                {"first": last + 1, "last": last + depth - queued},
            )
    if last == 0:
        _tidy(store, ("floor_shots",))
    store.close()


def _tidy(store: Store, tables: Sequence[str]) -> None:
    """What the database does by itself every minute or so, once before measuring: doing so throws plans away."""
    if not store.is_postgresql:
        return
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("SET statement_timeout = 0"))
        connection.execute(text(f"VACUUM ANALYZE {', '.join(tables)}"))
        connection.execute(text("CHECKPOINT"))


def _lane_heads_ms(store: Store, times: int = 100) -> float:
    """The statement that reads every lane with its oldest waits and its work, from the database to its rows here."""
    with store.engine.connect() as connection:
        driver = connection.connection.cursor()
        compiled = lanes_query(store.tiers.ranks, is_postgresql=store.is_postgresql).compile(
            dialect=store.engine.dialect
        )
        values = lane_parameters(DEFAULT_POOL.name, "nobody")
        given: Any = [values[name] for name in compiled.positiontup] if compiled.positiontup else values
        took = []
        for _ in range(times):
            began = time.perf_counter()
            driver.execute(str(compiled), given)
            driver.fetchall()
            took.append(time.perf_counter() - began)
    return 1000 * statistics.median(took)


def _lane_views_ms(store: Store, times: int = 60) -> float:
    """The same as each claim has it: with the urgency and the loading time of every lane worked out."""
    took = []
    with store.reading() as tx:
        fleet = fleet_of(tx, DEFAULT_POOL.name)
        for _ in range(times):
            began = time.perf_counter()
            lane_views(tx, waiting_lanes(tx, DEFAULT_POOL.name, "nobody"), fleet)
            took.append(time.perf_counter() - began)
    return 1000 * statistics.median(took)


def _fsync_ms(folder: Path, times: int = 50) -> float:
    """Median of writing one page and seeing it onto the disk."""
    took = []
    with (folder / "fsync").open("wb", buffering=0) as file:
        for _ in range(times):
            file.seek(0)
            file.write(os.urandom(8192))
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            took.append(time.perf_counter() - began)
    return 1000 * statistics.median(took)


def _quantile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
