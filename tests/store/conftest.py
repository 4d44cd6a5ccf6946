from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.store.house import Clock, House, open_services


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def house(tmp_path: Path, clock: Clock) -> Iterator[House]:
    services = open_services(tmp_path, clock=clock)
    yield House(services, clock)
    services.store.close()
