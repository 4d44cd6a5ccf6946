"""A headless Chromium for the suite, and a watched page for each test: errors and strange hosts fail it."""

import os
import shutil
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from tests.e2e.browsing import BROWSER_ARGUMENTS, OpenPage


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = os.environ.get("STABLEHAND_CHROMIUM") or shutil.which("chromium")
    expect.set_options(timeout=60_000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(BROWSER_ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[OpenPage]:
    """Open a page on a service's address. At the end of the test it must not have complained or asked another host."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []
    strangers: list[str] = []

    def open_page(
        url: str, *, width: int = 1440, height: int = 900, dark: bool = False, calm: bool = False, path: str = "/"
    ) -> Page:
        context = browser.new_context(
            base_url=url,
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce" if calm else "no-preference",
        )
        contexts.append(context)
        own = urlsplit(url).netloc

        def look(address: str) -> None:
            parts = urlsplit(address)
            if parts.scheme not in ("data", "blob") and parts.netloc != own:
                strangers.append(address)

        def hear(message: ConsoleMessage) -> None:
            if message.type == "error":
                complaints.append(f"{message.text} ({message.location['url']})")

        context.on("request", lambda request: look(request.url))
        context.on("console", hear)
        context.on("weberror", lambda error: complaints.append(f"uncaught: {error.error}"))
        page = context.new_page()
        page.on("websocket", lambda socket: look(socket.url))
        page.goto(path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not strangers, "requests to other hosts"
    assert not complaints, "errors on the page's console"
