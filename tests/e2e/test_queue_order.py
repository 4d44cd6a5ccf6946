"""The queue as a person puts it in order: by buttons, by keys alone, and on a small screen."""

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.browsing import OpenPage
from tests.running import RunningService

PROMPTS = ["a lighthouse on a cliff", "a red house in a meadow", "two sailing boats at sea"]


def ask(service: RunningService, method: str, path: str, **body: object) -> None:
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(service.url + path, json.dumps(body).encode(), headers, method=method)
    urllib.request.urlopen(request, timeout=30).close()


def fill_queue(service: RunningService) -> None:
    """Orders that go on waiting, because the only agent is drained."""
    ask(service, "PATCH", "/api/v1/admin/agents/local", standing="draining", reason="New cables.")
    for prompt in PROMPTS:
        ask(service, "POST", "/api/v1/jobs", prompt=prompt, count=2)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    folder: Path = tmp_path_factory.mktemp("order")
    service = RunningService(folder / "data", COMPUTE__RUNTIME="null")
    service.start()
    fill_queue(service)
    yield service
    service.end()


def listed(page: Page, prompts: list[str]) -> None:
    expect(page.get_by_role("article")).to_have_count(len(prompts))
    for place, prompt in enumerate(prompts):
        expect(page.get_by_role("article").nth(place)).to_contain_text(prompt)


@pytest.mark.parametrize(("width", "dark"), [(1440, False), (390, True)])
def test_jobs_are_put_in_another_order(service: RunningService, open_page: OpenPage, width: int, dark: bool) -> None:
    first, second, third = PROMPTS
    page = open_page(service.url, path="/queue", width=width, dark=dark)
    listed(page, [first, second, third])
    row = page.get_by_role("article", name=third)
    expect(row.get_by_role("button", name="Move down")).to_be_disabled()
    row.get_by_role("button", name="Move up").click()
    listed(page, [first, third, second])
    expect(row.get_by_role("button", name="Move up")).to_be_focused()
    page.keyboard.press("Enter")
    listed(page, [third, first, second])
    expect(row.get_by_role("button", name="Move down")).to_be_focused()
    expect(page.get_by_role("status").filter(has_text="Moved up: now 1 of 3.")).to_have_count(1)
    page.keyboard.press("Alt+ArrowDown")
    listed(page, [first, third, second])
    expect(row.get_by_role("button", name="Move down")).to_be_focused()
    page.keyboard.press("Alt+ArrowDown")
    listed(page, [first, second, third])
    page.reload()
    listed(page, [first, second, third])
