import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fleet.fleet import Fleet
from tests.fleet.redis_server import RedisServer
from tests.store.cluster import Cluster


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    server = RedisServer()
    server.start()
    yield server
    server.end()


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    cluster = Cluster()
    yield cluster
    cluster.end()


@pytest.fixture
def make_fleet(tmp_path: Path, cluster: Cluster) -> Iterator[Callable[..., Fleet]]:
    """Make fleets, each over a database of its own; the first argument is the Redis or None."""
    with contextlib.ExitStack() as ends:

        def make(redis_url: str | None, *, database_url: str | None = None, **settings: str | float) -> Fleet:
            url = database_url or ends.enter_context(cluster.database())
            fleet = Fleet(tmp_path / "fleet", url, redis_url, **settings)
            ends.callback(fleet.end)
            return fleet

        yield make
