"""Pixels to a file that says how it was drawn.

The infotext goes where A1111 writes it (PNG text chunk ``parameters``, EXIF UserComment elsewhere), the
machine-readable recipe beside it: PNG text chunk ``stablehand``, EXIF ImageDescription elsewhere. The manifest follows:
PNG text chunk ``stablehand-manifest``, EXIF MakerNote elsewhere, both as JSON.
"""

import io
import json
from collections.abc import Mapping
from typing import Any

from PIL import Image as Pictures
from PIL.PngImagePlugin import PngInfo

from stablehand.domain.manifests import Manifest
from stablehand.domain.recipes import Format

_EXIF_IFD = 0x8769
_USER_COMMENT = 0x9286
_IMAGE_DESCRIPTION = 0x010E
_MAKER_NOTE = 0x927C  #: EXIF 2.3, table 9: for whatever else a program that writes files has to say
#: A JPEG segment holds 65,533 bytes; the rest is for EXIF's own structure.
_JPEG_EXIF_BYTES = 65_000
#: Level 6 costs twice the time of level 3 for a few percent.
_PNG_LEVEL = 3
_WEBP_EFFORT = 3


def encode(
    image: Pictures.Image,
    format: Format,
    quality: int,
    infotext: str,
    recipe: Mapping[str, Any] | None = None,
    *,
    manifest: Manifest | None = None,
) -> bytes:
    """The file's bytes. ``quality`` (1 to 100) is ignored by PNG; ``recipe`` is Recipe.as_dict().

    JPEG cannot hold more than 64 KB of EXIF: when the texts are longer, the manifest is left out, then the recipe, and
    at last the infotext is cut.
    """
    out = io.BytesIO()
    described = json.dumps(recipe, sort_keys=True) if recipe is not None else ""
    drawn_by = json.dumps(manifest.as_dict(), sort_keys=True) if manifest is not None else ""
    if format == "png":
        info = PngInfo()
        info.add_text("parameters", infotext)  # Pillow writes tEXt, or iTXt where Latin-1 does not suffice
        if described:
            info.add_text("stablehand", described)
        if drawn_by:
            info.add_text("stablehand-manifest", drawn_by)
        image.save(out, "PNG", pnginfo=info, compress_level=_PNG_LEVEL)
    elif format == "webp":
        image.save(out, "WEBP", quality=quality, method=_WEBP_EFFORT, exif=_exif(infotext, described, drawn_by))
    else:
        comment = _comment(infotext)
        if len(comment) + len(described) + len(drawn_by) > _JPEG_EXIF_BYTES:
            drawn_by = ""
        if len(comment) + len(described) > _JPEG_EXIF_BYTES:
            described = ""
        exif = _exif(infotext, described, drawn_by, limit=_JPEG_EXIF_BYTES)
        image.convert("RGB").save(out, "JPEG", quality=quality, exif=exif)
    return out.getvalue()


def _exif(infotext: str, described: str, drawn_by: str, limit: int | None = None) -> bytes:
    exif = Pictures.Exif()
    if described:
        exif[_IMAGE_DESCRIPTION] = described
    details = exif.get_ifd(_EXIF_IFD)
    details[_USER_COMMENT] = _comment(infotext)[:limit]
    if drawn_by:
        details[_MAKER_NOTE] = drawn_by.encode()
    return exif.tobytes()


def _comment(infotext: str) -> bytes:
    """EXIF 2.3, table 9: eight bytes name the encoding; A1111 and its readers use big-endian UTF-16."""
    return b"UNICODE\0" + infotext.encode("utf-16-be", "replace")
