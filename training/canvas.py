"""A surface to paint on: layers of colour laid through antialiased masks, all geometry in shares of the shorter side.

Curves, discs and clouds are masks computed from distances, so an edge is smooth at any size. Only the subjects, which
are made of polygons, are drawn with Pillow at four times the size and averaged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Colour = tuple[float, float, float]
"""Red, green, blue, 0 to 255."""

Light = tuple[float, float, float]
"""What a light leaves of red, green and blue, 0 to 1."""

Point = tuple[float, float]
Field = NDArray[np.floating[Any]]
"""One number a pixel, (height, width), or anything that broadcasts to it."""

OVERSAMPLING = 4


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """`share` of the way from the first colour to the second, kept inside 0 to 255."""
    red, green, blue = (min(max(a + (b - a) * share, 0.0), 255.0) for a, b in zip(first, second, strict=True))
    return red, green, blue


def tinted(colour: Colour, light: Light) -> Colour:
    """The colour as it looks in this light."""
    red, green, blue = (min(max(part * share, 0.0), 255.0) for part, share in zip(colour, light, strict=True))
    return red, green, blue


def towards_white(light: Light, share: float) -> Light:
    """The light weakened towards white light by `share`."""
    red, green, blue = (part + (1 - part) * share for part in light)
    return red, green, blue


def paint_of(colour: Colour) -> Field:
    """The colour as an array that broadcasts over pixels, (3,)."""
    return np.asarray(colour, np.float32)


def smooth(value: Field, low: float, high: float) -> Field:
    """0 below `low`, 1 above `high`, and a soft S between them."""
    share = np.clip((value - low) / (high - low), 0, 1)
    soft: Field = (share * share * (3 - 2 * share)).astype(np.float32)
    return soft


@dataclass(frozen=True)
class Stop:
    """A colour at a place of a gradient."""

    at: float
    colour: Colour


def gradient(stops: tuple[Stop, ...], places: Field) -> Field:
    """Colours at `places`, (..., 3)."""
    known = [stop.at for stop in stops]
    channels = [np.interp(places, known, [stop.colour[i] for stop in stops]) for i in range(3)]
    colours: Field = np.stack(channels, axis=-1).astype(np.float32)
    return colours


class Canvas:
    """Pixels as (height, width, 3) floats from 0 to 255. `x` and `y` are their centres in units of the shorter side."""

    def __init__(self, width: int, height: int) -> None:
        self.side = min(width, height)
        self.wide, self.high = width / self.side, height / self.side
        self.x: Field = ((np.arange(width, dtype=np.float32) + 0.5) / self.side)[None, :]
        self.y: Field = ((np.arange(height, dtype=np.float32) + 0.5) / self.side)[:, None]
        self.pixels: Field = np.zeros((height, width, 3), np.float32)

    def inside(self, depth: Field) -> Field:
        """A mask from a distance: 1 where `depth` (positive inside, in sides) exceeds half a pixel, 0 outside."""
        mask: Field = np.clip(depth * self.side + 0.5, 0, 1).astype(np.float32)
        return mask

    def below(self, edge: Field) -> Field:
        """The mask of everything lower than a curve given by its height for every column."""
        return self.inside(self.y - edge)

    def lay(self, colour: Field | Colour, mask: Field | float, rows: slice | None = None) -> None:
        """Paint a colour, or a colour for each pixel, through a mask; `rows` limits both to a band of the picture."""
        band = self.pixels if rows is None else self.pixels[rows]
        share = np.asarray(mask, np.float32)[..., None]
        band += (np.asarray(colour, np.float32) - band) * share

    def shine(self, colour: Colour, strength: Field) -> None:
        """Add light: the nearer a pixel is to white, the less it gains."""
        gain = (1 - self.pixels / 255) * paint_of(colour)
        self.pixels += np.maximum(gain, 0) * strength[..., None]

    def rows(self, top: float, bottom: float) -> slice:
        """The rows from one height to another, in sides."""
        last = len(self.pixels)
        return slice(min(max(int(top * self.side), 0), last), min(max(int(np.ceil(bottom * self.side)), 0), last))

    def columns(self, left: float, right: float) -> slice:
        """The columns from one place to another, in sides."""
        last = self.pixels.shape[1]
        return slice(min(max(int(left * self.side), 0), last), min(max(int(np.ceil(right * self.side)), 0), last))

    def picture(self) -> Image.Image:
        """The finished picture, RGB."""
        return Image.fromarray(np.clip(self.pixels + 0.5, 0, 255).astype(np.uint8))


class Cutout:
    """Something drawn from polygons over nothing, to be laid on a canvas: colours times cover, and cover.

    Drawn in its own measure: x from its centre, y upwards from its foot, both in sides; it reaches `reach` to either
    side, `up` above its foot and `down` below.
    """

    def __init__(self, side: int, reach: float, up: float, down: float) -> None:
        self._scale = side * OVERSAMPLING
        self._reach, self._up = round(reach * side), round(up * side)
        width, height = 2 * self._reach, self._up + round(down * side)
        size = (width * OVERSAMPLING, height * OVERSAMPLING)
        self._colours, self._cover = Image.new("RGB", size), Image.new("L", size)
        self._pens = ImageDraw.Draw(self._colours), ImageDraw.Draw(self._cover)

    def shape(self, *points: Point, fill: Colour) -> None:
        """A polygon."""
        places = [self._at(x, y) for x, y in points]
        self._pens[0].polygon(places, fill=_bytes(fill))
        self._pens[1].polygon(places, fill=255)

    def box(self, left: float, bottom: float, right: float, top: float, fill: Colour) -> None:
        """A rectangle."""
        self.shape((left, bottom), (left, top), (right, top), (right, bottom), fill=fill)

    def oval(self, left: float, bottom: float, right: float, top: float, fill: Colour) -> None:
        """An ellipse in a rectangle."""
        places = (*self._at(left, top), *self._at(right, bottom))
        self._pens[0].ellipse(places, fill=_bytes(fill))
        self._pens[1].ellipse(places, fill=255)

    def disc(self, x: float, y: float, radius: float, fill: Colour) -> None:
        """A circle."""
        self.oval(x - radius, y - radius, x + radius, y + radius, fill)

    def rounded(self, left: float, bottom: float, right: float, top: float, fill: Colour) -> None:
        """A rectangle whose narrow ends are round."""
        places = (*self._at(left, top), *self._at(right, bottom))
        radius = min(right - left, top - bottom) / 2 * self._scale
        self._pens[0].rounded_rectangle(places, radius=radius, fill=_bytes(fill))
        self._pens[1].rounded_rectangle(places, radius=radius, fill=255)

    def line(self, start: Point, end: Point, width: float, fill: Colour) -> None:
        """A stroke."""
        places, thick = (self._at(*start), self._at(*end)), max(round(width * self._scale), 1)
        self._pens[0].line(places, fill=_bytes(fill), width=thick)
        self._pens[1].line(places, fill=255, width=thick)

    def layers(self) -> tuple[Field, Field]:
        """Colours times cover, (h, w, 3), and cover, (h, w), at the canvas's own size; the foot is row `foot`."""
        colours = np.asarray(self._colours.reduce(OVERSAMPLING), np.float32)
        cover = np.asarray(self._cover.reduce(OVERSAMPLING), np.float32) / 255
        return colours, cover

    @property
    def foot(self) -> int:
        """The row of the foot."""
        return self._up

    @property
    def middle(self) -> int:
        """The column of the centre."""
        return self._reach

    def _at(self, x: float, y: float) -> Point:
        return self._reach * OVERSAMPLING + x * self._scale, self._up * OVERSAMPLING - y * self._scale


def _bytes(colour: Colour) -> tuple[int, int, int]:
    red, green, blue = (min(max(round(part), 0), 255) for part in colour)
    return red, green, blue


def overlay(canvas: Canvas, colours: Field, cover: Field, *, left: int, top: int, share: Field | float = 1.0) -> None:
    """Lay a cutout's layers with their corner at a pixel, cut at the picture's edges. `share` thins them."""
    height, width = cover.shape
    y0, y1 = max(top, 0), min(top + height, canvas.pixels.shape[0])
    x0, x1 = max(left, 0), min(left + width, canvas.pixels.shape[1])
    if y0 >= y1 or x0 >= x1:
        return
    part = np.s_[y0 - top : y1 - top, x0 - left : x1 - left]
    weight = np.broadcast_to(np.asarray(share, np.float32), cover.shape)[part][..., None]
    there = canvas.pixels[y0:y1, x0:x1]
    there += colours[part] * weight - there * (cover[part][..., None] * weight)
