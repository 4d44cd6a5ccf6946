"""Pictures that people bring: looked at before they are unpacked, then written anew with nothing in them but pixels."""

import hashlib
import io
import threading
import warnings
from dataclasses import dataclass

import numpy as np
from PIL import Image as PillowImage
from PIL import ImageOps

from stablehand.domain.errors import BadPicture, PictureTooLarge
from stablehand.domain.inputs import INPUT_MAX_BYTES as MAX_BYTES
from stablehand.domain.inputs import INPUT_MAX_PIXELS as MAX_PIXELS
from stablehand.domain.inputs import INPUT_MAX_SIDE as MAX_SIDE

#: What a file begins with, whatever its name or Content-Type says.
_SIGNATURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF")
_FORMATS = ("PNG", "JPEG", "WEBP")
#: Quick rather than small: an input lives for a day.
_PNG_EFFORT = 3
_HINT = "Send one whole PNG, JPEG or WebP picture of one frame."

#: Unpacked pictures are large: so many at a time, whoever sends them.
_unpacking = threading.BoundedSemaphore(2)


@dataclass(frozen=True, slots=True)
class Cleaned:
    """A PNG without metadata, upright."""

    data: bytes
    sha256: str
    width: int
    height: int


def clean(data: bytes) -> Cleaned:
    """Unpack a picture within limits and write it anew.

    Raises:
        PictureTooLarge: too many bytes or pixels. BadPicture: no PNG, JPEG or WebP, damaged, or of several frames.
    """
    if len(data) > MAX_BYTES:
        raise PictureTooLarge(f"The picture has more than {MAX_BYTES // 2**20} MiB.", hint="Send a smaller one.")
    if not data.startswith(_SIGNATURES):
        raise BadPicture("The bytes are not a PNG, JPEG or WebP picture.", hint=_HINT)
    try:
        with _unpacking, warnings.catch_warnings():
            warnings.simplefilter("ignore", PillowImage.DecompressionBombWarning)  # our own limits are lower
            return _cleaned(data)
    except (OSError, ValueError, SyntaxError, KeyError, EOFError, IndexError, OverflowError, TypeError) as error:
        raise BadPicture("The bytes are not a whole picture.", hint=_HINT) from error
    except PillowImage.DecompressionBombError as error:
        raise _too_large() from error


def _cleaned(data: bytes) -> Cleaned:
    with PillowImage.open(io.BytesIO(data), formats=_FORMATS) as file:
        width, height = file.size
        if max(width, height) > MAX_SIDE or width * height > MAX_PIXELS:
            raise _too_large()
        if getattr(file, "n_frames", 1) != 1:
            raise BadPicture("The picture has several frames.", hint=_HINT)
        file.load()
        upright = _of_bytes(ImageOps.exif_transpose(file))
    plain = upright.convert(_mode_of(upright))
    # Whatever else the file carried stays behind: only pixels are copied.
    bare = PillowImage.frombytes(plain.mode, plain.size, plain.tobytes())
    out = io.BytesIO()
    bare.save(out, "PNG", compress_level=_PNG_EFFORT)
    written = out.getvalue()
    return Cleaned(written, hashlib.sha256(written).hexdigest(), *bare.size)


def _of_bytes(picture: PillowImage.Image) -> PillowImage.Image:
    """Greys of two bytes (scans, depths) scaled to one; Pillow's own conversion would make nearly all of them white."""
    if not picture.mode.startswith("I"):
        return picture
    return PillowImage.fromarray((np.asarray(picture, np.float32) / 257).round().clip(0, 255).astype(np.uint8))


def _mode_of(picture: PillowImage.Image) -> str:
    if picture.has_transparency_data:
        return "RGBA"
    return "L" if picture.mode in ("1", "L") else "RGB"


def _too_large() -> PictureTooLarge:
    return PictureTooLarge(
        f"The picture is larger than {MAX_PIXELS // 2**20} megapixels or {MAX_SIDE} pixels a side.",
        hint="Scale it down; what is drawn from it is smaller anyway.",
    )
