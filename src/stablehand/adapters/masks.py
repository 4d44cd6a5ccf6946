"""Masks that are drawn in transparency, as masks of white and black."""

import io

from PIL import Image as PillowImage
from PIL import ImageChops


def by_alpha(png: bytes, *, clear_is_painted: bool) -> bytes:
    """The transparency of a cleaned picture as a grey PNG; the picture itself where nothing of it is transparent.

    ``clear_is_painted``: True where what is transparent is drawn again, False where it is what is opaque.
    """
    with PillowImage.open(io.BytesIO(png), formats=("PNG",)) as picture:
        if picture.mode != "RGBA":
            return png
        alpha = picture.getchannel("A")
    if alpha.getextrema()[0] == 255:
        return png
    out = io.BytesIO()
    (ImageChops.invert(alpha) if clear_is_painted else alpha).save(out, "PNG", compress_level=3)
    return out.getvalue()
