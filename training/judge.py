"""Say from pixels alone which sky and which setting a postcard shows. Needs numpy and Pillow, no network and no torch.

A picture is reduced to its profile: the median colour of each band of rows, so that clouds, rainbows and the subject,
which fill only part of a band, fall out. It is compared with the profiles of bare renders of every sky and setting.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.draw import draw
from training.scenes import HORIZON, SETTINGS, SKIES, Scene

_SIDE = 128
_SKY_ROWS = (0.02, 0.40)
_GROUND_ROWS = (0.60, 0.99)
_BANDS = 13
_HORIZONS = 5


@dataclass(frozen=True)
class Verdict:
    """What the picture shows."""

    sky: str
    setting: str


def judge(picture: Image.Image) -> Verdict:
    """The nearest sky by the upper rows, then the nearest setting under that sky by the lower ones."""
    upper, lower = _profile(picture, _SKY_ROWS), _profile(picture, _GROUND_ROWS)
    sky = min(SKIES, key=lambda sky: min(_distance(upper, known) for known in _known(sky, SETTINGS[0], _SKY_ROWS)))
    setting = min(
        SETTINGS, key=lambda setting: min(_distance(lower, known) for known in _known(sky, setting, _GROUND_ROWS))
    )
    return Verdict(sky, setting)


def _profile(picture: Image.Image, rows: tuple[float, float]) -> NDArray[np.float64]:
    """Median colours of `_BANDS` bands between two heights, (bands, 3)."""
    pixels = np.asarray(picture.convert("RGB").resize((_SIDE, _SIDE), Image.Resampling.BOX), np.float64)
    edges = np.linspace(rows[0] * _SIDE, rows[1] * _SIDE, _BANDS + 1).round().astype(int)
    bands = [np.median(pixels[a:b].reshape(-1, 3), axis=0) for a, b in pairwise(edges)]
    return np.stack(bands)


def _distance(seen: NDArray[np.float64], known: NDArray[np.float64]) -> float:
    """Mean over bands of the distance of colours, each band's capped so that one hidden band decides nothing."""
    return float(np.minimum(np.linalg.norm(seen - known, axis=1), 90.0).mean())


@cache
def _known(sky: str, setting: str, rows: tuple[float, float]) -> list[NDArray[np.float64]]:
    """Profiles of bare scenes over the range of horizons."""
    profiles = []
    for horizon in np.linspace(*HORIZON, _HORIZONS):
        scene = Scene(sky, setting, float(horizon), None, None, False, False, False, False, False, seed=0)
        profiles.append(_profile(draw(scene, _SIDE), rows))
    return profiles
