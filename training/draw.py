"""Draw a scene. A pure function of scene and size, antialiased by drawing at twice the size and averaging."""

from __future__ import annotations

import math
import random

import numpy as np
from PIL import Image, ImageDraw

from training.scenes import Scene
from training.subjects import DRAW, Brush, Colour, Light, Point, mix, tinted

SKY: dict[str, tuple[Colour, Colour]] = {
    "day": ((74, 156, 236), (200, 231, 252)),
    "sunset": ((88, 46, 118), (255, 150, 66)),
    "night": ((8, 10, 40), (40, 46, 104)),
    "dawn": ((146, 150, 226), (255, 206, 192)),
    "storm": ((54, 56, 62), (134, 138, 144)),
}
"""Colours at the top of the picture and at the horizon."""

LIGHT: dict[str, Light] = {
    "day": (1.0, 1.0, 1.0),
    "sunset": (0.84, 0.68, 0.66),
    "night": (0.34, 0.38, 0.58),
    "dawn": (0.97, 0.91, 0.97),
    "storm": (0.62, 0.64, 0.68),
}
"""What the light of each sky leaves of a colour, per channel."""

GROUND: dict[str, tuple[Colour, Colour]] = {
    "meadow": ((126, 192, 84), (66, 142, 52)),
    "desert": ((238, 204, 136), (206, 160, 92)),
    "snow": ((250, 252, 255), (214, 228, 244)),
    "sea": ((52, 130, 196), (22, 78, 146)),
    "beach": ((250, 232, 178), (232, 202, 136)),
}
"""Colours of the ground at the horizon and at the lower edge."""

WATER: tuple[Colour, Colour] = ((30, 112, 186), (62, 164, 206))
"""The strip of sea behind a beach, far and near."""

MOUNTAIN: dict[str, Colour] = {
    "purple": (124, 82, 158),
    "grey": (118, 120, 128),
    "blue": (66, 104, 172),
    "green": (58, 130, 82),
}

SHORE = 0.14
"""Depth of a beach's water, as a share of the height."""

_OVERSAMPLING = 2
_SUBJECT_LIGHT = 0.5  # subjects keep half their own colour, so that red is still red at night


def draw(scene: Scene, size: int) -> Image.Image:
    """The scene as an RGB picture of `size` by `size` pixels."""
    side = size * _OVERSAMPLING
    rng = random.Random(f"draw/{scene.seed}")
    canvas = _gradients(scene, side)
    pen = ImageDraw.Draw(canvas)
    horizon = scene.horizon * side
    if scene.stars:
        _stars(pen, side, horizon, rng)
    _light(canvas, scene, horizon, rng)
    if scene.rainbow:
        canvas = _rainbow(canvas, scene, side, horizon, rng)
        pen = ImageDraw.Draw(canvas)
    if scene.clouds:
        _clouds(pen, scene, side, rng)
    _ground_cover(canvas, scene, side, horizon)
    if scene.mountains:
        _mountains(pen, scene, side, horizon, rng)
    _texture(pen, scene, side, horizon, rng)
    if scene.subject:
        _subject(pen, scene, side, horizon, rng)
    return canvas.reduce(_OVERSAMPLING)


def _gradients(scene: Scene, side: int) -> Image.Image:
    top, bottom = (np.array(colour, np.float32) for colour in SKY[scene.sky])
    share = np.clip(np.arange(side, dtype=np.float32) / (scene.horizon * side), 0, 1)[:, None]
    column = top + (bottom - top) * share**1.2
    return _spread(column, side)


def _spread(column: np.ndarray, side: int) -> Image.Image:
    """A picture whose every column is `column`, (rows, 3)."""
    rows = np.broadcast_to(column.round().astype(np.uint8)[:, None, :], (column.shape[0], side, 3))
    return Image.fromarray(np.ascontiguousarray(rows))


def _band(canvas: Image.Image, colours: tuple[Colour, Colour], sky: str, top: int, bottom: int) -> None:
    far, near = (np.array(tinted(colour, LIGHT[sky]), np.float32) for colour in colours)
    share = np.linspace(0, 1, max(bottom - top, 1), dtype=np.float32)[:, None]
    canvas.paste(_spread(far + (near - far) * share, canvas.width), (0, top))


def _ground_cover(canvas: Image.Image, scene: Scene, side: int, horizon: float) -> None:
    """The ground, to the lower edge; a beach has water behind its sand."""
    top = round(horizon)
    if scene.setting == "beach":
        shore = round(horizon + SHORE * side)
        _band(canvas, WATER, scene.sky, top, shore)
        top = shore
    _band(canvas, GROUND[scene.setting], scene.sky, top, side)


def _stars(pen: ImageDraw.ImageDraw, side: int, horizon: float, rng: random.Random) -> None:
    for _ in range(46):
        x, y = rng.random() * side, rng.random() * horizon * 0.9
        radius = side * rng.choice((0.0035, 0.0045, 0.007))
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(244, 244, 232))


def _light(canvas: Image.Image, scene: Scene, horizon: float, rng: random.Random) -> None:
    """Sun or moon, with a halo; low at sunset and dawn, high by day and night."""
    if not (scene.sun or scene.moon):
        return
    pen, side = ImageDraw.Draw(canvas), canvas.width
    low = scene.sky in ("sunset", "dawn")
    x = side * rng.uniform(0.12, 0.88)
    y = horizon * (rng.uniform(0.45, 0.72) if low else rng.uniform(0.16, 0.36))
    radius = side * (0.075 if low else 0.062)
    disc = {"sunset": (255, 214, 92), "dawn": (255, 238, 170), "day": (255, 232, 96)}.get(scene.sky, (246, 244, 220))
    around = canvas.getpixel((min(int(x), side - 1), int(y)))
    assert isinstance(around, tuple)
    backdrop: Colour = (int(around[0]), int(around[1]), int(around[2]))
    for reach, share in ((1.7, 0.16), (1.35, 0.32)):
        halo = radius * reach
        pen.ellipse((x - halo, y - halo, x + halo, y + halo), fill=mix(backdrop, disc, share))
    pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=disc)
    if scene.moon:
        for dx, dy, share in ((-0.35, -0.2, 0.24), (0.3, 0.3, 0.2), (0.15, -0.45, 0.14)):
            cx, cy, r = x + dx * radius, y + dy * radius, share * radius
            pen.ellipse((cx - r, cy - r, cx + r, cy + r), fill=mix(disc, (190, 190, 170), 0.5))


def _rainbow(canvas: Image.Image, scene: Scene, side: int, horizon: float, rng: random.Random) -> Image.Image:
    """An arc with its feet behind the horizon, laid over the sky half transparent."""
    bands = ((232, 60, 60), (248, 150, 50), (250, 226, 80), (90, 190, 90), (70, 120, 220), (140, 80, 190))
    radius, x = side * rng.uniform(0.40, 0.48), side * rng.uniform(0.35, 0.65)
    width = side * 0.014
    over = canvas.copy()
    pen = ImageDraw.Draw(over)
    for index, band in enumerate(bands):
        r = radius - index * width
        pen.arc((x - r, horizon - r, x + r, horizon + r), 180, 360, fill=band, width=math.ceil(width) + 1)
    return Image.blend(canvas, over, 0.6)


def _clouds(pen: ImageDraw.ImageDraw, scene: Scene, side: int, rng: random.Random) -> None:
    colour = {
        "day": (250, 252, 255),
        "sunset": (255, 196, 164),
        "dawn": (255, 232, 236),
        "night": (96, 102, 146),
        "storm": (172, 176, 182),
    }[scene.sky]
    for _ in range(rng.choice((2, 3, 3))):
        x, y = side * rng.uniform(0.1, 0.9), side * rng.uniform(0.07, 0.26)
        width = side * rng.uniform(0.09, 0.14)
        height = width * 0.36
        for dx, dy, share in ((-0.75, 0.15, 0.62), (0.75, 0.2, 0.58), (0.3, -0.3, 0.7), (-0.25, -0.15, 0.8)):
            cx, cy, rx, ry = x + dx * width, y + dy * height, width * share, height * share * 1.25
            pen.ellipse((cx - rx, cy - ry, cx + rx, cy + ry), fill=colour)


def _mountains(pen: ImageDraw.ImageDraw, scene: Scene, side: int, horizon: float, rng: random.Random) -> None:
    """A ridge of three to five peaks along the horizon, each with a shaded flank and a cap of snow."""
    assert scene.mountains is not None
    light = LIGHT[scene.sky]
    body = tinted(MOUNTAIN[scene.mountains], mix_light(light, 0.3))
    shade = mix(body, (10, 10, 30), 0.22)
    snow = tinted((246, 248, 252), mix_light(light, 0.2))
    count = rng.choice((3, 4, 5))
    peaks = []
    for index in range(count):
        x = side * ((index + 0.5) / count + rng.uniform(-0.06, 0.06))
        peaks.append((x, side * rng.uniform(0.13, 0.24), side * rng.uniform(0.17, 0.24)))
    for x, height, half in sorted(peaks, key=lambda peak: -peak[1]):
        top = horizon - height
        pen.polygon(((x - half, horizon), (x, top), (x + half, horizon)), fill=body)
        pen.polygon(((x, top), (x + half, horizon), (x + half * 0.15, horizon)), fill=shade)
        cap = 0.3
        dx, y = half * cap, top + height * cap
        teeth = (
            (x - dx * 0.45, y - height * 0.06),
            (x - dx * 0.1, y + height * 0.05),
            (x + dx * 0.4, y - height * 0.05),
        )
        pen.polygon(((x, top), (x - dx, y), *teeth, (x + dx, y)), fill=snow)


def mix_light(light: Light, share: float) -> Light:
    """The light weakened towards white light by `share`."""
    red, green, blue = (part + (1 - part) * share for part in light)
    return red, green, blue


def _texture(pen: ImageDraw.ImageDraw, scene: Scene, side: int, horizon: float, rng: random.Random) -> None:
    """A swell of the ground in front, and strokes: waves, grass, dunes, drifts."""
    light = LIGHT[scene.sky]
    far, near = (tinted(colour, light) for colour in GROUND[scene.setting])
    if scene.setting != "sea":
        _swell(pen, side, 0.90, mix(near, (0, 0, 0), 0.10) if scene.setting != "snow" else mix(near, far, -0.7), rng)
    water = scene.setting in ("sea", "beach")
    if water:
        lower = side if scene.setting == "sea" else horizon + SHORE * side * 0.85
        wave = mix(tinted((90, 170, 222), light), (255, 255, 255), 0.12)
        for _ in range(26 if scene.setting == "sea" else 9):
            _stroke(pen, side, rng.uniform(horizon + side * 0.02, lower), wave, rng)
    if scene.setting == "beach":
        y = horizon + SHORE * side
        pen.rectangle(
            (0, y - side * 0.007, side, y + side * 0.007), fill=tinted((248, 250, 250), mix_light(light, 0.2))
        )
    if scene.setting in ("meadow", "desert"):
        stroke = mix(far, (255, 255, 255), 0.12) if scene.setting == "desert" else mix(near, (0, 40, 0), 0.14)
        for _ in range(16):
            _stroke(pen, side, rng.uniform(horizon + side * 0.05, side * 0.97), stroke, rng)
    if scene.setting == "meadow":
        for _ in range(12):
            x, y, r = rng.random() * side, rng.uniform(horizon + side * 0.08, side), side * 0.008
            petal = tinted(rng.choice(((255, 250, 240), (250, 220, 90), (240, 120, 140))), mix_light(light, 0.3))
            pen.ellipse((x - r, y - r, x + r, y + r), fill=petal)


def _stroke(pen: ImageDraw.ImageDraw, side: int, y: float, colour: Colour, rng: random.Random) -> None:
    x, length = rng.random() * side, side * rng.uniform(0.03, 0.08)
    pen.line((x, y, x + length, y), fill=colour, width=max(round(side * 0.008), 1))


def _swell(pen: ImageDraw.ImageDraw, side: int, level: float, colour: Colour, rng: random.Random) -> None:
    phase, height = rng.random() * math.tau, rng.uniform(0.015, 0.035)
    edge: list[Point] = [
        (side * i / 24, side * (level + height * math.sin(phase + 1.1 * math.tau * i / 24))) for i in range(25)
    ]
    pen.polygon((*edge, (side, side), (0, side)), fill=colour)


def _subject(pen: ImageDraw.ImageDraw, scene: Scene, side: int, horizon: float, rng: random.Random) -> None:
    """The subject with its foot on the ground; at sea on an islet, a boat afloat, a balloon in the air."""
    subject = scene.subject
    assert subject is not None
    x = subject.x * side
    light = mix_light(LIGHT[scene.sky], _SUBJECT_LIGHT)
    foot = horizon + side * rng.uniform(0.12, 0.17)
    if subject.kind == "sailing boat":
        foot = horizon + side * (rng.uniform(0.08, 0.16) if scene.setting == "sea" else rng.uniform(0.06, 0.09))
    elif subject.kind == "hot air balloon":
        foot = horizon - side * rng.uniform(0.01, 0.06)
    elif scene.setting == "sea":
        islet = side * 0.22
        pen.ellipse(
            (x - islet, foot - islet * 0.24, x + islet, foot + islet * 0.30),
            fill=tinted((222, 190, 120), LIGHT[scene.sky]),
        )
    elif scene.setting == "beach":
        foot = horizon + side * rng.uniform(0.18, 0.22)
    DRAW[subject.kind](Brush(pen, x, foot, side * rng.uniform(0.94, 1.06), subject.colour, light))
