"""How each subject is drawn: house, castle, lighthouse, boat, balloon, windmill, trees, cactus."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

from training.canvas import Colour, Cutout, Light, Point, mix, tinted

PAINT: dict[str, Colour] = {
    "red": (216, 40, 44),
    "blue": (40, 88, 222),
    "green": (36, 152, 66),
    "yellow": (248, 212, 44),
    "white": (250, 250, 246),
    "purple": (136, 56, 178),
    "orange": (246, 130, 30),
    "pink": (248, 140, 188),
    "black": (34, 34, 42),
}
"""What each colour word means."""

_WOOD, _ROOF, _TURRET, _STONE, _IRON = (116, 74, 46), (146, 76, 58), (96, 60, 72), (156, 150, 146), (72, 70, 78)
_SNOW = (246, 249, 255)

REACH, UP, DOWN = 0.225, 0.48, 0.05
"""Room a subject needs: to either side of its centre, above its foot and below it."""


@dataclass(frozen=True)
class Brush:
    """A cutout with the subject's colour and its light. `lit` is the side the light comes from: -1 left, 1 right.

    `dark` says whether lamps burn; `snowy` whether snow lies on what is flat. `rng` settles small variations.
    """

    cutout: Cutout
    paint: str | None
    light: Light
    lit: float
    dark: bool
    snowy: bool
    rng: random.Random
    scale: float

    def colour(self, otherwise: str = "white") -> Colour:
        """The subject's own colour in this light."""
        return tinted(PAINT[self.paint or otherwise], self.light)

    def under(self, colour: Colour) -> Colour:
        """Any colour in this light."""
        return tinted(colour, self.light)

    @property
    def glass(self) -> Colour:
        """A window: lit from inside after dark, else with the sky in it."""
        return (255, 226, 128) if self.dark else self.under((150, 190, 222))

    def shape(self, *points: Point, fill: Colour) -> None:
        """A polygon."""
        self.cutout.shape(*((x * self.scale, y * self.scale) for x, y in points), fill=fill)

    def box(self, left: float, bottom: float, right: float, top: float, fill: Colour) -> None:
        """A rectangle."""
        self.shape((left, bottom), (left, top), (right, top), (right, bottom), fill=fill)

    def oval(self, left: float, bottom: float, right: float, top: float, fill: Colour) -> None:
        """An ellipse in a rectangle."""
        s = self.scale
        self.cutout.oval(left * s, bottom * s, right * s, top * s, fill)

    def disc(self, x: float, y: float, radius: float, fill: Colour) -> None:
        """A circle."""
        self.oval(x - radius, y - radius, x + radius, y + radius, fill)

    def rounded(self, left: float, bottom: float, right: float, top: float, fill: Colour) -> None:
        """A rectangle whose narrow ends are round."""
        s = self.scale
        self.cutout.rounded(left * s, bottom * s, right * s, top * s, fill)

    def line(self, start: Point, end: Point, width: float, fill: Colour) -> None:
        """A stroke."""
        s = self.scale
        self.cutout.line((start[0] * s, start[1] * s), (end[0] * s, end[1] * s), width * s, fill)

    def two(self, colour: Colour, left: float, bottom: float, right: float, top: float, *, share: float = 0.5) -> None:
        """A rectangle whose far side from the light is shaded; `share` of the width is on the lit side."""
        edge = right - (right - left) * share if self.lit > 0 else left + (right - left) * share
        self.box(left, bottom, right, top, shaded(colour) if self.lit > 0 else colour)
        self.box(edge, bottom, right, top, colour if self.lit > 0 else shaded(colour))


def shaded(colour: Colour, share: float = 0.2) -> Colour:
    """The side that the light does not reach."""
    return mix(colour, (8, 6, 40), share)


def lighter(colour: Colour, share: float = 0.26) -> Colour:
    """A second tone beside the colour: lighter, or darker where it is near white already."""
    return mix(colour, (255, 252, 240), share) if sum(colour) < 610 else mix(colour, (40, 40, 90), 0.14)


def _house(brush: Brush) -> None:
    wall, roof = brush.colour(), brush.under(_ROOF)
    chimney = 0.07 * brush.lit
    brush.box(chimney - 0.018, 0.18, chimney + 0.018, 0.285, brush.under(_STONE))
    # A gable end towards the light, and the long wall beside it.
    gable, eave = -0.045 * brush.lit, 0.15
    left, right = -0.13, 0.13
    brush.box(left, 0, right, eave, shaded(wall, 0.14))
    front = (gable, right) if brush.lit > 0 else (left, gable)
    front = (min(front), max(front))
    brush.box(front[0], 0, front[1], eave, wall)
    peak = (front[0] + front[1]) / 2
    brush.shape((front[0], eave), (peak, 0.265), (front[1], eave), fill=wall)
    # The roof's long side, then its rim along the gable.
    far = left - 0.02 if brush.lit > 0 else right + 0.02
    near = front[0] if brush.lit > 0 else front[1]
    ridge = far + 0.05 * brush.lit
    brush.shape((far, eave - 0.01), (ridge, 0.265), (peak, 0.275), (near, eave - 0.01), fill=roof)
    rim = brush.under(_SNOW) if brush.snowy else shaded(roof, 0.12)
    for corner in (front[0] - 0.014, front[1] + 0.014):
        brush.line((peak, 0.276), (corner, eave - 0.022), 0.017, rim)
    if brush.snowy:
        brush.shape((far, eave - 0.002), (ridge, 0.272), (peak, 0.284), (near, eave + 0.03), fill=brush.under(_SNOW))
    brush.box(peak - 0.03, 0.055, peak + 0.03, 0.115, shaded(wall, 0.4))
    brush.box(peak - 0.024, 0.061, peak + 0.024, 0.109, brush.glass)
    brush.box(peak - 0.003, 0.061, peak + 0.003, 0.109, shaded(wall, 0.4))
    door = (left + gable) / 2 if brush.lit > 0 else (right + gable) / 2
    brush.box(door - 0.023, 0, door + 0.023, 0.088, brush.under(_WOOD))
    brush.disc(door + 0.012, 0.042, 0.005, brush.under((240, 210, 120)))


def _castle(brush: Brush) -> None:
    wall, turret, door = brush.colour(), brush.under(_TURRET), brush.under(_WOOD)
    keep = lighter(wall, 0.12)
    brush.two(keep, -0.055, 0.1, 0.055, 0.27)
    for x in (-0.042, 0, 0.042):
        brush.box(x - 0.012, 0.268, x + 0.012, 0.29, keep)
    brush.line((0, 0.28), (0, 0.37), 0.006, brush.under(_IRON))
    brush.shape((0.003, 0.37), (0.062, 0.352), (0.003, 0.334), fill=brush.under((224, 62, 56)))
    brush.box(-0.13, 0, 0.13, 0.15, wall)
    for x in (-0.088, -0.044, 0, 0.044, 0.088):
        brush.box(x - 0.013, 0.148, x + 0.013, 0.174, wall)
    for x in (-0.148, 0.148):
        brush.two(wall, x - 0.046, 0, x + 0.046, 0.225, share=0.6)
        brush.box(x - 0.053, 0.212, x + 0.053, 0.232, shaded(wall, 0.1))
        brush.shape((x - 0.06, 0.232), (x, 0.34), (x + 0.06, 0.232), fill=turret)
        brush.shape((x, 0.232), (x, 0.34), (x + 0.06 * brush.lit, 0.232), fill=lighter(turret, 0.16))
        if brush.snowy:
            brush.shape((x - 0.03, 0.286), (x, 0.34), (x + 0.03, 0.286), fill=brush.under(_SNOW))
        brush.rounded(x - 0.012, 0.13, x + 0.012, 0.18, brush.glass if brush.dark else shaded(wall, 0.55))
    brush.rounded(-0.012, 0.195, 0.012, 0.24, brush.glass if brush.dark else shaded(wall, 0.55))
    brush.oval(-0.04, 0.03, 0.04, 0.108, shaded(wall, 0.45))
    brush.box(-0.04, 0, 0.04, 0.07, shaded(wall, 0.45))
    brush.oval(-0.031, 0.03, 0.031, 0.1, door)
    brush.box(-0.031, 0, 0.031, 0.066, door)


def _lighthouse(brush: Brush) -> None:
    paint = brush.colour()
    white = brush.under((204, 212, 224) if brush.paint == "white" else (250, 250, 246))
    height, bands = 0.32, 5
    brush.box(-0.095, 0, 0.095, 0.016, brush.under(_STONE))

    def half(level: float) -> float:
        return 0.07 - 0.03 * float(level**0.8)

    for band in range(bands):
        low, high = band / bands, (band + 1) / bands
        below, above = half(low), half(high)
        corners = ((-below, height * low), (-above, height * high), (above, height * high), (below, height * low))
        colour = white if band % 2 else paint
        brush.shape(*corners, fill=colour)
        s = -brush.lit
        brush.shape(
            (s * below * 0.3, height * low),
            (s * above * 0.3, height * high),
            (s * above, height * high),
            (s * below, height * low),
            fill=shaded(colour, 0.16),
        )
    brush.box(-0.056, height - 0.004, 0.056, height + 0.012, brush.under(_IRON))
    brush.box(
        -0.033, height + 0.012, 0.033, height + 0.066, (255, 236, 150) if brush.dark else brush.under((214, 232, 240))
    )
    for x in (-0.033, 0, 0.033):
        brush.box(x - 0.004, height + 0.012, x + 0.004, height + 0.066, brush.under(_IRON))
    brush.shape((-0.046, height + 0.064), (0, height + 0.115), (0.046, height + 0.064), fill=paint)
    brush.disc(0, height + 0.118, 0.008, brush.under(_IRON))
    brush.rounded(-0.018, 0.012, 0.018, 0.062, brush.under(_WOOD))
    brush.disc(0.0, 0.17, 0.011, brush.glass if brush.dark else shaded(paint, 0.5))


def _boat(brush: Brush) -> None:
    sail, wood = brush.colour(), brush.under(_WOOD)
    brush.line((0, 0.03), (0, 0.36), 0.011, brush.under((92, 62, 44)))
    belly = 0.02
    brush.shape((0.012, 0.35), (0.07 + belly, 0.235), (0.125 + belly, 0.13), (0.148, 0.075), (0.012, 0.068), fill=sail)
    brush.shape((0.012, 0.35), (0.035, 0.22), (0.045, 0.071), (0.012, 0.068), fill=shaded(sail, 0.12))
    second = lighter(sail, 0.34)
    brush.shape((-0.012, 0.31), (-0.06 - belly / 2, 0.19), (-0.122, 0.075), (-0.012, 0.072), fill=second)
    brush.shape((0.0, 0.36), (0.052, 0.375), (0.0, 0.388), fill=brush.under((228, 66, 58)))
    brush.shape((-0.17, 0.064), (0.17, 0.064), (0.115, -0.014), (-0.11, -0.014), fill=wood)
    brush.shape((-0.17, 0.064), (0.17, 0.064), (0.163, 0.046), (-0.16, 0.046), fill=brush.under((236, 220, 190)))
    brush.shape((-0.122, -0.004), (0.125, -0.004), (0.115, -0.016), (-0.11, -0.016), fill=shaded(wood, 0.35))


def _balloon(brush: Brush) -> None:
    silk, basket = brush.colour("red"), brush.under(_WOOD)
    second = lighter(silk, 0.36)
    centre, half, tall = 0.305, 0.15, 0.155

    def edge(turn: float, share: float) -> Point:
        """A point of the envelope's outline at an angle, `share` of the way out: round above, tapering below."""
        x, y = math.sin(turn), math.cos(turn)
        if y < 0:
            x *= 1 - 0.52 * (-y) ** 2.2
            y *= 1.18
        return share * half * x, centre + tall * y

    turns = [math.pi * step / 24 for step in range(25)]
    limits = (-1.0, -0.72, -0.26, 0.26, 0.72, 1.0)
    for index in range(5):
        outline = [edge(turn, limits[index]) for turn in turns] + [
            edge(turn, limits[index + 1]) for turn in turns[::-1]
        ]
        colour = second if index % 2 else silk
        if index in ((0, 1) if brush.lit > 0 else (3, 4)):
            colour = shaded(colour, 0.13)
        brush.shape(*outline, fill=colour)
    brush.box(-0.045, 0.112, 0.045, 0.128, shaded(silk, 0.3))
    for x in (-0.032, 0.032):
        brush.line((x * 1.25, 0.115), (x * 0.85, 0.045), 0.005, shaded(basket, 0.3))
    brush.rounded(-0.034, 0, 0.034, 0.05, basket)
    brush.box(-0.036, 0.038, 0.036, 0.05, lighter(basket, 0.2))


def _windmill(brush: Brush) -> None:
    wall, roof = brush.colour(), brush.under(_ROOF)
    brush.shape((-0.09, 0), (-0.054, 0.22), (0.054, 0.22), (0.09, 0), fill=wall)
    s = -brush.lit
    brush.shape((s * 0.02, 0), (s * 0.014, 0.22), (s * 0.054, 0.22), (s * 0.09, 0), fill=shaded(wall, 0.16))
    brush.oval(-0.062, 0.165, 0.062, 0.29, roof)
    brush.shape((-0.057, 0.226), (-0.054, 0.19), (0.054, 0.19), (0.057, 0.226), fill=wall)
    brush.box(-0.064, 0.213, 0.064, 0.228, shaded(roof, 0.2))
    if brush.snowy:
        brush.oval(-0.046, 0.242, 0.046, 0.294, brush.under(_SNOW))
    brush.rounded(-0.026, -0.01, 0.026, 0.078, brush.under(_WOOD))
    brush.box(-0.014, 0.115, 0.014, 0.15, brush.glass)
    blade = brush.under((196, 170, 140) if brush.paint in ("white", "yellow") else (250, 243, 228))
    spar, hub, reach = brush.under((104, 74, 52)), 0.235, 0.175
    turn = brush.rng.uniform(0.35, 1.2)
    for quarter in range(4):
        angle = turn + quarter * math.pi / 2
        dx, dy = math.cos(angle), math.sin(angle)
        px, py = -dy, dx
        inner, outer = 0.05, reach
        brush.shape(
            (dx * inner, hub + dy * inner),
            (dx * outer, hub + dy * outer),
            (dx * outer + px * 0.042, hub + dy * outer + py * 0.042),
            (dx * inner + px * 0.042, hub + dy * inner + py * 0.042),
            fill=blade,
        )
        brush.line((0, hub), (dx * reach, hub + dy * reach), 0.010, spar)
    brush.disc(0, hub, 0.017, spar)


def _tree(brush: Brush) -> None:
    leaf = brush.under((62, 150, 62))
    dark, bright = shaded(leaf, 0.24), mix(leaf, brush.under((196, 226, 96)), 0.42)
    trunk = brush.under(_WOOD)
    brush.shape((-0.024, 0), (-0.015, 0.17), (0.015, 0.17), (0.026, 0), fill=trunk)
    lobes = ((-0.075, 0.16, 0.062), (0.075, 0.165, 0.06), (-0.085, 0.235, 0.066), (0.085, 0.24, 0.064))
    upper = ((0, 0.2, 0.085), (-0.035, 0.305, 0.066), (0.04, 0.3, 0.068))
    moved = [
        (x + brush.rng.uniform(-0.008, 0.008), y + brush.rng.uniform(-0.008, 0.008), r) for x, y, r in lobes + upper
    ]
    for x, y, radius in moved:
        brush.disc(x, y, radius, dark)
    for x, y, radius in moved:
        brush.disc(x + 0.014 * brush.lit, y + 0.012, radius * 0.86, leaf)
    for x, y, radius in moved[2:]:
        if brush.snowy:
            brush.oval(x - radius * 0.62, y + radius * 0.36, x + radius * 0.62, y + radius * 0.98, brush.under(_SNOW))
        else:
            brush.disc(x + 0.026 * brush.lit, y + 0.026, radius * 0.46, bright)


def _pine(brush: Brush) -> None:
    leaf = brush.under((28, 104, 74))
    bright, dark = mix(leaf, brush.under((110, 180, 110)), 0.30), shaded(leaf, 0.26)
    brush.box(-0.018, 0, 0.018, 0.07, brush.under(_WOOD))
    for low, high, half in ((0.05, 0.18, 0.13), (0.12, 0.255, 0.108), (0.19, 0.32, 0.083), (0.26, 0.39, 0.056)):
        hem = [(half * (1 - step / 4), low - 0.012 * (step % 2)) for step in range(9)]
        brush.shape((0, high), *hem, fill=leaf)
        s = brush.lit
        brush.shape((0, high), (s * half, low), (s * half * 0.45, low), fill=bright)
        brush.shape((0, high), (-s * half, low), (-s * half * 0.4, low), fill=dark)
        if brush.snowy:
            brush.shape(
                (0, high),
                (half * 0.42, low + (high - low) * 0.5),
                (0, low + 0.08),
                (-half * 0.42, low + (high - low) * 0.5),
                fill=brush.under(_SNOW),
            )


def _cactus(brush: Brush) -> None:
    green = brush.under((76, 156, 88))
    bright, dark = mix(green, brush.under((190, 224, 130)), 0.4), shaded(green, 0.22)
    heights = brush.rng.uniform(-0.02, 0.02)
    for arm, low, high in ((-0.092, 0.11 + heights, 0.235), (0.092, 0.145 - heights, 0.285)):
        brush.rounded(min(0, arm) - 0.02, low - 0.004, max(0, arm) + 0.02, low + 0.048, green)
        brush.rounded(arm - 0.025, low, arm + 0.025, high, green)
        brush.rounded(arm + brush.lit * 0.008 - 0.005, low + 0.03, arm + brush.lit * 0.008 + 0.005, high - 0.02, bright)
    brush.rounded(-0.04, -0.012, 0.04, 0.335, green)
    brush.rounded(-0.04 if brush.lit > 0 else 0.014, 0.0, -0.014 if brush.lit > 0 else 0.04, 0.30, dark)
    for x in (-0.004, 0.018 * brush.lit):
        brush.rounded(x - 0.005, 0.02, x + 0.005, 0.30, bright)
    if brush.snowy:
        brush.oval(-0.036, 0.305, 0.036, 0.345, brush.under(_SNOW))
    else:
        brush.disc(0.0, 0.337, 0.018, brush.under((244, 96, 150)))
        brush.disc(0.0, 0.337, 0.008, brush.under((255, 214, 110)))


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
