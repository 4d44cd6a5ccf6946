"""What a dialect costs over the native route: the same small pictures from one server, ordered in turns by each.

By the native route a picture is three requests (order, wait, fetch), by the dialect it is one, whose answer holds the
same bytes as text. The null runtime takes no time for a step, so that what is left is the way there and back.
"""

import os
import random
import shutil
import socket
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from stablehand.bench.chaos.troupe import Player, Troupe
from stablehand.domain.errors import BadSettings

SIDE, STEPS = 64, 1
WARM_UP = 10
PATIENCE_SECONDS = 120.0


def run(*, pictures: int, seed: int) -> dict[str, Any]:
    """``pictures``: by each route. Raises BadSettings when the server does not become ready."""
    chance = random.Random(seed)
    # No step takes any time.
    with own_server({"COMPUTE__RUNTIME": "null", "COMPUTE__NULL_SECONDS_PER_STEP": "0"}) as client:
        ways: dict[str, Callable[[httpx.Client], int]] = {"native": _native, "dialect": _dialect}
        taken: dict[str, list[float]] = {name: [] for name in ways}
        for number in range(WARM_UP + pictures):
            order = list(ways)
            chance.shuffle(order)  # neither always comes after the other
            for name in order:
                began = time.perf_counter()
                size = ways[name](client)
                seconds = time.perf_counter() - began
                if not size:
                    raise AssertionError(f"the {name} route brought no picture")
                if number >= WARM_UP:
                    taken[name].append(seconds * 1000)
    median = {name: statistics.median(values) for name, values in taken.items()}
    return {
        "pictures": pictures,
        "side": SIDE,
        "native_median_ms": round(median["native"], 2),
        "dialect_median_ms": round(median["dialect"], 2),
        "cost_median_ms": round(median["dialect"] - median["native"], 2),
        "native_p95_ms": round(_p95(taken["native"]), 2),
        "dialect_p95_ms": round(_p95(taken["dialect"]), 2),
        "load_average": os.getloadavg()[0],
        "seed": seed,
    }


def _native(client: httpx.Client) -> int:
    body = {"prompt": "a house", "width": SIDE, "height": SIDE, "steps": STEPS, "format": "png"}
    job = client.post("/api/v1/jobs", json=body).raise_for_status().json()
    done = client.get(f"/api/v1/jobs/{job['id']}?wait=60").raise_for_status().json()
    return len(client.get(f"/api/v1/images/{done['images'][0]['id']}/file").raise_for_status().content)


def _dialect(client: httpx.Client) -> int:
    body = {"prompt": "a house", "width": SIDE, "height": SIDE, "steps": STEPS, "sampler_name": "DPM++ 2M"}
    answer = client.post("/sdapi/v1/txt2img", json=body).raise_for_status().json()
    return len(answer["images"][0])


def _p95(values: list[float]) -> float:
    return sorted(values)[min(len(values) - 1, int(0.95 * len(values)))]


@contextmanager
def own_server(settings: dict[str, str], prepare: Callable[[Path], None] = lambda data: None) -> Iterator[httpx.Client]:
    """A client of a server with its own agent.

    Args:
        settings: SECTION__NAME -> value.
        prepare: is given the data directory before anything looks at it.
    """
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    prepare(folder / "data")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    environment = {f"STABLEHAND_{name}": value for name, value in settings.items()}
    command = ("serve", "--port", str(port), "--data-dir", str(folder / "data"))
    troupe = Troupe()
    troupe.players.append(Player("server", "web", command, environment, folder / "server.log"))
    try:
        troupe.start()
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120.0, trust_env=False) as client:
            _wait_until_ready(client)
            yield client
    finally:
        troupe.end()
        shutil.rmtree(folder, ignore_errors=True)


def _wait_until_ready(client: httpx.Client) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        try:
            if client.get("/readyz").status_code == 200:
                return
        except httpx.TransportError:
            pass  # it is not there yet
        time.sleep(0.1)
    raise BadSettings("The server did not become ready.", hint="Run `stablehand doctor`.")
