"""What a postcard shows, as plain data: the attributes, how often each occurs, and which mixtures are held out."""

from __future__ import annotations

import random
import zlib
from dataclasses import dataclass

SKIES = ("day", "sunset", "night", "dawn", "storm")
SETTINGS = ("meadow", "desert", "snow", "sea", "beach")
MOUNTAINS = ("purple", "grey", "blue", "green")
PLACES = ("left", "middle", "right")
COLOURS = ("red", "blue", "green", "yellow", "white", "purple", "orange", "pink", "black")
COLOURED = ("house", "castle", "lighthouse", "sailing boat", "hot air balloon", "windmill")
UNCOLOURED = ("tree", "pine tree", "cactus")
KINDS = COLOURED + UNCOLOURED

HORIZON = (0.55, 0.68)
"""Lowest and highest horizon, as a share of the height counted from the top."""

PRESENT = {
    "subject": 0.86,
    "mountains": 2 / 3,
    "clouds": 0.64,
    "sun": 0.68,
    "moon": 0.70,
    "stars": 0.70,
    "rainbow": 0.22,
}
"""How often a scene has each feature, where its sky allows it."""

_CENTRE = {"left": 0.23, "middle": 0.50, "right": 0.77}
_JITTER = 0.05
_HELD_OUT_IN = 4  # one mixture in four is held out


@dataclass(frozen=True)
class Subject:
    """The one thing a postcard is about. `colour` is None for what has none; `x` is its centre, 0 left to 1 right."""

    kind: str
    colour: str | None
    place: str
    x: float


@dataclass(frozen=True)
class Scene:
    """One postcard. `seed` settles the small variations (strokes, peaks, cloud shapes) that no caption names."""

    sky: str
    setting: str
    horizon: float
    mountains: str | None
    subject: Subject | None
    sun: bool
    moon: bool
    stars: bool
    clouds: bool
    rainbow: bool
    seed: int


def allowed(setting: str, kind: str) -> bool:
    """A boat needs water; everything else stands anywhere (at sea, on an islet)."""
    return kind != "sailing boat" or setting in ("sea", "beach")


def held_out(sky: str, setting: str, kind: str) -> bool:
    """Whether this mixture of sky, setting and subject is kept out of training, so that it can be asked for later."""
    return zlib.crc32(f"{sky}/{setting}/{kind}".encode()) % _HELD_OUT_IN == 0


def held_out_mixtures() -> list[tuple[str, str, str]]:
    """Every mixture kept out of training, in a fixed order."""
    return [
        (sky, setting, kind)
        for sky in SKIES
        for setting in SETTINGS
        for kind in KINDS
        if allowed(setting, kind) and held_out(sky, setting, kind)
    ]


def subject_at(kind: str, colour: str | None, place: str, rng: random.Random) -> Subject:
    """A subject at a named place, its centre a little off it as chance has it."""
    return Subject(kind, colour, place, _CENTRE[place] + rng.uniform(-_JITTER, _JITTER))


def features_of(sky: str) -> tuple[str, ...]:
    """The optional features that may be seen under this sky."""
    if sky == "night":
        return ("mountains", "clouds", "moon", "stars")
    if sky == "storm":
        return ("mountains", "clouds", "rainbow")
    return ("mountains", "clouds", "sun", "rainbow")


def sample(rng: random.Random, *, everything: bool = False) -> Scene:
    """A random scene from the training distribution; never a held-out mixture, unless `everything` may come."""
    while True:
        sky, setting = rng.choice(SKIES), rng.choice(SETTINGS)
        has = {name: rng.random() < PRESENT[name] for name in features_of(sky)}
        subject = None
        if rng.random() < PRESENT["subject"]:
            kind = rng.choice([kind for kind in KINDS if allowed(setting, kind)])
            if not everything and held_out(sky, setting, kind):
                continue
            colour = rng.choice(COLOURS) if kind in COLOURED else None
            subject = subject_at(kind, colour, rng.choice(PLACES), rng)
        return Scene(
            sky=sky,
            setting=setting,
            horizon=rng.uniform(*HORIZON),
            mountains=rng.choice(MOUNTAINS) if has["mountains"] else None,
            subject=subject,
            sun=has.get("sun", False),
            moon=has.get("moon", False),
            stars=has.get("stars", False),
            clouds=has["clouds"],
            rainbow=has.get("rainbow", False),
            seed=rng.getrandbits(32),
        )


def numbered(seed: int, index: int) -> Scene:
    """Scene `index` of the endless series that `seed` names."""
    return sample(random.Random(f"scene/{seed}/{index}"))
