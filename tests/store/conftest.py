from collections.abc import Iterator
from pathlib import Path

import pytest

from stablehand.store import DATABASE_NAME, Store
from tests.store.cluster import Cluster
from tests.store.house import Clock, House, migrated_database, open_services


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    cluster = Cluster()
    yield cluster
    cluster.end()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a fresh, migrated database; every test that uses it runs on both kinds."""
    if request.param == "sqlite":
        path = tmp_path / DATABASE_NAME
        path.write_bytes(migrated_database())
        yield Store.url_of(path)
        return
    cluster: Cluster = request.getfixturevalue("cluster")
    with cluster.database() as url:
        yield url


@pytest.fixture
def house(tmp_path: Path, clock: Clock, database: str) -> Iterator[House]:
    services = open_services(tmp_path, clock=clock, url=database)
    yield House(services, clock)
    services.store.close()


@pytest.fixture
def file_house(tmp_path: Path, clock: Clock) -> Iterator[House]:
    """For what is about SQLite's file as such."""
    services = open_services(tmp_path, clock=clock)
    yield House(services, clock)
    services.store.close()
