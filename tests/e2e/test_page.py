"""The page as a person uses it: order, watch, open, reload, cancel, find again."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.e2e.browsing import OpenPage, objections_light_and_dark
from tests.running import RunningService

PROMPT = "a red house in a meadow at sunset"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A picture of 20 steps takes it about a second and a half."""
    folder: Path = tmp_path_factory.mktemp("page")
    service = RunningService(
        folder / "data",
        COMPUTE__RUNTIME="null",
        COMPUTE__NULL_SECONDS_PER_STEP=0.08,
        COSTS__CURRENCY="MAD",
        COSTS__DEVICE_HOUR=5.26,
        TIERS__PREMIUM__COUNT=200,
    )
    service.start()
    yield service
    service.end()


def order(page: Page, prompt: str = PROMPT, *, steps: int | None = None, count: int | None = None) -> None:
    page.get_by_role("textbox", name="Prompt", exact=True).fill(prompt)
    for label, value in (("Steps", steps), ("Pictures", count)):
        if value is not None:
            page.get_by_label(label, exact=True).first.fill(str(value))
    page.get_by_role("button", name=re.compile("^Generate")).click()


def result(page: Page) -> Locator:
    return page.get_by_role("region", name="Result")


def loaded(picture: Locator) -> None:
    """The browser has decoded it: it is no broken link."""
    expect(picture).to_be_visible()
    picture.page.wait_for_function(
        "picture => picture.complete && picture.naturalWidth > 0", arg=picture.element_handle(), timeout=60_000
    )


def test_a_picture_is_ordered_watched_and_opened(service: RunningService, open_page: OpenPage) -> None:
    page = open_page(service.url)
    order(page, steps=40)
    bar = result(page).get_by_role("progressbar", name="Picture 1")
    expect(bar).to_be_visible()
    expect(bar).to_have_attribute("aria-valuenow", re.compile(r"^[1-9]\d?$"))
    expect(result(page).locator("img[src^='data:image/jpeg']")).to_be_visible()
    opener = result(page).get_by_role("button", name=f"Open picture 1: {PROMPT}")
    loaded(opener.get_by_role("img"))
    expect(bar).to_have_count(0)

    opener.click()
    viewer = page.get_by_role("dialog")
    loaded(viewer.get_by_role("img", name=PROMPT).first)
    page.keyboard.press("Escape")
    expect(viewer).to_have_count(0)


def test_what_an_order_would_take_is_said_before_it_is_sent(service: RunningService, open_page: OpenPage) -> None:
    for width in (1440, 390):
        page = open_page(service.url, width=width, height=844, calm=True)
        order(page, "a hill", steps=10) if width == 1440 else page.get_by_role("button", name="Settings").click()
        quote = page.locator("#quote")
        expect(quote).to_contain_text(re.compile(r"MAD · ready in (about|a moment)"))
        one = quote.inner_text()
        page.get_by_label("Pictures", exact=True).first.fill("60")
        expect(quote).to_contain_text(re.compile(r"about .* · 0\.\d+ MAD · ready in about .*\(\d+:\d\d–\d+:\d\d\)"))
        assert quote.inner_text() != one
        page.get_by_label("Pictures", exact=True).first.fill("300")
        button = page.get_by_role("button", name="At most 200 pictures")
        expect(button).to_be_enabled()
        expect(button).to_have_accessible_description(re.compile("at most 200 for your account"))
        assert objections_light_and_dark(page) == []
        page.get_by_label("Pictures", exact=True).first.fill("")
        expect(page.get_by_role("button", name=re.compile("^Generate"))).to_be_visible()


def test_a_reload_in_mid_job_loses_nothing(service: RunningService, open_page: OpenPage) -> None:
    page = open_page(service.url)
    order(page, "two boats", steps=60, count=2)
    expect(result(page).get_by_role("progressbar").first).to_be_visible()
    page.reload()
    expect(result(page).get_by_role("heading", name="two boats")).to_be_visible()
    expect(result(page).get_by_role("progressbar").first).to_be_visible()
    for number in (1, 2):
        loaded(result(page).get_by_role("button", name=f"Open picture {number}: two boats").get_by_role("img"))


def test_a_job_is_cancelled(service: RunningService, open_page: OpenPage) -> None:
    page = open_page(service.url)
    order(page, "a lighthouse", steps=150)
    expect(result(page).get_by_role("progressbar")).to_be_visible()
    result(page).get_by_role("button", name="Cancel").click()
    expect(result(page).get_by_role("button", name="Try again")).to_be_visible()
    expect(result(page).get_by_role("progressbar")).to_have_count(0)
    job = service.get("/api/v1/jobs?limit=1")["items"][0]
    assert job["state"] == "cancelled"
    assert job["images"] == []


def test_control_enter_orders_and_what_is_wrong_is_said(service: RunningService, open_page: OpenPage) -> None:
    page = open_page(service.url)
    prompt = page.get_by_role("textbox", name="Prompt", exact=True)
    before = len(service.get("/api/v1/jobs")["items"])
    prompt.fill("")
    prompt.press("Control+Enter")
    expect(prompt).to_be_focused()
    expect(prompt).to_have_attribute("aria-invalid", "true")
    assert len(service.get("/api/v1/jobs")["items"]) == before
    prompt.fill("by keyboard")
    prompt.press("Control+Enter")
    expect(result(page).get_by_role("button", name="Open picture 1: by keyboard")).to_be_visible()


def test_a_picture_is_found_again_after_a_restart(service: RunningService, open_page: OpenPage) -> None:
    job = service.finished(service.submit(prompt="a windmill to keep", steps=2)["id"])
    service.stop()
    service.start()
    page = open_page(service.url)
    page.get_by_role("link", name="Gallery").click()
    opener = page.get_by_role("button", name="Open: a windmill to keep").first
    loaded(opener.locator("img"))
    opener.click()
    viewer = page.get_by_role("dialog")
    loaded(viewer.get_by_role("img", name="a windmill to keep").first)
    expect(viewer).to_contain_text(str(job["images"][0]["seed"]))
    expect(viewer).not_to_contain_text("Drawn by")
    viewer.get_by_role("button", name="How it was made").click()
    expect(viewer).to_contain_text("Drawn bynull")


def test_the_viewer_walks_by_arrows_takes_parameters_over_and_undoes_a_deletion(
    service: RunningService, open_page: OpenPage
) -> None:
    job = service.finished(service.submit(prompt="three ships", steps=3, count=3, seed=500, width=128)["id"])
    images = [image for image in service.images() if image["job_id"] == job["id"]]  # in the gallery's order
    newest, older = (f"Seed{image['seed']}" for image in images[:2])
    page = open_page(service.url, path=f"/gallery/{images[0]['id']}")
    viewer = page.get_by_role("dialog")
    expect(viewer).to_contain_text(newest)
    page.keyboard.press("ArrowRight")
    expect(viewer).to_contain_text(older)
    page.keyboard.press("ArrowLeft")
    expect(viewer).to_contain_text(newest)

    page.keyboard.press("Delete")
    expect(viewer).to_contain_text(older)
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("Back in the gallery").first).to_be_visible()
    assert [image["id"] for image in service.images() if image["job_id"] == job["id"]] == [i["id"] for i in images]

    viewer.get_by_role("button", name="Use these parameters").click()
    expect(page.get_by_role("textbox", name="Prompt", exact=True)).to_have_value("three ships")
    expect(page.get_by_label("Steps", exact=True).first).to_have_value("3")


def test_a_double_click_orders_once_and_leaves_the_focus(service: RunningService, open_page: OpenPage) -> None:
    page = open_page(service.url)
    page.get_by_role("textbox", name="Prompt", exact=True).fill("clicked twice")
    generate = page.get_by_role("button", name=re.compile("^Generate"))
    generate.dblclick()
    expect(result(page).get_by_role("button", name="Open picture 1: clicked twice")).to_be_visible()
    expect(generate).to_be_focused()
    ordered = [job for job in service.get("/api/v1/jobs")["items"] if job["recipe"]["prompt"] == "clicked twice"]
    assert len(ordered) == 1


@pytest.fixture
def refused_page(service: RunningService, browser: Browser) -> Iterator[Page]:
    """A phone's page that may meet refusals, which every browser notes as errors on its console."""
    context = browser.new_context(base_url=service.url, viewport={"width": 390, "height": 844})
    yield context.new_page()
    context.close()


def test_what_is_wrong_is_led_to_where_the_settings_are_folded(refused_page: Page) -> None:
    page = refused_page
    page.goto("/")
    settings = page.get_by_role("button", name=re.compile("^Settings"))
    steps = page.get_by_role("spinbutton", name="Steps")
    settings.click()
    steps.fill("0")
    settings.click()
    expect(steps).to_have_count(0)
    order(page)
    expect(steps).to_be_focused()
    expect(steps).to_have_attribute("aria-invalid", "true")


def test_an_address_whose_picture_is_gone_says_so(refused_page: Page) -> None:
    page = refused_page
    page.goto("/gallery/gone")
    expect(page.get_by_text("There is no such picture").first).to_be_visible()
    expect(page).to_have_url(re.compile("/gallery$"))


def test_the_page_stands_while_the_server_is_away(refused_page: Page) -> None:
    page = refused_page
    page.goto("/")
    page.get_by_role("textbox", name="Prompt", exact=True).fill("words to keep")
    page.wait_for_load_state("networkidle")
    page.context.set_offline(True)
    page.get_by_role("link", name="Gallery", exact=True).click()
    expect(page.get_by_role("heading", name="Gallery", level=1)).to_be_attached()
    page.get_by_role("link", name="Create", exact=True).click()
    expect(page.get_by_role("textbox", name="Prompt", exact=True)).to_have_value("words to keep")
    expect(page.get_by_text("The server does not answer").first).to_be_visible()
