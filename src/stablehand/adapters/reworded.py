"""A picture's file with other words in it, its pixels as they are: nothing is unpacked and packed again."""

import io
import struct
import zlib
from collections.abc import Iterator

from PIL import Image as PillowImage

_PNG = b"\x89PNG\r\n\x1a\n"
_TEXTS = (b"tEXt", b"iTXt", b"zTXt")
_EXIF_IFD = 0x8769
_USER_COMMENT = 0x9286
_EXIF_START = b"Exif\0\0"
_APP0, _APP1, _SCAN = 0xE0, 0xE1, 0xDA
#: what a JPEG segment holds besides its own length
_SEGMENT_BYTES = 65_533
#: of a text in UTF-16, so that it and EXIF's own structure fit into one segment
_COMMENT_BYTES = 60_000


def reworded(data: bytes, infotext: str | None, postprocessing: str) -> bytes:
    """``data``: a PNG, JPEG or WebP as our agents write them. ``infotext``: in place of its own; None for none.
    ``postprocessing``: what was done to the picture since; only a PNG has room for it. All else that it says stays."""
    if data.startswith(_PNG):
        return _png(data, {"parameters": infotext, "postprocessing": postprocessing})
    with PillowImage.open(io.BytesIO(data), formats=("JPEG", "WEBP")) as picture:
        exif, is_webp = picture.getexif(), picture.format == "WEBP"
    comment = None if infotext is None else (b"UNICODE\0" + infotext.encode("utf-16-be", "replace"))[:_COMMENT_BYTES]
    block = _exif(exif, comment)
    if is_webp:
        return _webp(data, block.removeprefix(_EXIF_START))
    return _jpeg(data, block if len(block) <= _SEGMENT_BYTES else _exif(PillowImage.Exif(), comment))


def _exif(exif: PillowImage.Exif, comment: bytes | None) -> bytes:
    details = exif.get_ifd(_EXIF_IFD)
    details.pop(_USER_COMMENT, None)
    if comment is not None:
        details[_USER_COMMENT] = comment
    return exif.tobytes()


def _png(data: bytes, texts: dict[str, str | None]) -> bytes:
    out = [_PNG]
    for kind, body in _chunks(data[len(_PNG) :]):
        if kind not in _TEXTS or body.partition(b"\0")[0].decode("latin-1") not in texts:
            out.append(_chunk(kind, body))
        if kind == b"IHDR":
            out += [_text(key, text) for key, text in texts.items() if text]
    return b"".join(out)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = 0
    while place + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        yield kind, data[place + 8 : place + 8 + length]
        place += length + 12


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _text(key: str, text: str) -> bytes:
    """tEXt, or iTXt (neither packed, nor of a language) where Latin-1 does not suffice, as A1111 has it."""
    try:
        return _chunk(b"tEXt", key.encode() + b"\0" + text.encode("latin-1"))
    except UnicodeEncodeError:
        return _chunk(b"iTXt", key.encode() + b"\0\0\0\0\0" + text.encode("utf-8", "replace"))


def _jpeg(data: bytes, block: bytes) -> bytes:
    segment = b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block
    out, place = [data[:2]], 2
    is_written = False
    while place + 4 <= len(data) and data[place + 1] != _SCAN:
        marker, length = struct.unpack_from(">xBH", data, place)
        whole = data[place : place + 2 + length]
        if not is_written and marker != _APP0:  # which comes first of all
            out.append(segment)
            is_written = True
        if marker != _APP1 or whole[4 : 4 + len(_EXIF_START)] != _EXIF_START:
            out.append(whole)
        place += 2 + length
    return b"".join([*out, data[place:]])


def _webp(data: bytes, block: bytes) -> bytes:
    """Raises ValueError for one without EXIF, which our agents do not write."""
    place = 12
    while place + 8 <= len(data):
        kind, length = struct.unpack_from("<4sI", data, place)
        end = place + 8 + length + length % 2
        if kind == b"EXIF":
            chunk = b"EXIF" + struct.pack("<I", len(block)) + block + b"\0" * (len(block) % 2)
            rest = data[12:place] + chunk + data[end:]
            return b"RIFF" + struct.pack("<I", len(rest) + 4) + b"WEBP" + rest
        place = end
    raise ValueError("a WebP without EXIF")
