"""Skies: their colours and light, and what hangs in them: sun, moon, stars, rainbow, clouds."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

import numpy as np

from training.canvas import Canvas, Colour, Field, Light, Stop, gradient, mix, smooth, towards_white
from training.scenes import Scene


@dataclass(frozen=True)
class Sky:
    """How one sky looks. `stops` run from the zenith to the horizon; `light` is what it leaves of a colour."""

    stops: tuple[Stop, ...]
    light: Light
    haze: Colour
    disc: Colour
    glow: Colour
    glow_reach: float
    cloud: tuple[Colour, Colour]  # its lit side and its shaded one
    water: Colour  # what the sea adds of its own


SKY: dict[str, Sky] = {
    "day": Sky(
        (Stop(0, (52, 132, 222)), Stop(0.55, (126, 188, 242)), Stop(1, (218, 238, 250))),
        (1.0, 1.0, 1.0),
        (206, 228, 244),
        (255, 240, 150),
        (255, 244, 190),
        0.20,
        ((255, 255, 255), (196, 214, 234)),
        (22, 108, 172),
    ),
    "sunset": Sky(
        (
            Stop(0, (58, 40, 106)),
            Stop(0.38, (140, 62, 128)),
            Stop(0.68, (232, 104, 84)),
            Stop(0.88, (255, 160, 82)),
            Stop(1, (255, 206, 128)),
        ),
        (0.90, 0.68, 0.62),
        (246, 150, 104),
        (255, 232, 150),
        (255, 190, 96),
        0.34,
        ((255, 176, 130), (150, 78, 128)),
        (70, 58, 112),
    ),
    "night": Sky(
        (Stop(0, (8, 12, 44)), Stop(0.6, (22, 36, 92)), Stop(1, (52, 78, 142))),
        (0.32, 0.41, 0.66),
        (48, 70, 128),
        (250, 246, 222),
        (150, 176, 226),
        0.22,
        ((104, 118, 168), (38, 50, 100)),
        (12, 32, 84),
    ),
    "dawn": Sky(
        (
            Stop(0, (132, 156, 224)),
            Stop(0.45, (200, 180, 228)),
            Stop(0.76, (248, 196, 204)),
            Stop(1, (255, 232, 208)),
        ),
        (0.98, 0.90, 0.94),
        (250, 218, 214),
        (255, 246, 204),
        (255, 232, 190),
        0.30,
        ((255, 244, 240), (222, 178, 204)),
        (98, 136, 186),
    ),
    "storm": Sky(
        (Stop(0, (40, 46, 56)), Stop(0.6, (88, 98, 108)), Stop(1, (148, 158, 162))),
        (0.62, 0.66, 0.70),
        (136, 146, 152),
        (255, 255, 255),
        (255, 255, 255),
        0.2,
        ((150, 158, 166), (62, 70, 80)),
        (44, 70, 84),
    ),
}

_RAINBOW = tuple(
    Stop(index / 5, colour)
    for index, colour in enumerate(
        ((150, 92, 204), (84, 130, 232), (92, 200, 120), (250, 230, 96), (250, 158, 66), (238, 78, 72))
    )
)
"""Violet inside, red outside."""


@dataclass(frozen=True)
class Lamp:
    """Where the light comes from: the disc's centre in sides, and whether a disc is seen there at all."""

    x: float
    y: float
    radius: float
    seen: bool


def lamp_of(scene: Scene, canvas: Canvas) -> Lamp:
    """The sun or the moon. Low at sunset and dawn, high by day and night; light has a side even when none is seen."""
    rng = random.Random(f"lamp/{scene.seed}")
    low = scene.sky in ("sunset", "dawn")
    x = canvas.wide * rng.uniform(0.12, 0.88)
    y = scene.horizon * canvas.high * (rng.uniform(0.50, 0.76) if low else rng.uniform(0.18, 0.38))
    return Lamp(x, y, {"sunset": 0.078, "dawn": 0.068, "night": 0.064}.get(scene.sky, 0.062), scene.sun or scene.moon)


def paint_sky(canvas: Canvas, scene: Scene, lamp: Lamp) -> None:
    """The whole picture as sky; the land is laid over its lower part."""
    sky, rng = SKY[scene.sky], random.Random(f"sky/{scene.seed}")
    horizon = scene.horizon * canvas.high
    stops = tuple(Stop(stop.at ** rng.uniform(0.85, 1.15), stop.colour) for stop in sky.stops)
    column = gradient(stops, np.clip(canvas.y / horizon, 0, 1))
    canvas.pixels[:] = column
    if scene.sky == "storm":
        _rain(canvas, horizon, rng)
    if scene.stars:
        _stars(canvas, scene, horizon)
    if lamp.seen:
        _disc(canvas, scene, sky, lamp)
    if scene.rainbow:
        _rainbow(canvas, scene, horizon)
    if scene.clouds:
        _clouds(canvas, scene, sky, lamp, horizon)


def _rain(canvas: Canvas, horizon: float, rng: random.Random) -> None:
    """Broad slanted shafts of rain, darker and lighter, faint at the top."""
    lean, phase = rng.uniform(0.25, 0.5), rng.random() * math.tau
    across = (canvas.x + canvas.y * lean) / canvas.wide
    wave = np.sin(across * rng.uniform(22, 30) + phase) * np.sin(across * rng.uniform(7, 11) + 2 * phase)
    canvas.pixels += (wave * smooth(canvas.y / horizon, 0.1, 0.9) * 9)[..., None]


def _stars(canvas: Canvas, scene: Scene, horizon: float) -> None:
    """A faint milky band, and stars of three sizes, fewer towards the horizon."""
    rng = random.Random(f"stars/{scene.seed}")
    tilt, level = rng.uniform(-0.5, 0.5), horizon * rng.uniform(0.2, 0.45)
    band = np.exp(-np.square((canvas.y - level - tilt * (canvas.x - canvas.wide / 2)) / 0.11))
    canvas.shine((120, 130, 190), (0.30 * band).astype(np.float32))
    for _ in range(round(44 * canvas.wide * canvas.high)):
        x, y = rng.random() * canvas.wide, horizon * 0.95 * rng.random() ** 1.25
        radius = rng.choice((0.0032, 0.0032, 0.0042, 0.0062))
        colour = rng.choice(((255, 255, 250), (226, 234, 255), (255, 240, 214)))
        _dot(canvas, x, y, radius=radius, colour=colour, share=rng.uniform(0.7, 1.0))


def _dot(canvas: Canvas, x: float, y: float, *, radius: float, colour: Colour, share: float) -> None:
    rows, columns = canvas.rows(y - 2 * radius - 0.01, y + 2 * radius + 0.01), canvas.columns(x - 0.02, x + 0.02)
    distance = np.hypot(canvas.x[:, columns] - x, canvas.y[rows] - y)
    mask = np.clip((radius - distance) * canvas.side + 0.6, 0, 1) * share
    part = canvas.pixels[rows, columns]
    part += (np.asarray(colour, np.float32) - part) * mask[..., None]


def _disc(canvas: Canvas, scene: Scene, sky: Sky, lamp: Lamp) -> None:
    """Sun or moon in its glow. The moon has seas, and is sometimes not quite full."""
    distance = np.hypot(canvas.x - lamp.x, canvas.y - lamp.y).astype(np.float32)
    wide = np.exp(-np.square(distance / sky.glow_reach)) * (0.55 if scene.sun else 0.34)
    near = np.exp(-np.square(distance / (lamp.radius * 1.7))) * (0.6 if scene.sun else 0.4)
    canvas.shine(sky.glow, (wide + near).astype(np.float32))
    disc = canvas.inside(lamp.radius - distance)
    canvas.lay(sky.disc, disc)
    if scene.moon:
        rng = random.Random(f"moon/{scene.seed}")
        turn = rng.random() * math.tau
        for angle, reach, share in ((0.3, 0.42, 0.27), (2.2, 0.34, 0.2), (3.9, 0.52, 0.17), (5.3, 0.25, 0.13)):
            x = lamp.x + math.cos(angle + turn) * reach * lamp.radius
            y = lamp.y + math.sin(angle + turn) * reach * lamp.radius
            sea = canvas.inside(share * lamp.radius - np.hypot(canvas.x - x, canvas.y - y))
            canvas.lay((214, 210, 192), sea * disc * 0.75)


def _rainbow(canvas: Canvas, scene: Scene, horizon: float) -> None:
    """An arc with its feet behind the horizon, soft at both rims."""
    rng = random.Random(f"rainbow/{scene.seed}")
    radius, x = rng.uniform(0.40, 0.50), canvas.wide * rng.uniform(0.3, 0.7)
    width = 0.075
    distance = np.hypot(canvas.x - x, canvas.y - horizon - 0.03).astype(np.float32)
    across = (distance - radius + width) / width
    share = smooth(across, -0.08, 0.12) * (1 - smooth(across, 0.88, 1.08))
    strength = 0.62 if scene.sky == "storm" else 0.72
    canvas.lay(gradient(_RAINBOW, np.clip(across, 0, 1)), share * strength)


def _clouds(canvas: Canvas, scene: Scene, sky: Sky, lamp: Lamp, horizon: float) -> None:
    """Two to four: heaps by day and storm, long bands when the sun is low."""
    rng = random.Random(f"clouds/{scene.seed}")
    count = rng.choice((2, 3, 3, 4))
    places = [(index + rng.uniform(0.15, 0.85)) / count for index in range(count)]
    rng.shuffle(places)
    for index, place in enumerate(places):
        x, y = canvas.wide * place, horizon * rng.uniform(0.14, 0.46)
        if lamp.seen and abs(x - lamp.x) < 0.2 and abs(y - 0.03 - lamp.y) < 0.11:
            # Clear of the disc, above or below it: what a caption names must be seen.
            y = lamp.y + (0.155 if lamp.y < 0.24 else -0.09)
        if scene.sky in ("sunset", "dawn") and index % 2:
            _band(canvas, sky, x, y, rng)
        else:
            half = rng.uniform(0.10, 0.17) * (1.15 if scene.sky == "storm" else 1.0)
            _heap(canvas, sky, lamp, rng, x=x, base=y, half=half)


def _heap(canvas: Canvas, sky: Sky, lamp: Lamp, rng: random.Random, *, x: float, base: float, half: float) -> None:
    """A cloud of round lobes on a flat base, lit from above and from the light's side."""
    lobes = []
    for dx in (-0.72, -0.34, 0.05, 0.42, 0.78):
        rise = 1 - (dx * 0.95) ** 2
        radius = half * (0.24 + 0.28 * rise) * rng.uniform(0.85, 1.15)
        lobes.append((x + half * (dx + rng.uniform(-0.06, 0.06)), base - radius * rng.uniform(0.55, 0.8), radius))
    top = min(cy - radius for _, cy, radius in lobes)
    rows, columns = canvas.rows(top - 0.01, base + 0.02), canvas.columns(x - half * 1.5, x + half * 1.5)
    across, down = canvas.x[:, columns], canvas.y[rows]
    depth = np.full((down.shape[0], across.shape[1]), -1, np.float32)
    for cx, cy, radius in lobes:
        np.maximum(depth, radius - np.hypot(across - cx, down - cy), out=depth)
    depth = np.minimum(depth, base - down)
    side = 1.0 if lamp.x > x else -1.0
    lit = (base - down) / (base - top) + side * (across - x) / half * 0.16
    _lay_cloud(canvas, sky, rows, columns, depth=depth, lit=smooth(lit, 0.05, 0.75))


def _band(canvas: Canvas, sky: Sky, x: float, y: float, rng: random.Random) -> None:
    """Two or three long lens shapes, one over the other."""
    for index in range(rng.choice((2, 3))):
        cx, cy = x + rng.uniform(-0.08, 0.08), y + 0.026 * index
        half, thick = rng.uniform(0.11, 0.2), rng.uniform(0.012, 0.018)
        rows, columns = canvas.rows(cy - 0.04, cy + 0.04), canvas.columns(cx - half, cx + half)
        across, down = (canvas.x[:, columns] - cx) / half, canvas.y[rows] - cy
        edge = thick * np.sqrt(np.clip(1 - np.square(across), 0, None))
        depth = (edge - np.abs(down)).astype(np.float32)
        lit = smooth(np.broadcast_to(-down / thick, depth.shape), -1.2, 1.0)
        _lay_cloud(canvas, sky, rows, columns, depth=depth, lit=lit)


def _lay_cloud(canvas: Canvas, sky: Sky, rows: slice, columns: slice, *, depth: Field, lit: Field) -> None:
    light, shade = (np.asarray(colour, np.float32) for colour in sky.cloud)
    part = canvas.pixels[rows, columns]
    part += (shade + (light - shade) * lit[..., None] - part) * (canvas.inside(depth) * 0.94)[..., None]


def light_on_subject(sky: str) -> Light:
    """Subjects keep half of their own colour, so that red is still red at night."""
    return towards_white(SKY[sky].light, 0.45)


def hazed(colour: Colour, sky: str, share: float) -> Colour:
    """The colour as seen through air."""
    return mix(colour, SKY[sky].haze, share)
