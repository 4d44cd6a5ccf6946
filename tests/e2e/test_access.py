"""axe-core finds nothing to object to on any screen, at a phone's width and a desk's, light and dark."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.e2e.browsing import OpenPage, objections_light_and_dark
from tests.running import RunningService

SCREENS = {"Create": "/", "Queue": "/queue", "Gallery": "/gallery", "Agents": "/agents"}
#: what tells that a screen has its content
SHOWN = {
    "Create": "a balloon that takes its time",
    "Queue": "a castle by the sea",
    "Gallery": "Gallery",
    "Agents": "Agent",
}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """With a few finished pictures, one failed job and one that goes on."""
    service = RunningService(
        tmp_path_factory.mktemp("access") / "data", COMPUTE__RUNTIME="null", COMPUTE__NULL_SECONDS_PER_STEP=0.3
    )
    service.start()
    service.finished(service.submit(prompt="a castle by the sea", steps=1, count=3)["id"])
    service.http.delete("/api/v1/jobs/" + service.submit(prompt="a cactus", steps=150)["id"])
    service.submit(prompt="a balloon that takes its time", steps=150, count=2)
    yield service
    service.end()


@pytest.mark.parametrize("width", [390, 1440])
def test_no_screen_shuts_anybody_out(service: RunningService, open_page: OpenPage, width: int) -> None:
    page = open_page(service.url, width=width, height=900, calm=True)
    findings: dict[str, object] = {}
    for name, path in SCREENS.items():
        page.goto(path)
        expect(page.get_by_role("link", name=name, exact=True)).to_have_attribute("aria-current", "page")
        expect(page.get_by_role("main")).to_contain_text(SHOWN[name])
        if found := objections_light_and_dark(page):
            findings[name] = found
    assert findings == {}
