"""Quotes held against what happened, by mixed orders through a real server; and what a quote costs beside a long queue.

The orders differ in tier, checkpoint, size, steps and number of pictures, and come at random moments, so that some find
the devices idle and others a queue. The first ones, before which nothing was measured, warm the server up.
"""

import os
import platform
import random
import shutil
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from stablehand.bench.dialect import own_server
from stablehand.bench.queue import database, fill, furnish
from stablehand.domain.orders import JobOrder, make_recipe
from stablehand.domain.pools import DEFAULT_POOL
from stablehand.domain.tiers import SHIPPED
from stablehand.services.identity import new_id
from stablehand.store import Store
from stablehand.store.jobs import NewJob
from stablehand.store.rows import no_progress

POSTCARD = Path(__file__).parents[1] / "builtin" / "checkpoints" / "postcard"
CHECKPOINTS = ("cards", "letters")
#: of the null runtime; a picture of twenty steps takes a second in whatever company
NULL_SECONDS_PER_STEP = 0.05
#: by the null runtime a picture takes as long whatever its size, which no estimate can learn: its orders have one size
SIDES = {"null": (256,), "native": (128, 192, 256)}
STEPS = (8, 12, 20)
COUNTS = (1, 1, 2, 4, 9)
WARM_UP = 4
PATIENCE_SECONDS = 1800.0


def run(
    *, runtime: str, jobs: int, pause_seconds: float, depth: int, seed: int, say: Callable[[str], None]
) -> dict[str, Any]:
    """Raises BadSettings when the server does not become ready, or there is no PostgreSQL to measure."""
    say(f"{jobs} mixed orders on the {runtime} runtime")
    result = {"runtime": runtime, "jobs": jobs, "seed": seed, **_orders(runtime, jobs, pause_seconds, seed)}
    if depth:
        say(f"quotes beside {depth} queued shots")
        result["beside_a_queue"] = [cost(name, depth) for name in ("sqlite", "postgresql")]
    return {**result, "cores": os.cpu_count(), "load_average": os.getloadavg()[0], "python": platform.python_version()}


def _orders(runtime: str, jobs: int, pause_seconds: float, seed: int) -> dict[str, Any]:
    chance = random.Random(seed)
    settings = {"COMPUTE__RUNTIME": runtime, "COMPUTE__NULL_SECONDS_PER_STEP": str(NULL_SECONDS_PER_STEP)}
    with own_server(settings, _two_checkpoints) as client:
        for number in range(WARM_UP):
            _wait(client, _order(client, {**_body(runtime, chance), "count": 1, "checkpoint": CHECKPOINTS[number % 2]}))
        ordered, asked = [], []
        for _ in range(jobs):
            body = _body(runtime, chance)
            began = time.perf_counter()
            client.post("/api/v1/quote", json=body).raise_for_status()
            asked.append(1000 * (time.perf_counter() - began))
            ordered.append(_order(client, body))
            time.sleep(chance.expovariate(1 / pause_seconds) if pause_seconds else 0.0)
        for job in ordered:
            _wait(client, job)
        found = client.get("/api/v1/admin/quotes", params={"jobs": jobs}).raise_for_status().json()
    records = [
        {
            "checkpoint": record["checkpoint"] or "all",
            "jobs": record["jobs"],
            **{part: _short(record[part]) for part in ("device_seconds", "first", "last")},
        }
        for record in found["items"]
    ]
    return {"quote_http_median_ms": round(statistics.median(asked), 2), "records": records}


def _two_checkpoints(data: Path) -> None:
    """Both with one file's content, so that agents change between them."""
    folder = data / "models" / "checkpoints"
    shutil.copytree(POSTCARD, folder / CHECKPOINTS[0])
    shutil.copytree(folder / CHECKPOINTS[0], folder / CHECKPOINTS[1], copy_function=os.link)


def _body(runtime: str, chance: random.Random) -> dict[str, Any]:
    side = chance.choice(SIDES[runtime])
    return {
        "prompt": "a red house in a meadow",
        "checkpoint": chance.choices(CHECKPOINTS, (4, 1))[0],
        "width": side,
        "height": side,
        "steps": chance.choice(STEPS),
        "count": chance.choice(COUNTS),
        "tier": chance.choices(("normal", "premium"), (3, 1))[0],
    }


def _order(client: httpx.Client, body: dict[str, Any]) -> str:
    return str(client.post("/api/v1/jobs", json=body).raise_for_status().json()["id"])


def _wait(client: httpx.Client, job_id: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    state = ""
    while state != "succeeded":
        state = client.get(f"/api/v1/jobs/{job_id}", params={"wait": 60}).raise_for_status().json()["state"]
        if state in ("failed", "cancelled") or time.monotonic() > deadline:
            raise AssertionError(f"the job {job_id} is {state}")


def _short(accuracy: dict[str, float] | None) -> dict[str, float] | None:
    return None if accuracy is None else {name: round(value, 3) for name, value in accuracy.items()}


def cost(name: str, depth: int, times: int = 60) -> dict[str, Any]:
    """Milliseconds of a quote and of an order of the same, in the database alone."""
    with database(name, None) as place:
        store = Store(place.url)
        store.tiers = SHIPPED.with_quotas(queued=10**7)
        store.migrate()
        furnish(store)
        fill(store, depth)
        recipe = make_recipe(JobOrder(prompt="a red house"), store.checkpoints()[7], random_seed=1)
        quotes, orders = [], []
        for number in range(times):
            account = f"account-{number % 20}"
            began = time.perf_counter()
            store.quote(account, recipe, count=4, tier="normal", pool=DEFAULT_POOL.name, progress=no_progress)
            quotes.append(1000 * (time.perf_counter() - began))
            new = NewJob(
                id=new_id(), account_id=account, tier="normal", pool=DEFAULT_POOL.name, recipe=recipe, seeds=range(4)
            )
            began = time.perf_counter()
            store.submit(new)
            orders.append(1000 * (time.perf_counter() - began))
        store.close()
    return {
        "store": name,
        "queued": depth,
        "quote_median_ms": round(statistics.median(quotes), 2),
        "quote_p95_ms": round(sorted(quotes)[int(0.95 * times)], 2),
        "submit_median_ms": round(statistics.median(orders), 2),
    }
