"""Files that say how they were drawn, in every format."""

import io
import json
import zlib
from typing import Any

import pytest
from PIL import Image as Pictures

from stablehand.runtimes.encode import encode
from tests.engine.drawing import make_recipe

PICTURE = Pictures.effect_noise((64, 48), 60).convert("RGB")
INFOTEXTS = {
    "latin": "a café\nNegative prompt: fog\nSteps: 20, Sampler: Euler a, Seed: 1, Size: 64x48",
    "japanese": "赤い家 🏠\nSteps: 20, Sampler: Euler, Seed: 1, Size: 64x48",
    "long": "x" * 10_000 + "\nNegative prompt: " + "ж" * 10_000 + "\nSteps: 20, Sampler: Euler, Size: 64x48",
}


def read(data: bytes) -> tuple[str, dict[str, Any] | None]:
    """What any reader finds: the infotext and the recipe."""
    picture: Any = Pictures.open(io.BytesIO(data))
    picture.load()
    if picture.format == "PNG":
        recipe = picture.text.get("stablehand")
        return picture.text["parameters"], json.loads(recipe) if recipe else None
    exif = picture.getexif()
    comment = exif.get_ifd(0x8769)[0x9286]
    assert comment.startswith(b"UNICODE\0")
    described = exif.get(0x010E)
    return comment[8:].decode("utf-16-be"), json.loads(described) if described else None


@pytest.mark.parametrize("infotext", INFOTEXTS.values(), ids=INFOTEXTS)
@pytest.mark.parametrize("format", ["png", "webp", "jpeg"])
def test_infotext_and_recipe_come_back(format: Any, infotext: str) -> None:
    recipe = make_recipe(prompt="赤い家", width=64, height=48).as_dict()
    data = encode(PICTURE, format, 90, infotext, recipe)
    picture = Pictures.open(io.BytesIO(data))
    assert (picture.format, picture.size) == (format.upper(), (64, 48))
    assert read(data) == (infotext, recipe)


@pytest.mark.parametrize("format", ["png", "webp", "jpeg"])
def test_a_recipe_is_optional(format: Any) -> None:
    assert read(encode(PICTURE, format, 90, "x\nSteps: 1")) == ("x\nSteps: 1", None)


def test_png_is_lossless_and_uses_the_chunk_that_readers_expect() -> None:
    latin = encode(PICTURE, "png", 1, INFOTEXTS["latin"])
    assert b"tEXtparameters\0" in latin
    assert b"iTXtparameters\0" in encode(PICTURE, "png", 1, INFOTEXTS["japanese"])
    assert list(Pictures.open(io.BytesIO(latin)).tobytes()) == list(PICTURE.tobytes())


def test_quality_matters() -> None:
    for format in ("webp", "jpeg"):
        assert len(encode(PICTURE, format, 20, "")) < len(encode(PICTURE, format, 95, ""))


def test_what_jpeg_cannot_hold_is_left_out_in_order() -> None:
    recipe = make_recipe(prompt="🏠" * 10_000).as_dict()
    infotext = "🏠" * 10_000 + "\nSteps: 20"
    assert read(encode(PICTURE, "jpeg", 90, infotext, recipe)) == (infotext, None)
    endless = "🏠" * 20_000
    cut, _ = read(encode(PICTURE, "jpeg", 90, endless, recipe))
    assert len(cut) > 16_000
    assert endless.startswith(cut)
    assert read(encode(PICTURE, "webp", 90, endless, recipe)) == (endless, recipe)


def test_equal_input_gives_equal_bytes() -> None:
    for format in ("png", "webp", "jpeg"):
        checksums = {zlib.crc32(encode(PICTURE, format, 90, "x")) for _ in range(2)}
        assert len(checksums) == 1
