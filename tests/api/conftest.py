"""Sites: one for each test that writes, one for all tests that must leave no trace."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from stablehand import settings
from stablehand.wiring import folders, serving
from tests.api.site import Site, make_site, write_checkpoint
from tests.running import RunningService


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with every migration run, to copy from."""
    table = settings.load(data_dir=tmp_path_factory.mktemp("template"))
    folders.prepare_data_dir(table)
    serving.migrate(table)
    return table.database_path


@pytest.fixture
def make(tmp_path: Path, template: Path) -> Iterator[Callable[..., Site]]:
    """Make sites; keywords change the doors' options."""
    made: list[Site] = []

    def make(**changes: Any) -> Site:
        site = make_site(tmp_path / f"site-{len(made)}", template=template, **changes)
        made.append(site)
        return site

    yield make
    for site in made:
        site.services.store.close()


@pytest.fixture
def site(make: Callable[..., Site]) -> Site:
    return make()


@pytest.fixture(scope="module")
def quiet_site(tmp_path_factory: pytest.TempPathFactory, template: Path) -> Iterator[Site]:
    """Shared by the tests of a module, none of which may leave anything behind."""
    site = make_site(tmp_path_factory.mktemp("quiet"), template=template)
    yield site
    site.services.store.close()


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """One real server, with its agent on the null runtime, for all tests that leave it standing."""
    folder = tmp_path_factory.mktemp("running")
    write_checkpoint(folder / "data" / "models" / "checkpoints" / "tiny")
    service = RunningService(folder / "data", COMPUTE__RUNTIME="null", OBSERVABILITY__LOG_REQUESTS="true")
    service.start()
    yield service
    service.end()
    assert service.survivors() == []
