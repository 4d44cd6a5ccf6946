"""The README's way from one person to a team, gone as it stands there: with its settings and its very commands."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.e2e.browsing import OpenPage
from tests.running import RunningService, eventually

PASSWORD = "correct horse battery"
ADA = "ada@example.org"

README = (Path(__file__).parents[2] / "README.md").read_text()
TEAM = README.partition("## Set up a team")[2].partition("\n## ")[0]
[SETTINGS] = re.findall(r"```yaml\n(.*?)```", TEAM, re.DOTALL)
COMMANDS = re.findall(r"\$ (curl (?:[^\n]*\\\n)*[^\n]*)", TEAM)


def curl(command: str, service: RunningService, **words: str) -> httpx.Response:
    """What this line of the README sends."""
    for name, value in words.items():
        command = command.replace(f"${name}", value)
    parts = iter(shlex.split(command.replace("http://127.0.0.1:7868", service.url).replace("\\\n", " "))[1:])
    sent: dict[str, Any] = {"headers": {}}
    for part in parts:
        match part:
            case "-s":
                continue
            case "-H":
                name, _, value = next(parts).partition(": ")
                sent["headers"][name] = value
            case "-d":
                sent["content"] = next(parts)
            case "-o":
                next(parts)
            case _:
                sent["url"] = part
    method = "POST" if "content" in sent else "GET"
    return httpx.request(method, timeout=70.0, trust_env=False, **sent)


def link_in_letter(service: RunningService, subject: str) -> str:
    """The path in the letter to Ada with this subject."""

    def letters() -> list[str]:
        texts = [file.read_text() for file in (service.data_dir / "mail").glob("*.eml")]
        return [text for text in texts if f"To: {ADA}" in text and f"Subject: {subject}" in text]

    eventually(lambda: bool(letters()), f"the letter “{subject}” is there")
    unfolded = letters()[0].replace("=\n", "").replace("=3D", "=")
    return str(re.findall(r"http://127\.0\.0\.1:\d+(/\S+)", unfolded)[-1])


def fill(page: Page, email: str) -> None:
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[RunningService]:
    """With the README's settings, and passwords that are hashed quickly."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "stablehand.yaml").write_text(SETTINGS)
    service = RunningService(data, COMPUTE__RUNTIME="null", AUTH__ARGON2_MEMORY_KIB=8, AUTH__ARGON2_ROUNDS=1)
    service.start()
    yield service
    service.end()


def test_from_the_readme_to_a_team(service: RunningService, open_page: OpenPage) -> None:
    owner = open_page(service.url, path=re.findall(r"(/claim#\S+)", service.log)[0])
    fill(owner, "owner@example.org")
    owner.get_by_role("button", name="Claim this server").click()
    owner.get_by_role("link", name="Admin").click()
    owner.get_by_role("link", name="Invitations").click()
    owner.get_by_label("E-mail address").fill(ADA)
    owner.get_by_role("button", name="Invite", exact=True).click()
    expect(owner.get_by_text("A letter is on its way")).to_be_visible()

    ada = open_page(service.url, path=link_in_letter(service, "You are invited"))
    ada.get_by_label("E-mail address").fill(ADA)
    ada.get_by_role("button", name="Sign up").click()
    ada.goto(link_in_letter(service, "Confirm your address"))
    ada.get_by_label("Password", exact=True).fill(PASSWORD)
    ada.get_by_role("button", name="Set the password").click()
    fill(ada, ADA)
    ada.get_by_role("button", name="Sign in").click()
    ada.get_by_role("link", name="Account").click()
    expect(ada.get_by_role("link", name="Admin")).to_be_hidden()
    ada.get_by_label("Name", exact=True).fill("my script")
    ada.get_by_role("button", name="Make a key").click()
    key = ada.get_by_text(re.compile(r"^sh_[\w-]{20,}$")).inner_text()

    order, look, fetch = COMMANDS
    job = curl(order, service, KEY=key)
    assert job.status_code == 202, job.text
    done = curl(look, service, KEY=key, ID=job.json()["id"]).json()
    assert done["state"] == "succeeded"
    picture = curl(fetch, service, KEY=key, IMAGE=done["shots"][0]["image_id"])
    assert picture.headers["content-type"] == "image/webp"

    refused = curl(order, service, KEY=key)
    error = refused.json()["error"]
    assert (refused.status_code, error["code"]) == (429, "quota_spent")
    limit = error["limit"]
    assert (limit["name"], limit["most"], limit["used"], limit["asked"]) == ("pictures_a_day", 3, 2, 2)
    assert "try again from" in error["hint"]
    ada.get_by_role("link", name="Queue").click()
    expect(ada.get_by_text(re.compile("1 of 3 pictures left today"))).to_be_visible()
    owner.get_by_role("link", name="Usage", exact=True).click()
    expect(owner.get_by_role("row", name=re.compile(ADA))).to_contain_text("2")
