"""Signing in by hand: the owner is claimed, makes a key and uses it; and the screens shut nobody out."""

import re
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import expect

from tests.e2e.browsing import OpenPage, objections_light_and_dark
from tests.running import RunningService

PASSWORD = "correct horse battery"
EMAIL = "owner@example.org"

#: the administrator's screens -> what tells that they have their content
ADMIN = {
    "/admin/accounts": EMAIL,
    "/admin/invitations": "Nobody is invited at the moment.",
    "/admin/usage": "Nothing was drawn in this time.",
    "/usage": "Nothing was drawn for you in this time.",
    "/admin/log": "claimed the server",
}

#: screens before the door -> their headings
OUTSIDE = {
    "/sign-in": "Sign in",
    "/sign-up": "Sign up",
    "/forgot": "A new password",
    "/confirm?error=expired": "Confirm your address",
    "/reset?token=made-up": "Choose a new password",
    "/reset?new=1&token=made-up": "Choose a password",
    "/claim#made-up": "Make it yours",
}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """Where people must sign in, and the owner has been claimed by hand."""
    service = RunningService(
        tmp_path_factory.mktemp("accounts") / "data",
        COMPUTE__RUNTIME="null",
        API__AUTHENTICATION="true",
        AUTH__ARGON2_MEMORY_KIB=8,
        AUTH__ARGON2_ROUNDS=1,
    )
    service.start()
    yield service
    service.end()


def test_the_owner_moves_in_and_makes_a_key(service: RunningService, open_page: OpenPage) -> None:
    page = open_page(service.url, path="/gallery")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    [claim] = re.findall(r"(/claim#\S+)", service.log)
    page.goto(claim)
    page.get_by_label("E-mail address").fill(EMAIL)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Claim this server").click()
    expect(page.get_by_role("textbox", name="Prompt", exact=True)).to_be_visible()

    page.get_by_role("link", name="Account").click()
    expect(page.get_by_role("heading", name=EMAIL)).to_be_visible()
    page.get_by_label("Name", exact=True).fill("my script")
    page.get_by_role("button", name="Make a key").click()
    shown = page.get_by_text(re.compile(r"^sh_[\w-]{20,}$"))
    expect(shown).to_be_visible()
    headers = {"Authorization": f"Bearer {shown.inner_text()}"}
    me = httpx.get(f"{service.url}/api/v1/me", headers=headers, trust_env=False)
    assert me.json()["role"] == "owner"
    page.get_by_role("button", name="Revoke my script").click()
    expect(shown).to_be_hidden()
    assert httpx.get(f"{service.url}/api/v1/me", headers=headers, trust_env=False).status_code == 401


@pytest.mark.parametrize("width", [390, 1440])
def test_no_screen_shuts_anybody_out(service: RunningService, open_page: OpenPage, width: int) -> None:
    page = open_page(service.url, width=width, height=900, calm=True)
    findings: dict[str, object] = {}
    for path, heading in OUTSIDE.items():
        page.goto(path)
        expect(page.get_by_role("heading", name=heading, exact=True)).to_be_visible()
        if found := objections_light_and_dark(page):
            findings[path] = found
    page.goto("/sign-in?to=/account")
    page.get_by_label("E-mail address").fill(EMAIL)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name=EMAIL)).to_be_visible()
    page.get_by_role("button", name="Set them up").click()
    expect(page.get_by_role("img", name="QR code for the authenticator app")).to_be_visible()
    if found := objections_light_and_dark(page):
        findings["/account"] = found
    for path, shown in ADMIN.items():
        page.goto(path)
        expect(page.get_by_text(shown).first).to_be_visible()
        if found := objections_light_and_dark(page):
            findings[path] = found
    page.goto("/admin/accounts")
    page.get_by_role("button", name="Change").click()
    expect(page.get_by_role("dialog", name=EMAIL)).to_be_visible()
    if found := objections_light_and_dark(page):
        findings["an account"] = found
    assert findings == {}
