"""How the suite starts its browser, and what its page fixture looks like."""

from collections.abc import Callable

from playwright.sync_api import Page

BROWSER_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

#: open_page(url, *, width, height, dark, calm, path) -> a watched page
OpenPage = Callable[..., Page]
