"""Draws the picture of what can be made from a picture, by a running server: ``python -m scripts.from_a_picture``."""

import io
import sys
from pathlib import Path
from typing import Any

import httpx
from PIL import Image, ImageDraw, ImageFont

SHEET = Path(__file__).resolve().parent.parent / "docs" / "images" / "from-a-picture.webp"
WORDS = "a red castle on the right in a meadow at sunset"
WINTER = "a red castle on the right in the snow in a storm"
SUN = "a red castle on the right in a meadow at sunset, the sun"
SEED = 4
MASK_BOX = (24, 20, 124, 120)
#: pixels: of a picture on the sheet, between pictures, and above each for its label
SIDE, MARGIN, LABEL = 224, 8, 18
ACROSS = 4


class Drawing:
    """Orders of one picture each, waited for."""

    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=f"{url}/api/v1", timeout=90.0)

    def order(self, **fields: Any) -> tuple[str, Image.Image]:
        """The id of the image that was drawn, and its pixels. Raises RuntimeError when there is none."""
        job = self._sent(self._http.post("/jobs", json=fields))
        while not job["images"] and job["state"] in ("queued", "running"):
            job = self._sent(self._http.get(f"/jobs/{job['id']}", params={"wait": 60}))
        if not job["images"]:
            raise RuntimeError(f"no picture came of {fields}: {job['state']}")
        image_id = job["images"][0]["id"]
        answer = self._http.get(f"/images/{image_id}/file", follow_redirects=True).raise_for_status()
        return image_id, Image.open(io.BytesIO(answer.content)).convert("RGB")

    def bring(self, picture: Image.Image) -> str:
        """The id of this picture as an input."""
        data = io.BytesIO()
        picture.save(data, "PNG")
        return str(self._sent(self._http.post("/inputs", files={"file": ("mask.png", data.getvalue())}))["id"])

    @staticmethod
    def _sent(answer: httpx.Response) -> Any:
        if answer.is_error:
            raise RuntimeError(f"{answer.status_code}: {answer.text}")
        return answer.json()


def drawn(drawing: Drawing) -> list[tuple[str, Image.Image]]:
    """Label and picture of each place on the sheet."""
    house, first = drawing.order(prompt=WORDS, seed=SEED)
    mask = Image.new("L", first.size)
    ImageDraw.Draw(mask).ellipse(MASK_BOX, fill=255)
    masked = drawing.bring(mask)
    seen = Image.composite(Image.blend(first, Image.new("RGB", first.size, "white"), 0.6), first, mask)
    inpaint = {
        "kind": "inpaint",
        "input": house,
        "mask": masked,
        "prompt": SUN,
        "denoising_strength": 0.95,
        "seed": SEED,
    }
    again = {"prompt": "a sailing boat with a white sail on the left at sea at dawn, mountains", "seed": SEED}
    hires = {"enable_hr": True, "hr_scale": 1.5, "width": 256, "height": 256}
    return [
        ("the picture", first),
        *(
            (
                f"in winter, strength {strength:g}",
                drawing.order(kind="image", input=house, prompt=WINTER, denoising_strength=strength, seed=SEED)[1],
            )
            for strength in (0.4, 0.7, 1)
        ),
        ("its mask, in white", seen),
        ("inpaint: the sun", drawing.order(**inpaint)[1]),
        ("only masked, padding 96", drawing.order(**inpaint, inpaint_full_res=True, inpaint_full_res_padding=96)[1]),
        ("the mask inverted", drawing.order(**inpaint | {"prompt": WINTER}, inpainting_mask_invert=1)[1]),
        ("another picture", drawing.order(**again)[1]),
        (
            "hires to 1.5 times, Latent, 0.6",
            drawing.order(**again, **hires, hr_upscaler="Latent", denoising_strength=0.6)[1],
        ),
        (
            "hires to 1.5 times, Lanczos, 0.4",
            drawing.order(**again, **hires, hr_upscaler="Lanczos", denoising_strength=0.4)[1],
        ),
        (
            "upscale to twice, postcard-2x",
            drawing.order(kind="upscale", prompt="", input=house, scale=2, upscaler="postcard-2x")[1],
        ),
    ]


def main() -> int:
    drawing = Drawing(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:7868")
    places = drawn(drawing)
    rows = -(-len(places) // ACROSS)
    sheet = Image.new("RGB", (MARGIN + ACROSS * (SIDE + MARGIN), MARGIN + rows * (SIDE + LABEL + MARGIN)), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for number, (label, picture) in enumerate(places):
        left = MARGIN + number % ACROSS * (SIDE + MARGIN)
        top = MARGIN + number // ACROSS * (SIDE + LABEL + MARGIN)
        pen.text((left, top), label, fill="black", font=font)
        sheet.paste(picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS), (left, top + LABEL))
    sheet.save(SHEET, quality=88, method=6)
    return 0


if __name__ == "__main__":
    sys.exit(main())
