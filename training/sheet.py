"""Many small pictures on one sheet, with their captions or without."""

from __future__ import annotations

import textwrap

from PIL import Image, ImageDraw

_TEXT = 38  # room for a caption, in pixels


def contact_sheet(
    pictures: list[Image.Image], captions: list[str], right: list[bool], columns: int = 8, side: int = 192
) -> Image.Image:
    """All pictures at `side` pixels with their captions; a red bar under those the judge found wrong in anything."""
    lines = -(-len(pictures) // columns)
    sheet = Image.new("RGB", (columns * (side + 4), lines * (side + _TEXT + 6)), "white")
    pen = ImageDraw.Draw(sheet)
    for index, (picture, caption, is_right) in enumerate(zip(pictures, captions, right, strict=True)):
        x, y = index % columns * (side + 4), index // columns * (side + _TEXT + 6)
        small = picture.copy()
        small.thumbnail((side, side), Image.Resampling.LANCZOS)
        sheet.paste(small, (x, y))
        pen.text((x + 2, y + side + 3), textwrap.fill(caption, 32), fill="black", font_size=10)
        if not is_right:
            pen.rectangle((x, y + side, x + side, y + side + 3), fill="red")
    return sheet


def wall(pictures: list[Image.Image], columns: int = 8, side: int = 160, gap: int = 6) -> Image.Image:
    """Pictures beside each other and nothing else, on transparent ground."""
    lines = -(-len(pictures) // columns)
    out = Image.new("RGBA", (columns * (side + gap) - gap, lines * (side + gap) - gap), (0, 0, 0, 0))
    for index, picture in enumerate(pictures):
        place = (index % columns * (side + gap), index // columns * (side + gap))
        out.paste(picture.resize((side, side), Image.Resampling.LANCZOS), place)
    return out
