"""Agents and dead letters, as whoever runs the service sees them: decided about, tried again, discarded."""

from playwright.sync_api import expect

from stablehand.store import DATABASE_NAME
from tests.e2e.browsing import OpenPage, objections
from tests.running import ServiceFactory
from tests.store.house import migrated_database

#: more than the database and its log need, less than the picture
LARGEST_FILE_BYTES = 1_200_000


def test_an_agent_is_drained_and_a_dead_letter_is_dealt_with(make_service: ServiceFactory, open_page: OpenPage) -> None:
    service = make_service(COMPUTE__RUNTIME="null")
    service.data_dir.mkdir()
    (service.data_dir / DATABASE_NAME).write_bytes(migrated_database())  # made before files become short
    service.start(file_size_limit=LARGEST_FILE_BYTES)
    job = service.submit(prompt="too large to keep", width=1024, height=1024, format="png", steps=1)
    assert service.finished(job["id"])["state"] == "failed"

    page = open_page(service.url, path="/agents", width=390, calm=True)
    letter = page.get_by_role("article", name="too large to keep")
    expect(letter).to_contain_text("The disk that holds the pictures is full.")
    letter.get_by_role("button", name="Attempts").click()
    expect(letter).to_contain_text("storage_full")

    agent = page.get_by_role("article", name="Agent local")
    expect(agent).to_contain_text("Ready")
    agent.get_by_role("button", name="Drain").click()
    page.get_by_role("textbox", name="Reason").fill("New cables.")
    page.get_by_role("button", name="Drain local").click()
    expect(agent).to_contain_text("Drained")
    expect(agent).to_contain_text("New cables.")
    assert objections(page) == []
    page.emulate_media(color_scheme="dark")
    expect(page.locator("html.dark")).to_have_count(1)
    assert objections(page) == []

    letter.get_by_role("button", name="Try again").click()
    expect(letter).to_have_count(0)
    waiting = service.get("/api/v1/jobs?state=active")["items"]
    assert [job["recipe"]["prompt"] for job in waiting] == ["too large to keep"]
    agent.get_by_role("button", name="Resume").click()
    expect(agent).to_contain_text("Ready")
    expect(letter).to_be_visible()
    letter.get_by_role("button", name="Discard").click()
    expect(letter).to_have_count(0)
    assert service.get("/api/v1/admin/dead-letters")["items"] == []
