"""What we write into a file of a picture is what we read out of it, and what others write as well."""

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from stablehand.adapters.masks import by_alpha
from stablehand.adapters.reworded import reworded
from stablehand.adapters.sheets import cut, grid
from stablehand.adapters.written import read_written
from stablehand.domain.errors import BadPicture
from stablehand.domain.recipes import Format
from stablehand.runtimes.encode import encode

PICTURE = Image.new("RGB", (8, 8), "red")
FORMATS: list[Format] = ["png", "jpeg", "webp"]
AWKWARD = ['a "quoted", word: and\na line', "Häuschen 日本 🏠", "\\ \\n \t tab", "x" * 20_000]
words = st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=60)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("text", AWKWARD, ids=range(len(AWKWARD)))
def test_awkward_words_come_back(format: Format, text: str) -> None:
    assert read_written(encode(PICTURE, format, 80, text, {"prompt": text})).infotext == text


@settings(max_examples=40)
@given(words, st.sampled_from(FORMATS))
def test_any_words_come_back(text: str, format: Format) -> None:
    assert read_written(encode(PICTURE, format, 80, text)).infotext == text


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("text", AWKWARD, ids=range(len(AWKWARD)))
def test_other_words_leave_pixels_and_all_else_alone(format: Format, text: str) -> None:
    noisy = Image.effect_noise((31, 17), 60).convert("RGB")
    first = encode(noisy, format, 80, "its own: words", {"prompt": "of the recipe"})
    second = reworded(first, text, "made larger")
    assert read_written(second).infotext == text
    assert b"of the recipe" in second
    third = reworded(reworded(second, None, ""), text, "made larger")
    assert third == second, "what was said before leaves nothing behind"
    assert read_written(reworded(second, None, "")).infotext is None
    for data in (second, third):
        with Image.open(io.BytesIO(data)) as opened, Image.open(io.BytesIO(first)) as before:
            opened.verify()
            assert opened.size == before.size
        assert Image.open(io.BytesIO(data)).tobytes() == Image.open(io.BytesIO(first)).tobytes()
    assert read_written(second).items.get("postprocessing") == ("made larger" if format == "png" else None)


COMMENTS = [b"plain words", b"ASCII\0\0\0plain words", b"UNICODE\0" + "plain words".encode("utf-16-le")]


@pytest.mark.parametrize("raw", COMMENTS)
def test_comments_of_other_programs(raw: bytes) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9286] = raw
    out = io.BytesIO()
    PICTURE.save(out, "JPEG", exif=exif.tobytes())
    assert read_written(out.getvalue()).infotext == "plain words"


def test_other_texts_of_a_png_are_items_and_pixels_have_none() -> None:
    info = PngInfo()
    info.add_text("Software", "NovelAI")
    out = io.BytesIO()
    PICTURE.save(out, "PNG", pnginfo=info, dpi=(72, 72))
    written = read_written(out.getvalue())
    assert (written.infotext, written.items) == (None, {"Software": "NovelAI"})
    for data in (b"", b"no picture", out.getvalue()[:60]):
        with pytest.raises(BadPicture):
            read_written(data)


def test_a_mask_drawn_in_transparency() -> None:
    picture = Image.new("RGBA", (2, 1), (9, 9, 9, 255))
    picture.putpixel((1, 0), (9, 9, 9, 0))
    out = io.BytesIO()
    picture.save(out, "PNG")
    opaque = Image.open(io.BytesIO(by_alpha(out.getvalue(), clear_is_painted=False)))
    clear = Image.open(io.BytesIO(by_alpha(out.getvalue(), clear_is_painted=True)))
    assert (opaque.mode, opaque.tobytes(), clear.tobytes()) == ("L", b"\xff\0", b"\0\xff")
    solid = io.BytesIO()
    PICTURE.save(solid, "PNG")
    assert by_alpha(solid.getvalue(), clear_is_painted=False) == solid.getvalue(), "nothing of it is transparent"


@pytest.mark.parametrize("format", FORMATS)
def test_sheets_and_cuts_keep_the_words(format: Format) -> None:
    pictures = [encode(Image.new("RGB", (8, 8), color), format, 80, "words") for color in ("red", "green", "blue")]
    sheet = grid(pictures, (2, 2), format=format, quality=80, infotext="words")
    assert Image.open(io.BytesIO(sheet)).size == (16, 16)
    middle = cut(sheet, (10, 4), format=format, quality=80, infotext="words")
    assert Image.open(io.BytesIO(middle)).size == (10, 4)
    assert [read_written(data).infotext for data in (sheet, middle)] == ["words", "words"]
