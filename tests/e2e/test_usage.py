"""What was drawn and what it cost, looked at by whoever ordered it and by whoever runs the service."""

import csv
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import expect

from tests.e2e.browsing import OpenPage, objections_light_and_dark
from tests.running import RunningService

ORDER = {"prompt": "a red house", "count": 2, "steps": 2, "width": 64, "height": 64}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """One where device time has a price, and two pictures have been drawn."""
    service = RunningService(
        tmp_path_factory.mktemp("usage") / "data",
        COMPUTE__RUNTIME="null",
        COSTS__CURRENCY="MAD",
        COSTS__DEVICE_HOUR="5260",
    )
    service.start()
    with httpx.Client(base_url=f"{service.url}/api/v1", trust_env=False, timeout=90) as client:
        job = client.post("/jobs", json=ORDER).json()["id"]
        assert client.get(f"/jobs/{job}?wait=60").json()["state"] == "succeeded"
    yield service
    service.end()


@pytest.mark.parametrize("width", [390, 1440])
def test_everybody_finds_what_their_pictures_cost(service: RunningService, open_page: OpenPage, width: int) -> None:
    page = open_page(service.url, width=width, height=900, calm=True)
    page.get_by_role("link", name="Your usage").click()
    expect(page.get_by_role("heading", name="Your usage")).to_be_visible()
    by_checkpoint = page.get_by_role("region", name="By checkpoint")
    expect(by_checkpoint.get_by_role("row")).to_have_count(2)
    expect(by_checkpoint.get_by_role("row").last).to_contain_text("MAD")
    assert objections_light_and_dark(page) == []
    page.get_by_role("button", name="Earlier").click()
    expect(page.get_by_text("Nothing was drawn for you in this time.")).to_be_visible()


def test_the_administrator_sees_what_a_week_cost_and_whom(service: RunningService, open_page: OpenPage) -> None:
    page = open_page(service.url, path="/admin/usage", calm=True)
    by_account = page.get_by_role("region", name="By account")
    expect(by_account.get_by_role("row").last).to_contain_text("owner")
    expect(by_account.get_by_role("row").last).to_contain_text("MAD")
    assert objections_light_and_dark(page) == []
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    assert download.value.suggested_filename.startswith("usage-of-all-")
    with download.value.path().open(newline="", encoding="utf-8") as file:
        [line] = csv.DictReader(file)
    assert (line["account"], line["pictures"], line["currency"]) == ("owner", "2", "MAD")
