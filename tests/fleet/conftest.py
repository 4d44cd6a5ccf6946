from collections.abc import Iterator

import pytest

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
