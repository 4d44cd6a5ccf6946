"""What stands in a picture's file besides its pixels."""

import io
import warnings
from collections.abc import Mapping
from dataclasses import dataclass

from PIL import Image as PillowImage

from stablehand.domain.errors import BadPicture, PictureTooLarge
from stablehand.domain.inputs import INPUT_MAX_BYTES, INPUT_MAX_PIXELS

_EXIF_IFD = 0x8769
_USER_COMMENT = 0x9286
#: EXIF 2.3, table 9: what the first eight bytes of a comment say of the rest
_UNICODE, _ASCII, _PREFIX_BYTES = b"UNICODE\0", b"ASCII\0\0\0", 8
#: what Pillow tells of a file that nobody wrote there
_OF_THE_FORMAT = frozenset(
    {
        *("jfif", "jfif_version", "jfif_unit", "jfif_density", "dpi", "exif", "loop", "background", "timestamp"),
        *("duration", "progressive", "progression", "icc_profile", "chromaticity", "photoshop", "transparency"),
        *("gamma", "srgb", "aspect", "interlace"),
    }
)


@dataclass(frozen=True, slots=True)
class Written:
    infotext: str | None
    items: Mapping[str, str]  #: everything else that is text, by its key
    width: int  #: pixels
    height: int  #: pixels


def read_written(data: bytes) -> Written:
    """Texts of a PNG, JPEG or WebP; no pixel is unpacked. Raises BadPicture, PictureTooLarge."""
    if len(data) > INPUT_MAX_BYTES:
        raise PictureTooLarge(f"The picture has more than {INPUT_MAX_BYTES // 2**20} MiB.", hint="Send a smaller one.")
    try:
        with (
            warnings.catch_warnings(),
            PillowImage.open(io.BytesIO(data), formats=("PNG", "JPEG", "WEBP")) as picture,
        ):
            warnings.simplefilter("ignore")
            if picture.width * picture.height > 4 * INPUT_MAX_PIXELS:
                raise PictureTooLarge("The picture has too many pixels.", hint="Send a smaller one.")
            width, height = picture.size
            # Chunks behind the pixels are read with them only.
            if picture.format == "PNG":
                picture.load()
            found = {
                str(key): str(value)
                for key, value in picture.info.items()
                if isinstance(value, (str, int, float)) and key not in _OF_THE_FORMAT
            }
            comment = picture.getexif().get_ifd(_EXIF_IFD).get(_USER_COMMENT)
    except (
        OSError,
        ValueError,
        SyntaxError,
        KeyError,
        EOFError,
        IndexError,
        TypeError,
        OverflowError,
        PillowImage.DecompressionBombError,
    ) as error:
        raise BadPicture("The bytes are not a whole picture.", hint="Send a PNG, JPEG or WebP picture.") from error
    infotext = found.pop("parameters", None) or _comment(comment)
    return Written(infotext, found, width, height)


def _comment(raw: object) -> str | None:
    """The words of a UserComment; some programs leave its prefix out."""
    if isinstance(raw, str):
        return raw or None
    if not isinstance(raw, bytes) or not raw:
        return None
    if raw.startswith(_UNICODE):
        body = raw[_PREFIX_BYTES:]
        # Big-endian as A1111 writes it; latin letters tell the other order apart.
        order = "utf-16-le" if len(body) > 1 and body[0] and not body[1] else "utf-16-be"
        return body.decode(order, "replace").strip("\0") or None
    return raw.removeprefix(_ASCII).decode("utf-8", "replace").strip("\0 ") or None
