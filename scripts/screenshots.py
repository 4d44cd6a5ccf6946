"""Takes the README's pictures of the page, from a running server: ``python -m scripts.screenshots [URL]``.

Orders a few pictures first, so use a data directory of its own.
"""

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from shutil import which
from typing import Literal

from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

IMAGES = Path(__file__).resolve().parent.parent / "docs" / "images"
#: Enough for a page of pictures on a machine that is busy with other things.
PATIENCE_MS = 600_000
#: The title while the last order is far enough to look at.
FORMING = re.compile(r"^[4-6]\d %")

PROMPTS = (
    "a green hot air balloon on the left at sunset in the snow, mountains",
    "a pine tree on an island in the sea by day, blue mountains, clouds",
    "a red castle on the right in the desert at sunset, sun",
    "a sailing boat with a yellow sail on the sea at dawn, clouds",
    "a red lighthouse in the middle of the sea at night",
    "a tree in a meadow at dawn, purple mountains, clouds",
    "a pine tree on the right on the beach by day, sun",
    "a blue hot air balloon on the left at sea at dawn, mountains",
)
LAST_PROMPT = "a pine tree in a meadow at sunset, purple mountains, clouds"

DESKTOP = (1440, 900)
PHONE = (390, 844)


def order(page: Page, prompt: str, count: int) -> None:
    page.get_by_role("textbox", name="Prompt", exact=True).fill(prompt)
    page.get_by_label("Pictures", exact=True).fill(str(count))
    page.get_by_label("Pictures", exact=True).press("Control+Enter")
    expect(page.get_by_role("region", name="Result").get_by_role("heading", name=prompt)).to_be_visible(
        timeout=PATIENCE_MS
    )


def fill(page: Page) -> None:
    """A gallery worth a look, and an order in the middle of forming."""
    for prompt in PROMPTS:
        order(page, prompt, 2)
    expect(page).to_have_title("Create · Stablehand", timeout=PATIENCE_MS)
    order(page, LAST_PROMPT, 4)
    expect(page).to_have_title(FORMING, timeout=PATIENCE_MS)
    page.evaluate("document.activeElement.blur()")


def done(page: Page) -> None:
    expect(page.get_by_text("Done, 4 pictures")).to_be_visible(timeout=PATIENCE_MS)


def to_gallery(page: Page) -> None:
    page.get_by_role("link", name="Gallery", exact=True).click()
    page.wait_for_timeout(1500)


def to_viewer(page: Page) -> None:
    to_gallery(page)
    page.get_by_role("button", name="Open: ").first.click()
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(1500)


@dataclass(frozen=True, slots=True)
class Shot:
    name: str
    size: tuple[int, int]
    scheme: Literal["light", "dark"]
    stage: Callable[[Page], None]  #: brings the page to what is to be seen


SHOTS = (
    Shot("create", DESKTOP, "light", fill),
    Shot("phone", PHONE, "light", done),
    Shot("gallery", DESKTOP, "dark", to_gallery),
    Shot("viewer", DESKTOP, "dark", to_viewer),
)


def take(browser: Browser, url: str, shot: Shot) -> None:
    width, height = shot.size
    page = browser.new_page(
        viewport={"width": width, "height": height},
        color_scheme=shot.scheme,
        device_scale_factor=2 if shot.size == PHONE else 1,
        is_mobile=shot.size == PHONE,
    )
    page.goto(url)
    shot.stage(page)
    page.wait_for_timeout(1000)
    target = IMAGES / f"{shot.name}.png"
    page.screenshot(path=target)
    page.close()
    # A palette keeps each file well under 300 KB.
    with Image.open(target) as picture:
        picture.convert("RGB").quantize(256, kmeans=2).save(target, optimize=True)


def main() -> int:
    url = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:7868"
    IMAGES.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        chromium = which("chromium") or which("google-chrome")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for shot in SHOTS:
            take(browser, url, shot)
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
