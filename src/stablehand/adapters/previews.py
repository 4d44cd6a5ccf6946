"""Previews, small JPEG pictures of a shot as it forms, as files like the finished one."""

import io

from PIL import Image as PillowImage

from stablehand.domain.recipes import Format


def enlarge(preview: bytes, size: tuple[int, int], *, format: Format, quality: int) -> bytes:
    """The preview at ``size`` pixels. It shows no more than before; clients draw it where the picture will be."""
    with PillowImage.open(io.BytesIO(preview)) as small:
        picture = small.convert("RGB").resize(size, PillowImage.Resampling.BILINEAR)
    out = io.BytesIO()
    if format == "png":
        picture.save(out, "PNG", compress_level=1)
    else:
        picture.save(out, format.upper(), quality=quality)
    return out.getvalue()
