"""How each subject is drawn: house, castle, lighthouse, boat, balloon, windmill, trees, cactus."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PIL import ImageDraw

Colour = tuple[int, int, int]
Light = tuple[float, float, float]
Point = tuple[float, float]

PAINT: dict[str, Colour] = {
    "red": (214, 40, 44),
    "blue": (40, 84, 220),
    "green": (34, 150, 62),
    "yellow": (246, 210, 40),
    "white": (248, 248, 246),
    "purple": (136, 54, 176),
    "orange": (246, 130, 28),
    "pink": (246, 140, 186),
    "black": (28, 28, 34),
}
"""What each colour word means."""

_WOOD, _ROOF, _TURRET, _STONE, _IRON = (112, 72, 44), (122, 62, 44), (92, 52, 60), (150, 144, 140), (70, 66, 72)
_GLASS = (255, 236, 150)  # lit from inside: no light of the sky changes it


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """`share` of the way from the first colour to the second, kept inside 0 to 255."""
    red, green, blue = (min(max(round(a + (b - a) * share), 0), 255) for a, b in zip(first, second, strict=True))
    return red, green, blue


def tinted(colour: Colour, light: Light) -> Colour:
    """The colour as it looks in this light."""
    red, green, blue = (min(max(round(part * share), 0), 255) for part, share in zip(colour, light, strict=True))
    return red, green, blue


def shaded(colour: Colour) -> Colour:
    """The side that the light does not reach."""
    return mix(colour, (0, 0, 20), 0.22)


def lighter(colour: Colour) -> Colour:
    """A second tone beside the colour: lighter, or darker where it is near white already."""
    return mix(colour, (255, 255, 255), 0.28) if sum(colour) < 620 else mix(colour, (0, 0, 40), 0.12)


@dataclass(frozen=True)
class Brush:
    """Draws in the subject's own measure: x from its centre, y upwards from its foot, both in shares of the picture."""

    pen: ImageDraw.ImageDraw
    x: float
    foot: float
    side: float
    paint: str | None
    light: Light

    def colour(self, otherwise: str = "white") -> Colour:
        """The subject's own colour in this light."""
        return self.lit(PAINT[self.paint or otherwise])

    def lit(self, colour: Colour) -> Colour:
        """A colour in this light."""
        return tinted(colour, self.light)

    def box(self, left: float, bottom: float, right: float, top: float, fill: Colour) -> None:
        """A rectangle."""
        self.pen.rectangle((*self._at(left, top), *self._at(right, bottom)), fill=fill)

    def rounded(self, left: float, bottom: float, right: float, top: float, fill: Colour) -> None:
        """A rectangle with round ends."""
        radius = min(right - left, top - bottom) / 2 * self.side
        self.pen.rounded_rectangle((*self._at(left, top), *self._at(right, bottom)), radius=radius, fill=fill)

    def oval(self, left: float, bottom: float, right: float, top: float, fill: Colour) -> None:
        """An ellipse in a rectangle."""
        self.pen.ellipse((*self._at(left, top), *self._at(right, bottom)), fill=fill)

    def dome(self, left: float, bottom: float, right: float, top: float, fill: Colour) -> None:
        """The upper half of an ellipse in a rectangle."""
        self.pen.pieslice((*self._at(left, top), *self._at(right, bottom)), 180, 360, fill=fill)

    def shape(self, *points: Point, fill: Colour) -> None:
        """A polygon."""
        self.pen.polygon([self._at(x, y) for x, y in points], fill=fill)

    def _at(self, x: float, y: float) -> Point:
        return self.x + x * self.side, self.foot - y * self.side


def _house(brush: Brush) -> None:
    brush.box(0.05, 0.145, 0.085, 0.275, brush.lit(_STONE))
    brush.box(-0.125, 0, 0.125, 0.145, brush.colour())
    brush.shape((-0.16, 0.145), (0, 0.265), (0.16, 0.145), fill=brush.lit(_ROOF))
    brush.box(-0.028, 0, 0.028, 0.085, brush.lit(_WOOD))
    for x in (-0.078, 0.078):
        brush.box(x - 0.024, 0.06, x + 0.024, 0.115, _GLASS)


def _castle(brush: Brush) -> None:
    wall, door = brush.colour(), brush.lit(_WOOD)
    brush.box(-0.12, 0, 0.12, 0.16, wall)
    for x in (-0.1, -0.05, 0, 0.05, 0.1):
        brush.box(x - 0.014, 0.155, x + 0.014, 0.19, wall)
    for x, face in ((-0.145, wall), (0.145, shaded(wall))):
        brush.box(x - 0.048, 0, x + 0.048, 0.24, face)
        brush.shape((x - 0.062, 0.24), (x, 0.35), (x + 0.062, 0.24), fill=brush.lit(_TURRET))
        brush.box(x - 0.014, 0.14, x + 0.014, 0.19, _GLASS)
    brush.box(-0.036, 0, 0.036, 0.07, door)
    brush.oval(-0.036, 0.034, 0.036, 0.106, door)


def _lighthouse(brush: Brush) -> None:
    paint = brush.colour()
    white = brush.lit((224, 226, 232) if brush.paint == "white" else (248, 248, 246))
    height, bands = 0.34, 5
    for band in range(bands):
        low, high = band / bands, (band + 1) / bands
        below, above = 0.072 - 0.028 * low, 0.072 - 0.028 * high
        corners = ((-below, height * low), (-above, height * high), (above, height * high), (below, height * low))
        brush.shape(*corners, fill=white if band % 2 else paint)
    brush.box(-0.056, height - 0.006, 0.056, height + 0.012, brush.lit(_IRON))
    brush.box(-0.036, height + 0.012, 0.036, height + 0.07, _GLASS)
    brush.shape((-0.05, height + 0.07), (0, height + 0.12), (0.05, height + 0.07), fill=paint)


def _boat(brush: Brush) -> None:
    sail, wood = brush.colour(), brush.lit(_WOOD)
    brush.box(-0.008, 0.03, 0.008, 0.36, wood)
    brush.shape((0.014, 0.34), (0.15, 0.075), (0.014, 0.075), fill=sail)
    brush.shape((-0.014, 0.29), (-0.115, 0.075), (-0.014, 0.075), fill=lighter(sail))
    brush.shape((-0.165, 0.06), (0.165, 0.06), (0.115, -0.012), (-0.115, -0.012), fill=wood)


def _balloon(brush: Brush) -> None:
    silk, basket = brush.colour("red"), brush.lit(_WOOD)
    brush.oval(-0.145, 0.1434, 0.145, 0.4566, silk)
    brush.shape((-0.1247, 0.22), (0.1247, 0.22), (0.035, 0.07), (-0.035, 0.07), fill=silk)
    brush.oval(-0.061, 0.126, 0.061, 0.4537, lighter(silk))
    for x in (-0.028, 0.028):
        brush.box(x - 0.004, 0.04, x + 0.004, 0.075, basket)
    brush.box(-0.036, 0, 0.036, 0.048, basket)


def _windmill(brush: Brush) -> None:
    brush.shape((-0.085, 0), (-0.05, 0.22), (0.05, 0.22), (0.085, 0), fill=brush.colour())
    brush.dome(-0.062, 0.155, 0.062, 0.285, brush.lit(_ROOF))
    brush.box(-0.025, 0, 0.025, 0.075, brush.lit(_WOOD))
    blade = brush.lit((176, 150, 120) if brush.paint == "white" else (244, 238, 224))
    hub, reach, root, half = 0.225, 0.165, 0.03, 0.026
    for dx, dy in ((0.75, 0.66), (0.66, -0.75), (-0.75, -0.66), (-0.66, 0.75)):
        px, py = -dy * half, dx * half
        inner, outer = (dx * root, hub + dy * root), (dx * reach, hub + dy * reach)
        brush.shape(
            (0, hub),
            (inner[0] + px, inner[1] + py),
            (outer[0] + px, outer[1] + py),
            (outer[0] - px, outer[1] - py),
            (inner[0] - px, inner[1] - py),
            fill=blade,
        )
    brush.oval(-0.016, hub - 0.016, 0.016, hub + 0.016, brush.lit(_WOOD))


def _tree(brush: Brush) -> None:
    leaf = brush.lit((56, 148, 58))
    brush.box(-0.02, 0, 0.02, 0.15, brush.lit(_WOOD))
    brush.oval(-0.13, 0.10, 0.13, 0.34, leaf)
    brush.oval(-0.10, 0.20, 0.06, 0.365, lighter(leaf))


def _pine(brush: Brush) -> None:
    leaf = brush.lit((20, 94, 62))
    brush.box(-0.018, 0, 0.018, 0.07, brush.lit(_WOOD))
    for low, high, half in ((0.05, 0.19, 0.125), (0.13, 0.27, 0.10), (0.22, 0.37, 0.072)):
        brush.shape((-half, low), (0, high), (half, low), fill=leaf)
        brush.shape((0, low), (0, high), (half, low), fill=shaded(leaf))


def _cactus(brush: Brush) -> None:
    green = brush.lit((70, 152, 84))
    brush.rounded(-0.036, -0.005, 0.036, 0.31, green)
    for arm, low, high in ((-0.085, 0.10, 0.23), (0.085, 0.14, 0.27)):
        brush.box(min(0, arm), low, max(0, arm), low + 0.045, green)
        brush.rounded(arm - 0.024, low, arm + 0.024, high, green)


DRAW: dict[str, Callable[[Brush], None]] = {
    "house": _house,
    "castle": _castle,
    "lighthouse": _lighthouse,
    "sailing boat": _boat,
    "hot air balloon": _balloon,
    "windmill": _windmill,
    "tree": _tree,
    "pine tree": _pine,
    "cactus": _cactus,
}
"""kind -> how to draw it."""
