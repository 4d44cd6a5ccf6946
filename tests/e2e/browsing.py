"""How the suite starts its browser, what its page fixture looks like, and what shuts people out of a page."""

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

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

_AXE = Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"


def objections(page: Page) -> list[object]:
    """What axe-core has against the page as it stands, and whether it scrolls sideways."""
    page.evaluate(_AXE.read_text())  # by evaluation: the page's own policy lets no foreign script in
    found: list[object] = page.evaluate(
        "async () => (await axe.run(document)).violations.map(found => "
        "[found.id, found.help, ...found.nodes.map(node => node.target.join(' ') + ' ' + node.failureSummary)])"
    )
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert page.viewport_size is not None
    return [*found, f"scrolls sideways: {wide} px"] if wide > page.viewport_size["width"] else found


def objections_light_and_dark(page: Page) -> list[object]:
    """The same of a page that was opened light, then dark, without loading it anew. It had better stand calm."""
    found = objections(page)
    page.emulate_media(color_scheme="dark")
    expect(page.locator("html.dark")).to_have_count(1)
    found += [["dark", one] for one in objections(page)]
    page.emulate_media(color_scheme="light")
    expect(page.locator("html.dark")).to_have_count(0)
    return found
