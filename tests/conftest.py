"""Fixtures that several suites share: running services, which all end with their test and leave no process behind."""

import gc
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from tests.buckets import BucketServer
from tests.running import RunningService, ServiceFactory

# The same examples each time, however long one takes: a busy machine is no reason to fail.
hypothesis.settings.register_profile("certain", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("certain")


def pytest_configure() -> None:
    """What is imported stays: looking for garbage among it, again and again, took a fifth of all time."""
    gc.disable()


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)
    gc.enable()


@pytest.fixture
def make_service(tmp_path: Path) -> Iterator[ServiceFactory]:
    """Make services (not yet started); keywords are settings by their environment names."""
    made: list[RunningService] = []

    def make(**settings: str | float) -> RunningService:
        service = RunningService(tmp_path / f"data-{len(made)}", **settings)
        made.append(service)
        return service

    yield make
    for service in made:
        service.end()


@pytest.fixture(scope="session")
def bucket_server() -> Iterator[BucketServer]:
    """One for all tests of a session: each makes buckets of its own."""
    server = BucketServer()
    yield server
    server.stop()
