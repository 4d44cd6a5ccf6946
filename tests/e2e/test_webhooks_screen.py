"""A webhook by hand: added, tested, turned off by its receiver's own wish, resumed, and sent what it missed."""

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect
from standardwebhooks import Webhook as Verifier

from tests.e2e.browsing import OpenPage, objections_light_and_dark
from tests.receiver import receiving
from tests.running import RunningService, eventually


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    service = RunningService(
        tmp_path_factory.mktemp("webhooks") / "data",
        COMPUTE__RUNTIME="null",
        WEBHOOKS__HTTP="true",
        SAFETY__FETCH_NETWORKS=json.dumps(["127.0.0.1/32"]),
    )
    service.start()
    yield service
    service.end()


def test_a_webhook_is_added_tested_turned_off_and_resumed(service: RunningService, open_page: OpenPage) -> None:
    with receiving() as receiver:
        page = open_page(service.url, path="/account", calm=True)
        page.get_by_role("link", name="Open webhooks").click()
        page.get_by_role("button", name="Add a webhook").click()
        page.get_by_label("Address").fill(f"{receiver.url}/hook")
        page.get_by_label("What it is for").fill("my shop")
        page.get_by_role("button", name="Add it").click()
        secret = page.get_by_text("whsec_")
        expect(secret).to_be_visible()
        card = page.get_by_role("article", name="my shop")
        card.get_by_role("button", name="Send a test").click()
        expect(card.get_by_text("Arrived (200)")).to_be_visible()
        [ping] = receiver.got
        assert Verifier(secret.inner_text()).verify(ping.body, ping.headers)["type"] == "webhook.ping"

        receiver.answers["/hook"] = (410, {}, b"moved out")
        job = service.submit(prompt="a red house", width=64, height=64)
        notice = page.get_by_text("A webhook was turned off", exact=True).first
        expect(notice).to_be_visible()
        page.get_by_role("button", name="Close").last.click()
        expect(card.get_by_text("turned off")).to_be_visible()
        row = card.get_by_role("listitem", name="A job has ended")
        row.get_by_role("button", name="1 try").click()
        expect(row.get_by_text("moved out")).to_be_visible()
        expect(notice).to_have_count(0)  # while one is shown, its frame holds what takes the focus
        assert objections_light_and_dark(page) == []
        page.set_viewport_size({"width": 390, "height": 844})
        assert objections_light_and_dark(page) == []

        del receiver.answers["/hook"]
        card.get_by_role("button", name="Resume").click()
        card.get_by_role("button", name="Send again what failed (1)").click()
        expect(row.get_by_text("Arrived (200)")).to_be_visible()
        told = receiver.got[-1]
        assert Verifier(secret.inner_text()).verify(told.body, told.headers)["data"]["job"]["id"] == job["id"]
        assert told.id == receiver.got[-2].id, "it is the same event"

        card.get_by_role("button", name="Delete…").click()
        card.get_by_role("button", name="Delete it").click()
        expect(page.get_by_text("No webhooks yet")).to_be_visible()
        eventually(lambda: service.get("/api/v1/dispatches")["items"] == [], "its log goes with it")


def test_what_went_to_an_address_of_a_job_is_shown_and_sent_again(service: RunningService, open_page: OpenPage) -> None:
    with receiving() as receiver:
        receiver.answers["/own"] = (410, {}, b"moved out")
        service.submit(prompt="a red house", width=64, height=64, notify={"webhook_url": f"{receiver.url}/own"})
        page = open_page(service.url, path="/account/webhooks", calm=True)
        page.get_by_role("button", name="Log").click()
        row = page.get_by_role("listitem", name="A job has ended")
        expect(row.get_by_text("Given up (410)")).to_be_visible()
        expect(row.get_by_text(f"{receiver.url}/own", exact=True)).to_be_visible()
        row.get_by_role("button", name="1 try").click()
        expect(row.get_by_text("moved out")).to_be_visible()
        assert objections_light_and_dark(page) == []
        page.set_viewport_size({"width": 390, "height": 844})
        assert objections_light_and_dark(page) == []
        del receiver.answers["/own"]
        row.get_by_role("button", name="Send again").click()
        expect(row.get_by_text("Arrived (200)")).to_be_visible()
        assert [got.id for got in receiver.got] == [receiver.got[0].id] * 2, "it is the same event"
