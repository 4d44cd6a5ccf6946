"""Draw a scene: a pure function of scene and size. What stands on the land is put there with shadow and mirror."""

from __future__ import annotations

import random

import numpy as np
from PIL import Image

from training.canvas import Canvas, Cutout, Field, mix, overlay, tinted
from training.lands import SHORE, mist, paint_land, paint_mountains
from training.scenes import Scene
from training.skies import SKY, Lamp, lamp_of, light_on_subject, paint_sky
from training.subjects import DOWN, DRAW, REACH, UP, Brush

_WINDOWS = {"house": (0.0, 0.085), "castle": (0.0, 0.15), "windmill": (0.0, 0.13)}
"""Where lamplight falls out, in sides above the foot."""


def draw(scene: Scene, size: int, height: int | None = None) -> Image.Image:
    """The scene as an RGB picture, `size` by `size` pixels, or `size` wide and `height` high."""
    canvas = Canvas(size, height or size)
    lamp = lamp_of(scene, canvas)
    paint_sky(canvas, scene, lamp)
    if scene.mountains:
        paint_mountains(canvas, scene, lamp)
    paint_land(canvas, scene, lamp)
    mist(canvas, scene, {"dawn": 0.62, "storm": 0.34, "sunset": 0.30, "night": 0.26, "day": 0.22}[scene.sky])
    if scene.subject:
        _place(canvas, scene, lamp)
    return canvas.picture()


def _place(canvas: Canvas, scene: Scene, lamp: Lamp) -> None:
    """The subject with its foot on the ground; at sea on an islet, a boat afloat, a balloon in the air."""
    subject = scene.subject
    assert subject is not None
    rng, horizon = random.Random(f"place/{scene.seed}"), scene.horizon * canvas.high
    x, depth = subject.x * canvas.wide, canvas.high - horizon
    scale = rng.uniform(0.93, 1.07)
    foot = horizon + depth * rng.uniform(0.30, 0.42)
    afloat, aloft = subject.kind == "sailing boat", subject.kind == "hot air balloon"
    if afloat:
        foot = horizon + (rng.uniform(0.09, 0.17) if scene.setting == "sea" else rng.uniform(0.05, 0.08))
    elif aloft:
        foot = horizon - rng.uniform(0.02, 0.08)
    elif scene.setting == "beach":
        foot = horizon + rng.uniform(0.21, 0.25)

    lit = 1.0 if lamp.x > x else -1.0
    dark = scene.sky in ("night", "storm", "sunset")
    cutout = Cutout(canvas.side, REACH, UP, DOWN)
    snowy = scene.setting == "snow" and not (afloat or aloft)
    DRAW[subject.kind](Brush(cutout, subject.colour, light_on_subject(scene.sky), lit, dark, snowy, rng, scale))
    colours, cover = cutout.layers()
    left, top = round(x * canvas.side) - cutout.middle, round(foot * canvas.side) - cutout.foot

    if afloat or (scene.setting == "sea" and not aloft):
        if not afloat:
            _islet(canvas, scene, x, foot, rng)
        room = SHORE - 0.01 - (foot - horizon) if scene.setting == "beach" else canvas.high
        edge = foot + (0.0 if afloat else 0.052)
        _mirror(canvas, colours, cover, left=left, top=edge, foot=cutout.foot, room=room)
    elif aloft:
        ground = horizon + depth * 0.42
        if scene.setting == "sea":
            _mirror(canvas, colours, cover, left=left, top=horizon + 0.07, foot=cutout.foot, room=canvas.high)
        else:
            _shadow(canvas, scene, x - lit * 0.05, ground, half=0.09, strength=0.16)
    else:
        _shadow(canvas, scene, x - lit * 0.075, foot + 0.002, half=0.19, strength=0.40)
    overlay(canvas, colours, cover, left=left, top=top)
    if dark:
        _lamplight(canvas, scene, x, foot, scale)


def _shadow(canvas: Canvas, scene: Scene, x: float, y: float, *, half: float, strength: float) -> None:
    rows, columns = canvas.rows(y - 0.06, y + 0.06), canvas.columns(x - half, x + half)
    across, down = (canvas.x[:, columns] - x) / half, (canvas.y[rows] - y) / 0.034
    share = np.clip(1 - np.hypot(across, down), 0, 1) ** 0.8
    colour = tinted((52, 58, 96), SKY[scene.sky].light)
    part = canvas.pixels[rows, columns]
    part += (np.asarray(colour, np.float32) - part) * (np.clip(share * 1.6, 0, 1) * strength)[..., None].astype(
        np.float32
    )


def _islet(canvas: Canvas, scene: Scene, x: float, foot: float, rng: random.Random) -> None:
    """A low island of sand with a green back, foam about it and its mirror below."""
    light = SKY[scene.sky].light
    half = rng.uniform(0.215, 0.245)
    rows, columns = canvas.rows(foot - 0.08, foot + 0.12), canvas.columns(x - half * 1.1, x + half * 1.1)
    across, down = (canvas.x[:, columns] - x) / half, canvas.y[rows] - foot
    bow = np.clip(1 - np.square(across), 0, None)
    sand, grass = tinted((236, 206, 140), light), tinted((112, 168, 84), light)
    part = canvas.pixels[rows, columns]

    def lay(colour: tuple[float, float, float], mask: Field) -> None:
        part[:] += (np.asarray(colour, np.float32) - part) * mask[..., None]

    mirror = canvas.inside(np.minimum(0.085 * np.sqrt(bow) - down, down - 0.03).astype(np.float32))
    lay(mix(sand, SKY[scene.sky].water, 0.62), mirror * 0.7)
    edge = np.minimum(0.048 * np.sqrt(bow) - down, 0.040 * np.sqrt(bow) + down).astype(np.float32)
    lay(
        mix(SKY[scene.sky].haze, (255, 255, 255), 0.5),
        canvas.inside(edge + 0.006 * np.sqrt(bow).astype(np.float32)) * (bow > 0) * 0.6,
    )
    lay(sand, canvas.inside(edge))
    ridge = 0.030 * bow + 0.004 * np.sin(across * 9)
    lay(grass, canvas.inside(np.minimum(ridge + down + 0.004, 0.010 * bow - down - 0.002).astype(np.float32)))


def _mirror(canvas: Canvas, colours: Field, cover: Field, *, left: int, top: float, foot: int, room: float) -> None:
    """What stands at the water's edge upside down, shortened, wavering and fading, within `room` below `top`."""
    upside_colours, upside_cover = colours[:foot][::-1], cover[:foot][::-1]
    keep = np.arange(0, foot, 1.7).astype(int)[: max(round(room * canvas.side), 1)]
    waver = np.round(np.sin(np.arange(len(keep)) * 0.55 * 256 / canvas.side) * canvas.side * 0.006).astype(int)
    columns = (np.arange(cover.shape[1])[None, :] + waver[:, None]).clip(0, cover.shape[1] - 1)
    picked = np.s_[keep[:, None], columns]
    fade = (0.50 * (1 - np.linspace(0, 1, len(keep), dtype=np.float32)) ** 1.3)[:, None]
    mirrored = upside_colours[picked] * 0.86, upside_cover[picked]
    overlay(canvas, *mirrored, left=left, top=round(top * canvas.side), share=fade)


def _lamplight(canvas: Canvas, scene: Scene, x: float, foot: float, scale: float) -> None:
    """Warm light about windows, and the two beams of a lighthouse."""
    subject = scene.subject
    assert subject is not None
    if subject.kind == "lighthouse":
        lamp = foot - 0.36 * scale
        distance = np.hypot(canvas.x - x, canvas.y - lamp)
        canvas.shine((255, 236, 170), (0.65 * np.exp(-np.square(distance / 0.07))).astype(np.float32))
        tilt = random.Random(f"beam/{scene.seed}").uniform(-0.16, 0.16)
        across = np.abs(canvas.x - x)
        off = np.abs(canvas.y - lamp - tilt * (canvas.x - x)) / (0.008 + 0.13 * across)
        beam = np.clip(1 - off, 0, 1) * np.exp(-across / 0.45) * np.clip(across / 0.03, 0, 1)
        canvas.shine((255, 240, 180), ((0.55 if scene.sky == "night" else 0.3) * beam).astype(np.float32))
    elif subject.kind in _WINDOWS:
        dx, up = _WINDOWS[subject.kind]
        distance = np.hypot(canvas.x - x - dx, canvas.y - foot + up * scale)
        strength = 0.26 if scene.sky == "night" else 0.14
        canvas.shine((255, 200, 110), (strength * np.exp(-np.square(distance / 0.15))).astype(np.float32))
