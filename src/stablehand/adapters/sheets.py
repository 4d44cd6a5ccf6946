"""Finished pictures put together, or cut, for clients that want them so."""

import io
import math
import threading
from collections.abc import Sequence

from PIL import Image as PillowImage
from PIL.PngImagePlugin import PngInfo

from stablehand.domain.recipes import Format

_EXIF_IFD = 0x8769
_USER_COMMENT = 0x9286
_PNG_LEVEL = 3

#: Unpacked pictures are large: so many sheets at a time, whoever wants them.
_unpacking = threading.BoundedSemaphore(2)


def grid(pictures: Sequence[bytes], shape: tuple[int, int], *, format: Format, quality: int, infotext: str) -> bytes:
    """All pictures on one sheet with the words of the first. ``shape``: columns and rows."""
    with _unpacking:
        opened = [PillowImage.open(io.BytesIO(data)).convert("RGB") for data in pictures]
        columns, rows = shape
        width = max(picture.width for picture in opened)
        height = max(picture.height for picture in opened)
        sheet = PillowImage.new("RGB", (columns * width, rows * height), "black")
        for index, picture in enumerate(opened):
            sheet.paste(picture, (index % columns * width, index // columns * height))
        return _write(sheet, format, quality, infotext)


def cut(data: bytes, size: tuple[int, int], *, format: Format, quality: int, infotext: str) -> bytes:
    """The middle of a picture, of this size in pixels; scaled a little where rounding left it short."""
    picture = PillowImage.open(io.BytesIO(data)).convert("RGB")
    width, height = size
    ratio = max(width / picture.width, height / picture.height, 1.0)
    if ratio > 1.0:
        enlarged = (math.ceil(picture.width * ratio), math.ceil(picture.height * ratio))
        picture = picture.resize(enlarged, PillowImage.Resampling.LANCZOS)
    left, top = (picture.width - width) // 2, (picture.height - height) // 2
    return _write(picture.crop((left, top, left + width, top + height)), format, quality, infotext)


def _write(picture: PillowImage.Image, format: Format, quality: int, infotext: str) -> bytes:
    out = io.BytesIO()
    if format == "png":
        info = PngInfo()
        info.add_text("parameters", infotext)
        picture.save(out, "PNG", pnginfo=info, compress_level=_PNG_LEVEL)
        return out.getvalue()
    exif = PillowImage.Exif()
    exif.get_ifd(_EXIF_IFD)[_USER_COMMENT] = b"UNICODE\0" + infotext[:30_000].encode("utf-16-be", "replace")
    picture.save(out, format.upper(), quality=quality, exif=exif.tobytes())
    return out.getvalue()
