"""Pictures by mail: ordered on the page, the browser closed, found in a letter that came over SMTP; and its links."""

import base64
import email
import email.policy
import io
import os
import re
import signal
import ssl
import zipfile
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest
from aiosmtpd.controller import Controller
from PIL import Image as PillowImage
from playwright.sync_api import Browser, expect

from tests.api.site import write_checkpoint
from tests.certificates import own_certificate
from tests.e2e.browsing import OpenPage, objections
from tests.running import RunningService, eventually, free_port

SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
ADA, PASSWORD = "ada@example.org", "correct horse battery"


class Mailbox:
    """What a mail server got."""

    def __init__(self) -> None:
        self.letters: list[EmailMessage] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        assert session.ssl is not None, "nothing is said in the open"
        self.letters.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
        return "250 OK"

    def about(self, subject: str) -> list[EmailMessage]:
        return [letter for letter in self.letters if letter["Subject"].startswith(subject)]

    def wait_for(self, subject: str) -> EmailMessage:
        eventually(lambda: bool(self.about(subject)), f"the letter “{subject}” is there")
        [letter] = self.about(subject)
        return letter


@pytest.fixture
def mailbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Mailbox, int]]:
    """A mail server that wants STARTTLS, with a certificate that the service trusts; and its port."""
    certificate, key = own_certificate(tmp_path, "localhost")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    mailbox = Mailbox()
    controller = Controller(mailbox, hostname="localhost", port=free_port(), tls_context=context, require_starttls=True)
    controller.start()
    yield mailbox, controller.port
    controller.stop()


@pytest.fixture
def service(tmp_path: Path, mailbox: tuple[Mailbox, int]) -> Iterator[RunningService]:
    write_checkpoint(tmp_path / "data" / "models" / "checkpoints" / "tiny")
    service = RunningService(
        tmp_path / "data",
        COMPUTE__RUNTIME="null",
        COMPUTE__NULL_SECONDS_PER_STEP=0.02,
        MODELS__DEFAULT_MODEL="tiny",
        API__AUTHENTICATION="true",
        AUTH__SIGN_UP="open",
        AUTH__ARGON2_MEMORY_KIB=8,
        AUTH__ARGON2_ROUNDS=1,
        MAIL__SENDER="studio@example.org",
        MAIL__SMTP_HOST="localhost",
        MAIL__SMTP_PORT=mailbox[1],
    )
    service.start(API__PUBLIC_URL=service.url)
    yield service
    service.end()


def plain(letter: EmailMessage) -> str:
    body = letter.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def as_shown(letter: EmailMessage) -> str:
    """Its HTML with the pictures that came along, as a mail program puts them in."""
    body = letter.get_body(("html",))
    assert body is not None
    html = str(body.get_content())
    for part in letter.walk():
        if part["Content-ID"]:
            data = base64.b64encode(part.get_content()).decode()
            html = html.replace(
                f'"cid:{part["Content-ID"].strip("<>")}"', f'"data:{part.get_content_type()};base64,{data}"'
            )
    assert "cid:" not in html, "each picture that it shows is there"
    return html


def sign_up(service: RunningService, mailbox: Mailbox) -> None:
    api = httpx.Client(base_url=f"{service.url}/api/v1", trust_env=False)
    api.get("/auth/door")
    assert api.post("/auth/register", json={"email": ADA}).status_code == 200
    [token] = re.findall(r"token=(\S+)", plain(mailbox.wait_for("Confirm your address")))
    chosen = {"password": PASSWORD, "password_confirm": PASSWORD}
    assert api.post(f"/auth/reset/{token}", json=chosen).status_code == 200


def look_at(browser: Browser, html: str, width: int, scheme: Literal["light", "dark"]) -> None:
    """As a mail program shows it: it has its pictures, asks nobody for anything, and shuts nobody out."""
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    shown = context.new_page()
    shown.set_content(html)
    expect(shown.get_by_role("heading", name="Your 4 pictures are ready")).to_be_visible()
    assert shown.get_by_role("img", name=re.compile("^Picture . of 4: a red house")).count() == 4
    drawn = "Array.from(document.images).every(one => one.naturalWidth > 0 && one.clientWidth > 100)"
    assert shown.evaluate(drawn), "its pictures are seen"
    assert [address for address in asked if not address.startswith("data:")] == []
    assert objections(shown) == [], (width, scheme)
    context.close()


def test_four_pictures_are_ordered_the_browser_is_closed_and_a_letter_brings_them(
    service: RunningService, mailbox: tuple[Mailbox, int], open_page: OpenPage, browser: Browser
) -> None:
    box, _ = mailbox
    sign_up(service, box)
    page = open_page(service.url, path="/sign-in", calm=True)
    page.get_by_label("E-mail address").fill(ADA)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("textbox", name="Prompt", exact=True).fill("a red house by the sea")
    page.get_by_label("Pictures", exact=True).fill("4")
    expect(page.get_by_role("switch", name="E-mail me when done")).to_be_checked()
    assert objections(page) == []
    agent = service.agent_pid()
    assert agent is not None
    os.kill(agent, signal.SIGSTOP)  # nothing is drawn while somebody looks
    page.get_by_role("button", name="Generate").click()
    told = page.get_by_text(f"Your 4 pictures come by e-mail to {ADA}, ")
    expect(told).to_be_visible()
    page.context.close()
    os.kill(agent, signal.SIGCONT)

    letter = box.wait_for("Your 4 pictures are ready: a red house by the sea")
    assert letter["To"] == ADA
    assert letter["From"] == "Stablehand <studio@example.org>"
    assert len(list(letter.iter_attachments())) == 4
    html = as_shown(letter)
    for width in (600, 390):
        for scheme in SCHEMES:
            look_at(browser, html, width, scheme)

    stranger = httpx.Client(trust_env=False)
    links = re.findall(r"Picture \d: (\S+)", plain(letter))
    assert len(links) == 4
    for link in links:
        answer = stranger.get(link)
        assert answer.headers["content-type"] == "image/webp"
        PillowImage.open(io.BytesIO(answer.content)).load()
    [packed] = re.findall(r"http\S+/zip\b", plain(letter))
    assert len(zipfile.ZipFile(io.BytesIO(stranger.get(packed).content)).namelist()) == 4
    assert stranger.get(re.findall(r"http\S+/shared/\S+", plain(letter))[0]).status_code == 200

    stop = letter["List-Unsubscribe"].strip("<>")
    assert "Unsubscribe" in stranger.get(stop).text
    again = open_page(service.url, path="/sign-in?to=/account", calm=True)
    again.get_by_label("E-mail address").fill(ADA)
    again.get_by_label("Password", exact=True).fill(PASSWORD)
    again.get_by_role("button", name="Sign in").click()
    results = again.get_by_role("switch", name="Pictures that are ready")
    expect(results).to_be_checked()  # looking at the link changes nothing
    assert stranger.post(stop, data={"List-Unsubscribe": "One-Click"}).status_code == 200
    again.reload()
    expect(results).not_to_be_checked()
    assert objections(again) == []
    results.click()
    expect(results).to_be_checked()
