"""How each subject is drawn: house, castle, lighthouse, boat, balloon, windmill, trees, cactus."""

from __future__ import annotations

from collections.abc import Callable

from PIL import ImageDraw

Colour = tuple[int, int, int]
Light = tuple[float, float, float]

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

_WOOD, _ROOF, _GLASS, _STONE = (112, 72, 44), (122, 62, 44), (255, 236, 150), (150, 144, 140)


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """`share` of the way from the first colour to the second, kept inside 0 to 255."""
    red, green, blue = (
        min(max(round(a + (b - a) * share), 0), 255) for a, b in zip(first, second, strict=True)
    )
    return red, green, blue


def tinted(colour: Colour, light: Light) -> Colour:
    """The colour as it looks in this light."""
    red, green, blue = (min(max(round(part * share), 0), 255) for part, share in zip(colour, light, strict=True))
    return red, green, blue


def _shaded(colour: Colour) -> Colour:
    return mix(colour, (0, 0, 20), 0.22)


def _house(pen: ImageDraw.ImageDraw, x: float, y: float, s: float, colour: str | None, light: Light) -> None:
    wall = tinted(PAINT[colour or "white"], light)
    half, height = 0.125 * s, 0.145 * s
    pen.rectangle((x + 0.05 * s, y - height - 0.13 * s, x + 0.085 * s, y - height), fill=tinted(_STONE, light))
    pen.rectangle((x - half, y - height, x + half, y), fill=wall)
    pen.polygon(
        ((x - half - 0.035 * s, y - height), (x, y - height - 0.12 * s), (x + half + 0.035 * s, y - height)),
        fill=tinted(_ROOF, light),
    )
    pen.rectangle((x - 0.028 * s, y - 0.085 * s, x + 0.028 * s, y), fill=tinted(_WOOD, light))
    for side in (-1, 1):
        cx = x + side * 0.078 * s
        pen.rectangle((cx - 0.024 * s, y - 0.115 * s, cx + 0.024 * s, y - 0.06 * s), fill=_GLASS)


def _castle(pen: ImageDraw.ImageDraw, x: float, y: float, s: float, colour: str | None, light: Light) -> None:
    wall = tinted(PAINT[colour or "white"], light)
    roof = tinted((92, 52, 60), light)
    pen.rectangle((x - 0.12 * s, y - 0.16 * s, x + 0.12 * s, y), fill=wall)
    for index in range(-2, 3):
        cx = x + index * 0.05 * s
        pen.rectangle((cx - 0.014 * s, y - 0.19 * s, cx + 0.014 * s, y - 0.155 * s), fill=wall)
    for side in (-1, 1):
        cx = x + side * 0.145 * s
        pen.rectangle((cx - 0.048 * s, y - 0.24 * s, cx + 0.048 * s, y), fill=_shaded(wall) if side > 0 else wall)
        pen.polygon(((cx - 0.062 * s, y - 0.24 * s), (cx, y - 0.35 * s), (cx + 0.062 * s, y - 0.24 * s)), fill=roof)
        pen.rectangle((cx - 0.014 * s, y - 0.19 * s, cx + 0.014 * s, y - 0.14 * s), fill=_GLASS)
    pen.rectangle((x - 0.036 * s, y - 0.07 * s, x + 0.036 * s, y), fill=tinted(_WOOD, light))
    pen.ellipse((x - 0.036 * s, y - 0.106 * s, x + 0.036 * s, y - 0.034 * s), fill=tinted(_WOOD, light))


def _lighthouse(pen: ImageDraw.ImageDraw, x: float, y: float, s: float, colour: str | None, light: Light) -> None:
    paint = tinted(PAINT[colour or "white"], light)
    other = tinted((248, 248, 246) if colour != "white" else (224, 226, 232), light)
    height, foot, top = 0.34 * s, 0.072 * s, 0.044 * s
    for band in range(5):
        low, high = band / 5, (band + 1) / 5
        a, b = foot + (top - foot) * low, foot + (top - foot) * high
        pen.polygon(
            ((x - a, y - height * low), (x - b, y - height * high), (x + b, y - height * high), (x + a, y - height * low)),
            fill=other if band % 2 else paint,
        )
    pen.rectangle((x - 0.056 * s, y - height - 0.012 * s, x + 0.056 * s, y - height + 0.006 * s), fill=tinted((70, 66, 72), light))
    pen.rectangle((x - 0.036 * s, y - height - 0.07 * s, x + 0.036 * s, y - height - 0.012 * s), fill=_GLASS)
    pen.polygon(
        ((x - 0.05 * s, y - height - 0.07 * s), (x, y - height - 0.12 * s), (x + 0.05 * s, y - height - 0.07 * s)), fill=paint
    )


def _boat(pen: ImageDraw.ImageDraw, x: float, y: float, s: float, colour: str | None, light: Light) -> None:
    sail = tinted(PAINT[colour or "white"], light)
    wood = tinted(_WOOD, light)
    pen.rectangle((x - 0.008 * s, y - 0.36 * s, x + 0.008 * s, y - 0.03 * s), fill=wood)
    pen.polygon(((x + 0.014 * s, y - 0.34 * s), (x + 0.15 * s, y - 0.075 * s), (x + 0.014 * s, y - 0.075 * s)), fill=sail)
    pen.polygon(
        ((x - 0.014 * s, y - 0.29 * s), (x - 0.115 * s, y - 0.075 * s), (x - 0.014 * s, y - 0.075 * s)), fill=_lighter(sail)
    )
    pen.polygon(
        ((x - 0.165 * s, y - 0.06 * s), (x + 0.165 * s, y - 0.06 * s), (x + 0.115 * s, y + 0.012 * s), (x - 0.115 * s, y + 0.012 * s)),
        fill=wood,
    )


def _lighter(colour: Colour) -> Colour:
    return mix(colour, (255, 255, 255), 0.28) if sum(colour) < 620 else mix(colour, (0, 0, 40), 0.12)


def _balloon(pen: ImageDraw.ImageDraw, x: float, y: float, s: float, colour: str | None, light: Light) -> None:
    paint = tinted(PAINT[colour or "red"], light)
    r, cy = 0.145 * s, y - 0.30 * s
    basket = tinted(_WOOD, light)
    pen.ellipse((x - r, cy - r * 1.08, x + r, cy + r * 1.08), fill=paint)
    pen.polygon(((x - r * 0.86, cy + r * 0.55), (x + r * 0.86, cy + r * 0.55), (x + 0.035 * s, y - 0.07 * s), (x - 0.035 * s, y - 0.07 * s)), fill=paint)
    pen.ellipse((x - r * 0.42, cy - r * 1.06, x + r * 0.42, cy + r * 1.2), fill=_lighter(paint))
    for side in (-1, 1):
        pen.line((x + side * 0.03 * s, y - 0.075 * s, x + side * 0.026 * s, y - 0.04 * s), fill=basket, width=max(round(0.008 * s), 1))
    pen.rectangle((x - 0.036 * s, y - 0.048 * s, x + 0.036 * s, y), fill=basket)


def _windmill(pen: ImageDraw.ImageDraw, x: float, y: float, s: float, colour: str | None, light: Light) -> None:
    paint = tinted(PAINT[colour or "white"], light)
    pen.polygon(((x - 0.085 * s, y), (x - 0.05 * s, y - 0.22 * s), (x + 0.05 * s, y - 0.22 * s), (x + 0.085 * s, y)), fill=paint)
    pen.pieslice((x - 0.062 * s, y - 0.285 * s, x + 0.062 * s, y - 0.155 * s), 180, 360, fill=tinted(_ROOF, light))
    pen.rectangle((x - 0.025 * s, y - 0.075 * s, x + 0.025 * s, y), fill=tinted(_WOOD, light))
    hub_x, hub_y, reach, width = x, y - 0.225 * s, 0.165 * s, 0.026 * s
    blade = tinted((244, 238, 224) if colour != "white" else (176, 150, 120), light)
    for dx, dy in ((0.75, -0.66), (0.66, 0.75), (-0.75, 0.66), (-0.66, -0.75)):
        px, py = -dy * width, dx * width
        ex, ey = hub_x + dx * reach, hub_y + dy * reach
        pen.polygon(((hub_x, hub_y), (hub_x + px + dx * 0.03 * s, hub_y + py + dy * 0.03 * s), (ex + px, ey + py), (ex - px, ey - py), (hub_x - px + dx * 0.03 * s, hub_y - py + dy * 0.03 * s)), fill=blade)
    pen.ellipse((hub_x - 0.016 * s, hub_y - 0.016 * s, hub_x + 0.016 * s, hub_y + 0.016 * s), fill=tinted(_WOOD, light))


def _tree(pen: ImageDraw.ImageDraw, x: float, y: float, s: float, colour: str | None, light: Light) -> None:
    leaf = tinted((56, 148, 58), light)
    pen.rectangle((x - 0.02 * s, y - 0.15 * s, x + 0.02 * s, y), fill=tinted(_WOOD, light))
    pen.ellipse((x - 0.13 * s, y - 0.34 * s, x + 0.13 * s, y - 0.10 * s), fill=leaf)
    pen.ellipse((x - 0.10 * s, y - 0.365 * s, x + 0.06 * s, y - 0.20 * s), fill=_lighter(leaf))


def _pine(pen: ImageDraw.ImageDraw, x: float, y: float, s: float, colour: str | None, light: Light) -> None:
    leaf = tinted((20, 94, 62), light)
    pen.rectangle((x - 0.018 * s, y - 0.07 * s, x + 0.018 * s, y), fill=tinted(_WOOD, light))
    for low, high, half in ((0.05, 0.19, 0.125), (0.13, 0.27, 0.10), (0.22, 0.37, 0.072)):
        pen.polygon(((x - half * s, y - low * s), (x, y - high * s), (x + half * s, y - low * s)), fill=leaf)
        pen.polygon(((x, y - low * s), (x, y - high * s), (x + half * s, y - low * s)), fill=_shaded(leaf))


def _cactus(pen: ImageDraw.ImageDraw, x: float, y: float, s: float, colour: str | None, light: Light) -> None:
    green = tinted((70, 152, 84), light)
    w = 0.036 * s

    def limb(cx: float, low: float, high: float, half: float) -> None:
        pen.rounded_rectangle((cx - half, y - high * s, cx + half, y - low * s), radius=half, fill=green)

    limb(x, -0.005, 0.31, w)
    for side, low, high in ((-1, 0.10, 0.23), (1, 0.14, 0.27)):
        arm = x + side * 0.085 * s
        pen.rectangle((min(x, arm), y - (low + 0.045) * s, max(x, arm), y - low * s), fill=green)
        limb(arm, low, high, w * 0.66)


DRAW: dict[str, Callable[[ImageDraw.ImageDraw, float, float, float, str | None, Light], None]] = {
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
"""kind -> how to draw it: pen, centre x, foot y, canvas side (lengths scale with it), colour word, light."""
