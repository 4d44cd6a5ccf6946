"""Pictures leave the house: chosen, downloaded as one file, shared by a link, seen by somebody else, and taken back."""

import re
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.browsing import OpenPage, objections, objections_light_and_dark
from tests.running import RunningService

PROMPT = "a red house in a meadow"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    folder: Path = tmp_path_factory.mktemp("sharing")
    service = RunningService(folder / "data", COMPUTE__RUNTIME="null")
    service.start()
    service.finished(service.submit(prompt=PROMPT, count=5, width=64, height=64, steps=1)["id"])
    yield service
    service.end()


def test_chosen_pictures_are_downloaded_shared_seen_and_taken_back(
    service: RunningService, open_page: OpenPage, browser: Browser
) -> None:
    ids = [image["id"] for image in service.images()]
    page = open_page(service.url, path="/gallery", calm=True)
    tiles = [page.locator(f"[data-index='{place}']") for place in range(5)]
    tiles[0].focus()
    page.keyboard.press("x")
    bar = page.get_by_role("toolbar", name="Chosen pictures")
    expect(bar.get_by_role("status")).to_have_text("1 chosen")
    page.keyboard.press("Shift+ArrowRight")
    expect(bar.get_by_role("status")).to_have_text("2 chosen")
    page.keyboard.press("Control+a")
    expect(bar.get_by_role("status")).to_have_text("5 chosen")
    for tile in tiles[2:]:
        tile.click()
    expect(bar.get_by_role("status")).to_have_text("2 chosen")
    assert objections_light_and_dark(page) == []

    with page.expect_download() as begun:
        bar.get_by_role("button", name="Download ZIP").click()
    with ZipFile(begun.value.path()) as archive:
        assert archive.testzip() is None
        assert [name[:5] for name in archive.namelist()] == ["0001-", "0002-", "recip"]

    bar.get_by_role("button", name="Share link").click()
    page.get_by_role("button", name="7 days").click()
    link = page.get_by_role("textbox", name="Link").input_value()
    page.keyboard.press("Escape")
    tiles[0].focus()
    page.keyboard.press("Escape")
    expect(bar).to_have_count(0)

    with browser.new_context() as stranger:
        asked: list[str] = []
        other = stranger.new_page()
        other.on("request", lambda request: asked.append(request.url))
        other.goto(link)
        expect(other.get_by_role("heading", name="2 pictures")).to_be_visible()
        shown = other.get_by_role("img")
        assert re.findall(r"images/(\w+)/thumb", other.content()) == ids[:2]
        assert all(one.evaluate("picture => picture.decode().then(() => picture.naturalWidth)") for one in shown.all())
        assert {url.split("/")[2] for url in asked} == {service.url.split("/")[2]}, "nothing is asked of other hosts"
        assert objections(other) == []
        with other.expect_download() as begun:
            other.get_by_role("link", name="Download all (ZIP)").click()
        with ZipFile(begun.value.path()) as archive:
            assert len(archive.namelist()) == 2

        page.goto(f"{service.url}/account")
        page.get_by_role("button", name="Revoke", exact=True).click()
        expect(page.get_by_text("None works now.")).to_be_visible()
        other.reload()
        expect(other.get_by_role("heading", name="This link was revoked.")).to_be_visible()


def test_a_picture_is_shared_from_where_it_is_looked_at(service: RunningService, open_page: OpenPage) -> None:
    [image, *_] = service.images()
    page = open_page(service.url, path=f"/gallery/{image['id']}", calm=True)
    page.get_by_role("button", name="Share").click()
    page.get_by_role("button", name="1 day", exact=True).click()
    link = page.get_by_role("textbox", name="Link").input_value()
    assert service.http.get(link).headers["Content-Type"] == "image/webp"
    page.keyboard.press("Escape")
    expect(page.get_by_role("textbox", name="Link")).to_have_count(0)
    expect(page.get_by_role("dialog", name=PROMPT)).to_be_visible()
