"""Bad lines between the processes: nothing is lost or done twice, and everybody goes on once the line is good again."""

import contextlib
import queue
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from stablehand.adapters.broadcast_redis import RedisBroadcast
from stablehand.domain.jobs import State
from tests.fleet.fleet import ORDER, Fleet, is_ready_agent
from tests.fleet.redis_server import RedisServer
from tests.proxy import Proxy
from tests.running import RunningService, eventually
from tests.store.cluster import Cluster
from tests.store.laws import check_laws

#: a dozen pictures in two seconds, so that a fault comes in their middle
LONG: dict[str, Any] = {**ORDER, "count": 12, "steps": 50}
FAULT_SECONDS = 1.0
#: Whoever waits on a silent line for half a minute proves no more than who waits for three seconds.
HASTY = str(Path(__file__).with_name("hasty_agent.py"))

FAULTS: dict[str, Callable[[Proxy], None]] = {
    "latency": lambda proxy: proxy.latency(0.1),
    "reset": Proxy.reset,
    "half open": Proxy.half_open,
    "black hole": Proxy.black_hole,
    "slow close": lambda proxy: proxy.slow_close(1.0),
    "byte limit": lambda proxy: proxy.byte_limit(10_000),
}


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory, cluster: Cluster) -> Iterator[Callable[[str], "Faulty"]]:
    """One fleet a bad line, for all its faults."""
    with contextlib.ExitStack() as ends:
        made: dict[str, Faulty] = {}

        def make(edge: str) -> Faulty:
            if edge not in made:
                made[edge] = Faulty(edge, tmp_path_factory.mktemp("faulty"), cluster, ends)
            return made[edge]

        yield make


class Faulty:
    """A web process, an agent, a database and a Redis, with a proxy on one of the edges."""

    def __init__(self, edge: str, folder: Path, cluster: Cluster, ends: contextlib.ExitStack) -> None:
        self.redis = RedisServer()
        self.redis.start()
        ends.callback(self.redis.end)
        database_url = ends.enter_context(cluster.database())
        redis_url = self.redis.url
        if edge == "web-database":
            place = urlsplit(database_url)
            target = Path(parse_qs(place.query)["host"][0]) / ".s.PGSQL.5432"
            self.proxy = Proxy(target)
            user = place.netloc.partition("@")[0]
            bad_url = f"postgresql://{user}@127.0.0.1:{self.proxy.port}{place.path}?gssencmode=disable&sslmode=disable"
        elif edge == "web-redis":
            self.proxy = Proxy(("127.0.0.1", self.redis.port))
            redis_url = f"redis://127.0.0.1:{self.proxy.port}/0"
        self.fleet = Fleet(folder, database_url, redis_url, STORAGE__DATABASE_TIMEOUT=1, QUEUE__LEASE_SECONDS=4)
        self.good_services = self.fleet.services()
        ends.callback(self.fleet.end)
        ends.callback(self.good_services.store.close)
        self.web = self.fleet.start("web", **({"STORAGE__DATABASE_URL": bad_url} if edge == "web-database" else {}))
        if edge == "agent-web":
            self.proxy = Proxy(("127.0.0.1", self.web.port))
        ends.callback(self.proxy.close)
        agents_way = f"http://127.0.0.1:{self.proxy.port}" if edge == "agent-web" else self.web.url
        program = [HASTY] if edge == "agent-web" else ("-m", "stablehand")
        self.agent = self.fleet.start_agent(agents_way, program=program)
        self.accepted: dict[str, int] = {}
        is_ready_agent(self.web)

    def order(self, **fields: Any) -> str:
        job = self.web.submit(**fields)
        self.accepted[job["id"]] = fields.get("count", 1)
        return str(job["id"])

    def begin(self) -> str:
        """Order, and wait until the pictures are in the making."""
        job_id = self.order(**LONG)
        eventually(lambda: self.web.job(job_id)["state"] == State.RUNNING, "the job runs")
        return job_id

    def see_it_end_well(self, job_id: str) -> None:
        self.proxy.heal()
        eventually(lambda: _is_over(self.web, job_id), "the job ends")
        assert self.web.job(job_id)["state"] == State.SUCCEEDED
        check_laws(self.good_services.store, accepted=self.accepted)
        assert self.agent.poll() is None, "the agent goes on"
        eventually(lambda: bool(self.web.get("/readyz")["ready"]), "the server is ready")


def _is_over(web: RunningService, job_id: str) -> bool:
    try:
        job = web.http.get(f"/api/v1/jobs/{job_id}", timeout=30.0)
    except httpx.TransportError:
        return False
    assert job.status_code in (200, 503), job.text
    return job.status_code == 200 and job.json()["state"] in ("succeeded", "failed", "cancelled")


@pytest.mark.parametrize("fault", FAULTS)
def test_between_web_and_database(faulty: Callable[[str], Faulty], fault: str) -> None:
    world = faulty("web-database")
    job_id = world.begin()
    FAULTS[fault](world.proxy)
    until = time.monotonic() + FAULT_SECONDS
    while time.monotonic() < until:
        answer = world.web.http.get("/api/v1/jobs", timeout=60.0)
        assert answer.status_code in (200, 503), answer.text
        if answer.status_code == 503:
            assert answer.json()["error"]["code"] == "store_unavailable"
            assert int(answer.headers["Retry-After"]) > 0
    world.see_it_end_well(job_id)


@pytest.mark.parametrize("fault", FAULTS)
def test_between_web_and_redis(faulty: Callable[[str], Faulty], fault: str) -> None:
    world = faulty("web-redis")
    heard: queue.Queue[dict[str, Any]] = queue.Queue()
    other = RedisBroadcast(world.redis.url, "stablehand")
    other.subscribe("live", heard.put)
    other.start()
    eventually(lambda: other.is_open, "the other process listens")
    job_id = world.begin()
    FAULTS[fault](world.proxy)
    eventually(lambda: _is_over(world.web, job_id), "work needs no Redis")
    world.see_it_end_well(job_id)
    with contextlib.suppress(queue.Empty):
        while True:
            heard.get_nowait()

    def is_heard() -> bool:
        world.order(**ORDER)
        with contextlib.suppress(queue.Empty):
            return bool(heard.get(timeout=1.0))
        return False

    eventually(is_heard, "events come again")
    other.close()


@pytest.mark.parametrize("fault", FAULTS)
def test_between_agent_and_web(faulty: Callable[[str], Faulty], fault: str) -> None:
    world = faulty("agent-web")
    job_id = world.begin()
    FAULTS[fault](world.proxy)
    time.sleep(FAULT_SECONDS)
    world.see_it_end_well(job_id)
