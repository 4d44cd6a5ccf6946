"""Pictures that start from pictures, as a person makes them: brought, taken from the gallery, masked, enlarged."""

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import FilePayload, Locator, Page, expect

from tests.e2e.browsing import OpenPage, objections
from tests.running import RunningService

PASTE = """async bytes => {
  const transfer = new DataTransfer()
  transfer.items.add(new File([new Uint8Array(bytes)], 'pasted.png', { type: 'image/png' }))
  document.dispatchEvent(new ClipboardEvent('paste', { clipboardData: transfer, bubbles: true, cancelable: true }))
}"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    folder: Path = tmp_path_factory.mktemp("source")
    service = RunningService(folder / "data", COMPUTE__RUNTIME="null")
    service.start()
    yield service
    service.end()


def picture(width: int, height: int) -> bytes:
    out = io.BytesIO()
    Image.linear_gradient("L").resize((width, height)).convert("RGB").save(out, "PNG")
    return out.getvalue()


def bring(page: Page, width: int, height: int) -> None:
    file = FilePayload(name="house.png", mimeType="image/png", buffer=picture(width, height))
    page.get_by_label("Picture to start from").set_input_files(file)
    expect(page.get_by_role("img", name="The picture to start from")).to_be_visible()


def draw(page: Page, prompt: str) -> Locator:
    """Order, and the button that opens the finished picture."""
    page.get_by_role("textbox", name="Prompt", exact=True).first.fill(prompt)
    page.get_by_role("button", name=re.compile("^Generate")).click()
    opener = page.get_by_role("button", name=f"Open picture 1: {prompt}")
    expect(opener.get_by_role("img")).to_be_visible()
    return opener


def newest(service: RunningService) -> dict[str, Any]:
    recipe: dict[str, Any] = service.get("/api/v1/jobs?limit=1")["items"][0]["recipe"]
    return recipe


def size_in_form(page: Page) -> tuple[str, str]:
    return page.get_by_label("Width", exact=True).input_value(), page.get_by_label("Height", exact=True).input_value()


def test_a_picture_is_brought_drawn_from_taken_back_and_enlarged(service: RunningService, open_page: OpenPage) -> None:
    page = open_page(service.url)
    bring(page, 640, 320)
    expect(page.get_by_label("Width", exact=True)).to_have_value("360")
    assert size_in_form(page) == ("360", "184"), "the proportions of the picture, at the checkpoint's own size"
    expect(page.get_by_role("switch", name="Second pass")).to_have_count(0)
    page.get_by_role("spinbutton", name="Strength").fill("0.4")
    opener = draw(page, "a house in winter")
    first = newest(service)
    assert (first["kind"], first["options"]["denoising_strength"]) == ("image", 0.4)

    # Another picture is pasted over it, then the finished one is taken back with all it was made of.
    page.evaluate(PASTE, list(picture(64, 64)))
    expect(page.get_by_label("Width", exact=True)).to_have_value("256")
    page.get_by_role("spinbutton", name="Strength").fill("0.9")
    opener.click()
    viewer = page.get_by_role("dialog")
    expect(viewer).to_contain_text("Started from")
    viewer.get_by_role("button", name="Use these parameters").click()
    expect(page.get_by_role("spinbutton", name="Strength")).to_have_value("0.4")
    assert size_in_form(page) == ("360", "184")
    draw(page, "a house in winter, again")
    assert newest(service)["options"] == first["options"]

    # It becomes the start of the next one, by a key.
    page.get_by_role("button", name="Open picture 1: a house in winter, again").click()
    expect(viewer).to_be_visible()
    page.keyboard.press("i")
    expect(viewer).to_have_count(0)
    draw(page, "a house in spring")
    second = newest(service)
    assert second["kind"] == "image"
    assert second["options"]["input"] != first["options"]["input"]
    assert second["seed"] != first["seed"]

    page.get_by_role("button", name="Open picture 1: a house in spring").click()
    viewer.get_by_role("button", name="Upscale").click()
    page.get_by_role("button", name=re.compile(r"^2 ×")).click()
    expect(page.get_by_role("region", name="Result")).to_contain_text("upscaled with Lanczos")
    expect(page.get_by_role("button", name="Open picture 1: a house in spring").get_by_role("img")).to_be_visible()
    recipe = newest(service)
    assert (recipe["output_width"], recipe["output_height"]) == (720, 368)


@pytest.mark.parametrize(("width", "dark"), [(1440, False), (390, True)])
def test_a_mask_is_painted_by_hand_and_by_keys(
    service: RunningService, open_page: OpenPage, width: int, dark: bool
) -> None:
    page = open_page(service.url, width=width, dark=dark, calm=True)
    bring(page, 200, 100)
    page.get_by_role("button", name="Paint a mask").click()
    canvas = page.get_by_role("application", name="Mask over the picture")
    expect(canvas).to_be_focused()
    box = canvas.bounding_box()
    assert box is not None

    def stroke(share: float) -> None:
        """From top to bottom, this far from the left."""
        page.mouse.move(box["x"] + box["width"] * share, box["y"] + 2)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * share, box["y"] + box["height"] - 2, steps=8)
        page.mouse.up()

    stroke(0.25)
    stroke(0.75)
    page.keyboard.press("Control+z")
    # The brush is at three quarters, at the bottom: up by a fifth of the width, to about the middle, and a bit right.
    for key in ("Shift+ArrowUp", "Shift+ArrowUp", "ArrowRight", "Space"):
        page.keyboard.press(key)
    assert objections(page) == []
    page.get_by_role("button", name="Use mask").click()
    expect(page.get_by_role("button", name="Change mask")).to_be_visible()
    page.get_by_label("Only the masked part").click()
    page.get_by_role("spinbutton", name="Around it").fill("8")
    assert objections(page) == []
    draw(page, f"a door at {width}")
    recipe = newest(service)
    options = recipe["options"]
    assert (recipe["kind"], options["inpaint_full_res"], options["inpaint_full_res_padding"]) == ("inpaint", True, 8)
    assert (recipe["output_width"], recipe["output_height"]) == (200, 100), "the picture keeps its own size"
    answer = service.http.get(f"/api/v1/inputs/{options['mask']}/file")
    mask = Image.open(io.BytesIO(answer.content)).convert("L")
    assert mask.size == (200, 100)
    painted = {place: mask.getpixel(place) for place in [(50, 10), (50, 50), (50, 90), (150, 10), (100, 50), (190, 50)]}
    assert painted == {(50, 10): 255, (50, 50): 255, (50, 90): 255, (150, 10): 0, (100, 50): 0, (190, 50): 0}
    bright = mask.crop((120, 0, 200, 100)).getbbox()
    assert bright is not None, "the dab by keys is there"
    assert bright[2] - bright[0] < 30

    # What was painted is there to go on with; wiping it all takes the mask away.
    page.get_by_role("button", name="Change mask").click()
    page.get_by_role("button", name="Clear").click()
    page.get_by_role("button", name="No mask", exact=True).last.click()
    expect(page.get_by_role("button", name="Paint a mask")).to_be_visible()
    draw(page, f"no door at {width}")
    assert newest(service)["kind"] == "image"
