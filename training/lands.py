"""What lies under a sky: mountains, and the five settings with their textures and their water."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from training.canvas import Canvas, Colour, Field, mix, smooth, tinted, towards_white
from training.scenes import Scene
from training.skies import SKY, Lamp, hazed

GROUND: dict[str, tuple[Colour, Colour]] = {
    "meadow": ((156, 206, 92), (54, 128, 52)),
    "desert": ((246, 214, 148), (206, 148, 84)),
    "snow": ((252, 253, 255), (206, 222, 244)),
    "beach": ((252, 234, 184), (228, 194, 128)),
}
"""Colours of the ground far and near."""

MOUNTAIN: dict[str, Colour] = {
    "purple": (128, 78, 164),
    "grey": (120, 122, 130),
    "blue": (58, 100, 176),
    "green": (52, 128, 78),
}

SHORE = 0.13
"""Depth of a beach's water, in sides."""


def paint_mountains(canvas: Canvas, scene: Scene, lamp: Lamp) -> None:
    """A far ridge in the haze, and before it three to five peaks with a lit flank, a shaded one and snow."""
    assert scene.mountains is not None
    rng, horizon = random.Random(f"mountains/{scene.seed}"), scene.horizon * canvas.high
    light = SKY[scene.sky].light
    body = tinted(MOUNTAIN[scene.mountains], towards_white(light, 0.25))
    snow = tinted((250, 251, 255), towards_white(light, 0.35))
    far = hazed(body, scene.sky, 0.55)
    edge = horizon - _ridge(canvas, rng, 0.10, 0.20)
    canvas.lay(far, canvas.below(edge))
    count = rng.choice((3, 4, 4, 5)) if canvas.wide < 1.2 else rng.choice((5, 6))
    peaks = []
    for index in range(count):
        x = canvas.wide * ((index + 0.5) / count) + rng.uniform(-0.07, 0.07)
        peaks.append((x, rng.uniform(0.11, 0.22), rng.uniform(0.16, 0.25)))
    for x, height, half in sorted(peaks, key=lambda peak: -peak[1]):
        _peak(canvas, scene, _Peak(x, height, half, body, snow), 1.0 if lamp.x > x else -1.0, rng)


def _ridge(canvas: Canvas, rng: random.Random, low: float, high: float) -> Field:
    """Heights of a jagged line over the columns, (1, width)."""
    knots = 9
    heights = [rng.uniform(low, high) * (1.0 if index % 2 else 0.72) for index in range(knots)]
    return np.interp(canvas.x, np.linspace(0, canvas.wide, knots), heights).astype(np.float32)


@dataclass(frozen=True)
class _Peak:
    """One mountain: the place of its top, how high and how wide to either side, its rock and its snow."""

    x: float
    height: float
    half: float
    body: Colour
    snow: Colour


def _peak(canvas: Canvas, scene: Scene, peak: _Peak, lit: float, rng: random.Random) -> None:
    """`lit` is the side the light comes from: -1 left, 1 right."""
    x, height, half, body, snow = peak.x, peak.height, peak.half, peak.body, peak.snow
    horizon = scene.horizon * canvas.high
    rows, columns = canvas.rows(horizon - height - 0.01, horizon + 0.01), canvas.columns(x - half, x + half)
    across, down = canvas.x[:, columns] - x, canvas.y[rows] - (horizon - height)
    bend = rng.uniform(0.02, 0.05) * math.copysign(1, rng.random() - 0.5)
    slope = height / half
    wobble = 0.010 * np.sin(across * rng.uniform(40, 60) + rng.random() * 6) * np.clip(np.abs(across) / half * 3, 0, 1)
    depth = (down - np.abs(across) * slope + wobble) * 0.75
    mask = canvas.inside(depth.astype(np.float32))
    # The crease between the flanks wanders to and fro on its way down.
    crease = bend * np.sin(down / height * 5.0) * down / height
    bright = canvas.inside((across - crease) * lit)
    share = (down / height).astype(np.float32)
    shade = mix(body, (16, 14, 48), 0.30)
    light = mix(body, (255, 246, 220), 0.16)
    flank = (
        np.asarray(shade, np.float32)
        + (np.asarray(light, np.float32) - np.asarray(shade, np.float32)) * bright[..., None]
    )
    teeth = 0.30 + 0.07 * np.sin(across / half * rng.uniform(11, 14) + rng.random() * 6)
    cap = canvas.inside(((teeth - share) * height).astype(np.float32))
    cold = np.asarray(mix(snow, body, 0.30), np.float32)
    white = cold + (np.asarray(snow, np.float32) - cold) * bright[..., None]
    colours = flank + (white - flank) * cap[..., None]
    haze = np.asarray(SKY[scene.sky].haze, np.float32)
    colours = colours + (haze - colours) * (0.42 * smooth(share, 0.35, 1.1))[..., None]
    part = canvas.pixels[rows, columns]
    part += (colours - part) * mask[..., None]


def mist(canvas: Canvas, scene: Scene, strength: float) -> None:
    """A veil over the horizon, in two drifting layers."""
    rng, horizon = random.Random(f"mist/{scene.seed}"), scene.horizon * canvas.high
    for level, thick in ((-0.012, 0.022), (0.02, 0.028)):
        drift = 0.012 * np.sin(canvas.x * rng.uniform(4, 8) + rng.random() * 6)
        share = np.exp(-np.square((canvas.y - horizon - level - drift) / thick)) * strength
        canvas.lay(SKY[scene.sky].haze, share.astype(np.float32))


def paint_land(canvas: Canvas, scene: Scene, lamp: Lamp) -> None:
    """The setting, from the horizon to the lower edge."""
    _LANDS[scene.setting](canvas, scene, lamp, random.Random(f"land/{scene.seed}"))


def _slope(canvas: Canvas, edge: Field, far: Colour, near: Colour, reach: float) -> None:
    """Ground below a curve, running from one colour to the other within `reach` below it."""
    top = float(edge.min()) - 0.01
    rows = canvas.rows(top, canvas.high)
    share = np.clip((canvas.y[rows] - edge) / reach, 0, 1)[..., None]
    colours = np.asarray(far, np.float32) + (np.asarray(near, np.float32) - np.asarray(far, np.float32)) * share
    canvas.lay(colours, canvas.inside(canvas.y[rows] - edge), rows)


def _wave(canvas: Canvas, rng: random.Random, level: float, height: float, waves: float) -> Field:
    """A soft curve about a level, (1, width)."""
    phase, second = rng.random() * math.tau, rng.random() * math.tau
    x = canvas.x / canvas.wide * math.tau
    curve = np.sin(x * waves + phase) + 0.4 * np.sin(x * waves * 2.3 + second)
    edge: Field = (level + height * curve).astype(np.float32)
    return edge


def _strokes(
    canvas: Canvas, rng: random.Random, count: int, *, top: float, bottom: float, colour: Colour, share: float
) -> None:
    """Short level strokes with tapering ends, longer the nearer they are."""
    for _ in range(count):
        y = top + (bottom - top) * rng.random() ** 0.8
        near = (y - top) / max(bottom - top, 1e-6)
        x, half, thick = rng.random() * canvas.wide, 0.018 + 0.034 * near, 0.0022 + 0.0028 * near
        rows, columns = canvas.rows(y - 0.012, y + 0.012), canvas.columns(x - half, x + half)
        across, down = (canvas.x[:, columns] - x) / half, canvas.y[rows] - y
        depth = thick * (1 - np.square(across)) - np.abs(down)
        part = canvas.pixels[rows, columns]
        mask = np.clip(depth * canvas.side + 0.4, 0, 1) * share
        part += (np.asarray(colour, np.float32) - part) * mask[..., None].astype(np.float32)


def _meadow(canvas: Canvas, scene: Scene, lamp: Lamp, rng: random.Random) -> None:
    """Three rolling hills, each bright along its crest, tufts of grass and drifts of flowers."""
    light, horizon = SKY[scene.sky].light, scene.horizon * canvas.high
    far, near = (tinted(colour, light) for colour in GROUND["meadow"])
    depth = canvas.high - horizon
    for index, (level, waves) in enumerate(((0.0, 0.7), (0.26, 0.9), (0.60, 0.6))):
        edge = _wave(canvas, rng, horizon + level * depth, 0.004 + 0.010 * index, waves)
        crest = mix(far, near, 0.26 * index)
        _slope(
            canvas, edge, mix(crest, (255, 255, 220), 0.05), mix(near, crest, 0.45 - 0.2 * index), 0.34 * depth + 0.05
        )
    grass = mix(near, (10, 60, 20), 0.35)
    _strokes(canvas, rng, 16, top=horizon + 0.07, bottom=canvas.high * 0.98, colour=grass, share=0.5)
    petals = [tinted(c, towards_white(light, 0.35)) for c in ((255, 250, 240), (252, 214, 84), (236, 106, 130))]
    for _ in range(3):
        colour, cx = rng.choice(petals), rng.random() * canvas.wide
        cy = rng.uniform(horizon + 0.12, canvas.high - 0.02)
        for _ in range(6):
            x, y = cx + rng.gauss(0, 0.07), cy + rng.gauss(0, 0.018)
            if y > horizon + 0.06:
                _flower(canvas, x, y, 0.004 + 0.008 * (y - horizon), colour)


def _flower(canvas: Canvas, x: float, y: float, radius: float, colour: Colour) -> None:
    rows, columns = canvas.rows(y - 0.02, y + 0.02), canvas.columns(x - 0.02, x + 0.02)
    part = canvas.pixels[rows, columns]
    mask = canvas.inside(radius - np.hypot(canvas.x[:, columns] - x, (canvas.y[rows] - y) * 1.25))
    part += (np.asarray(colour, np.float32) - part) * mask[..., None]


def _desert(canvas: Canvas, scene: Scene, lamp: Lamp, rng: random.Random) -> None:
    """Dunes: sharp crests, one side in the light and the other in shade, and ripples before them."""
    light, horizon = SKY[scene.sky].light, scene.horizon * canvas.high
    far, near = (tinted(colour, light) for colour in GROUND["desert"])
    depth = canvas.high - horizon
    _slope(
        canvas, _wave(canvas, rng, horizon, 0.003, 0.8), hazed(far, scene.sky, 0.22), mix(far, near, 0.4), depth * 0.6
    )
    for level, height in ((0.13, 0.045), (0.42, 0.085)):
        bright = mix(far, near, level * 0.7)
        _dune(canvas, lamp, rng, level=horizon + depth * level, height=height, bright=bright, near=near)
    ripple = mix(far, (255, 250, 230), 0.25)
    _strokes(canvas, rng, 14, top=horizon + 0.14, bottom=canvas.high * 0.98, colour=ripple, share=0.45)


def _dune(
    canvas: Canvas, lamp: Lamp, rng: random.Random, *, level: float, height: float, bright: Colour, near: Colour
) -> None:
    """One long dune whose crest comes down towards the viewer as a line between light and shade."""
    top = canvas.wide * rng.uniform(0.15, 0.85)
    left, right = rng.uniform(0.35, 0.6), rng.uniform(0.35, 0.6)
    x = canvas.x - top
    fall = np.where(x < 0, -x / left, x / right)
    edge = (level - height * np.clip(1 - fall, 0, 1) ** 1.6 + 0.010 * np.clip(fall, 0, 2)).astype(np.float32)
    rows = canvas.rows(float(edge.min()) - 0.01, canvas.high)
    down = canvas.y[rows] - edge
    mask = canvas.inside(down)
    lean = 1.0 if lamp.x > top else -1.0
    crease = x - lean * -0.5 * (canvas.y[rows] - level + height) - 0.03 * np.sin((canvas.y[rows] - level) * 24)
    lit = smooth((crease * lean).astype(np.float32), -0.006, 0.006)
    shade = mix(near, (70, 36, 60), 0.28)
    share = np.clip(down / 0.22, 0, 1)[..., None]
    ground = np.asarray(mix(bright, near, 0.55), np.float32)
    light_side = np.asarray(mix(bright, (255, 252, 230), 0.12), np.float32)
    dark_side = np.asarray(mix(bright, shade, 0.55), np.float32)
    side = dark_side + (light_side - dark_side) * lit[..., None]
    canvas.lay(side + (ground - side) * share, mask, rows)


def _snow(canvas: Canvas, scene: Scene, lamp: Lamp, rng: random.Random) -> None:
    """Drifts with blue hollows, and a few sparkles."""
    light, horizon = SKY[scene.sky].light, scene.horizon * canvas.high
    light = towards_white(light, 0.12)
    far, near = (tinted(colour, light) for colour in GROUND["snow"])
    hollow = tinted((168, 194, 234), light)
    depth = canvas.high - horizon
    for index, (level, waves) in enumerate(((0.0, 0.6), (0.22, 0.8), (0.56, 0.55))):
        edge = _wave(canvas, rng, horizon + level * depth, 0.003 + 0.012 * index, waves)
        _slope(canvas, edge, mix(far, near, 0.12 * index), mix(near, hollow, 0.22 + 0.16 * index), 0.36 * depth)
    for _ in range(14):
        _flower(canvas, rng.random() * canvas.wide, rng.uniform(horizon + 0.08, canvas.high), 0.0035, far)


def water_column(canvas: Canvas, scene: Scene, top: float, bottom: float) -> Field:
    """Colours of open water between two heights: the sky upside down, and more of the water's own the nearer it is."""
    sky = SKY[scene.sky]
    rows = canvas.rows(top, bottom)
    horizon = round(top * canvas.side)
    distance = np.clip(np.arange(rows.start, rows.stop) - horizon, 0, None)
    above = np.clip(horizon - 2 - distance * 1.5, 0, horizon - 1).astype(int)
    stops = canvas.pixels[above].mean(axis=1)
    share = np.clip(distance / max(canvas.side * 0.36, 1), 0, 1)[:, None] * 0.42 + 0.46
    colours: Field = (stops + (np.asarray(sky.water, np.float32) - stops) * share).astype(np.float32)
    return colours


def _lay_water(canvas: Canvas, scene: Scene, lamp: Lamp, rng: random.Random, bottom: float) -> None:
    horizon = scene.horizon * canvas.high
    rows = canvas.rows(horizon, bottom)
    column = water_column(canvas, scene, horizon, bottom)
    band = np.broadcast_to(column[:, None, :], (column.shape[0], canvas.pixels.shape[1], 3)).copy()
    if scene.mountains:
        _mirror_mountains(canvas, band, rows)
    canvas.lay(band, canvas.inside(np.broadcast_to(canvas.y[rows] - horizon, band.shape[:2])), rows)
    bright = mix(SKY[scene.sky].haze, (255, 255, 255), 0.45 if scene.sky != "night" else 0.05)
    count = 26 if scene.setting == "sea" else 10
    _strokes(canvas, rng, count, top=horizon + 0.016, bottom=bottom, colour=bright, share=0.42)
    if lamp.seen:
        _glade(canvas, scene, lamp, rng, bottom)


def _mirror_mountains(canvas: Canvas, band: Field, rows: slice) -> None:
    """The lowest part of what stands at the horizon, upside down, fading."""
    count = min(band.shape[0], round(0.10 * canvas.side), rows.start)
    above = canvas.pixels[rows.start - count : rows.start][::-1]
    fade = (0.42 * (1 - np.linspace(0, 1, count, dtype=np.float32) ** 1.5))[:, None, None]
    band[:count] += (above - band[:count]) * fade


def _glade(canvas: Canvas, scene: Scene, lamp: Lamp, rng: random.Random, bottom: float) -> None:
    """The light's path on the water: a soft column, broken into strokes."""
    horizon = scene.horizon * canvas.high
    rows = canvas.rows(horizon, bottom)
    near = (canvas.y[rows] - horizon) / max(bottom - horizon, 1e-6)
    spread = 0.024 + 0.05 * near
    column = np.exp(-np.square((canvas.x - lamp.x) / spread)) * (0.55 - 0.25 * near)
    canvas.pixels[rows] += (
        (1 - canvas.pixels[rows] / 255) * np.asarray(SKY[scene.sky].disc, np.float32) * column[..., None]
    ).astype(np.float32)
    for _ in range(10 if scene.setting == "sea" else 5):
        y = horizon + (bottom - horizon) * rng.random()
        share = (y - horizon) / max(bottom - horizon, 1e-6)
        half, x = 0.02 + 0.03 * share, lamp.x + rng.gauss(0, 0.014 + 0.02 * share)
        lines, columns = canvas.rows(y - 0.012, y + 0.012), canvas.columns(x - half, x + half)
        across, down = (canvas.x[:, columns] - x) / half, canvas.y[lines] - y
        mask = np.clip((0.0045 * (1 - np.square(across)) - np.abs(down)) * canvas.side + 0.4, 0, 1) * 0.75
        part = canvas.pixels[lines, columns]
        part += (np.asarray(SKY[scene.sky].disc, np.float32) - part) * mask[..., None].astype(np.float32)


def _sea(canvas: Canvas, scene: Scene, lamp: Lamp, rng: random.Random) -> None:
    _lay_water(canvas, scene, lamp, rng, canvas.high)


def _beach(canvas: Canvas, scene: Scene, lamp: Lamp, rng: random.Random) -> None:
    """Water, a curved line of foam, wet sand that still shines, dry sand."""
    light, horizon = SKY[scene.sky].light, scene.horizon * canvas.high
    far, near = (tinted(colour, light) for colour in GROUND["beach"])
    level = horizon + SHORE
    shore = _wave(canvas, rng, level, 0.012, rng.uniform(0.4, 0.8))
    _lay_water(canvas, scene, lamp, rng, float(shore.max()) + 0.02)
    wet = mix(mix(far, near, 0.7), SKY[scene.sky].water, 0.30)
    _slope(canvas, shore, wet, mix(far, near, 0.35), 0.055)
    dry = _wave(canvas, rng, level + 0.075, 0.010, 0.7)
    _slope(canvas, dry, far, near, canvas.high - level)
    foam = tinted((252, 253, 252), towards_white(light, 0.35))
    rows = canvas.rows(level - 0.05, level + 0.06)
    gap = np.abs(canvas.y[rows] - shore)
    canvas.lay(foam, np.clip((0.0065 - gap) * canvas.side + 0.5, 0, 1).astype(np.float32) * 0.95, rows)
    second = np.abs(canvas.y[rows] - shore + 0.024 + 0.004 * np.sin(canvas.x * 11 + 1))
    canvas.lay(foam, np.clip((0.003 - second) * canvas.side + 0.4, 0, 1).astype(np.float32) * 0.5, rows)
    pebble = mix(near, (120, 80, 50), 0.3)
    _strokes(canvas, rng, 8, top=level + 0.11, bottom=canvas.high * 0.98, colour=pebble, share=0.35)


_LANDS: dict[str, Callable[[Canvas, Scene, Lamp, random.Random], None]] = {
    "meadow": _meadow,
    "desert": _desert,
    "snow": _snow,
    "sea": _sea,
    "beach": _beach,
}
