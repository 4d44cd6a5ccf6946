"""Pictures that come from outside: checked by decoding them, with limits set before a byte is unpacked."""

import io
import warnings
from dataclasses import dataclass, field

from PIL import Image as PillowImage
from PIL import UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from stablehand.domain.errors import BadPicture
from stablehand.domain.recipes import Format

MAX_BYTES = 64 * 2**20
MAX_PIXELS = 8192 * 4096
MAX_SIDE = 8192
THUMBNAIL_QUALITY = 80
SMALL_QUALITY = 84
#: of a blurred picture, one pixel is left of a square of so many a side
BLUR_SIDES = 64

_FORMATS: dict[str, Format] = {"PNG": "png", "WEBP": "webp", "JPEG": "jpeg"}

#: What Pillow raises for bytes that it cannot make sense of (SyntaxError: a broken PNG).
_DAMAGED = (UnidentifiedImageError, OSError, ValueError, SyntaxError, KeyError, EOFError)


@dataclass(frozen=True, slots=True)
class Inspected:
    format: Format
    width: int
    height: int
    thumbnail: bytes  #: WebP without metadata


def inspect(data: bytes, *, thumbnail_side: int) -> Inspected:
    """Decode a PNG, WebP or JPEG of one frame and shrink it into a square of ``thumbnail_side`` pixels.

    Raises:
        BadPicture: not such a picture, damaged, or too large.
    """
    hint = "Upload one whole PNG, WebP or JPEG picture."
    if len(data) > MAX_BYTES:
        raise BadPicture(f"The picture has more than {MAX_BYTES} bytes.", hint=hint)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", PillowImage.DecompressionBombWarning)
            with PillowImage.open(io.BytesIO(data), formats=tuple(_FORMATS)) as picture:
                width, height = picture.size
                if max(width, height) > MAX_SIDE or width * height > MAX_PIXELS or getattr(picture, "n_frames", 1) != 1:
                    raise BadPicture("The picture is too large, or has several frames.", hint=hint)
                kind = _FORMATS[picture.format or ""]
                picture.load()
                small = picture.convert("RGB")
    except (
        UnidentifiedImageError,
        OSError,
        ValueError,
        SyntaxError,
        KeyError,
        PillowImage.DecompressionBombError,
    ) as error:
        raise BadPicture("The bytes are not a whole picture.", hint=hint) from error
    except PillowImage.DecompressionBombWarning as error:
        raise BadPicture("The picture is too large.", hint=hint) from error
    small.thumbnail((thumbnail_side, thumbnail_side), PillowImage.Resampling.LANCZOS)
    out = io.BytesIO()
    small.save(out, "WEBP", quality=THUMBNAIL_QUALITY, method=4)
    return Inspected(kind, width, height, out.getvalue())


@dataclass(frozen=True, slots=True)
class Small:
    """A picture made smaller: a JPEG, which every mail program shows."""

    data: bytes = field(repr=False)
    width: int
    height: int


def shrink(data: bytes, *, width: int, height: int) -> Small:
    """A stored picture made to fit into so many pixels; never larger than it is. Raises BadPicture."""
    try:
        with PillowImage.open(io.BytesIO(data), formats=tuple(_FORMATS)) as picture:
            small = picture.convert("RGB")
    except _DAMAGED as error:
        raise BadPicture("The stored bytes are not a whole picture.") from error
    small.thumbnail((width, height), PillowImage.Resampling.LANCZOS)
    out = io.BytesIO()
    small.save(out, "JPEG", quality=SMALL_QUALITY, optimize=True, progressive=True)
    return Small(out.getvalue(), small.width, small.height)


def blur(data: bytes, *, quality: int) -> bytes:
    """The same file, in format, size and what it says of itself, with nothing left to recognise. ``quality``: 1–100."""
    with PillowImage.open(io.BytesIO(data), formats=tuple(_FORMATS)) as picture:
        kind, said = picture.format or "", picture.info
        texts = PngInfo()
        for name, text in getattr(picture, "text", {}).items():
            texts.add_text(name, text)
        few = max(1, picture.width // BLUR_SIDES), max(1, picture.height // BLUR_SIDES)
        # Few pixels hold little; a filter over many could be undone in part.
        blurred = picture.convert("RGB").resize(few, PillowImage.Resampling.BOX)
        blurred = blurred.resize(picture.size, PillowImage.Resampling.BICUBIC)
    out = io.BytesIO()
    if kind == "PNG":
        blurred.save(out, kind, pnginfo=texts)
    else:
        blurred.save(out, kind, quality=quality, exif=said.get("exif", b""))
    return out.getvalue()
