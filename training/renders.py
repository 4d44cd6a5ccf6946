"""Renders kept on disk, so that no training step waits for drawing."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.draw import draw
from training.scenes import numbered

HELD_OUT_SEED = 999_983
"""Series of scenes that only measurements use."""


def render(index: int, seed: int, size: int, height: int | None = None) -> NDArray[np.uint8]:
    """Scene `index` of a series, (size, size, 3), or (height, size, 3)."""
    return np.asarray(draw(numbered(seed, index), size, height))


def cached(state: Path, seed: int, size: int, count: int, processes: int) -> NDArray[np.uint8]:
    """The first `count` scenes of a series as (count, size, size, 3), memory-mapped; drawn now if not yet on disk."""
    path = state / f"renders-{seed}-{size}-{count}.npy"
    if not path.exists():
        state.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".part")
        out = np.lib.format.open_memmap(unfinished, "w+", np.uint8, (count, size, size, 3))
        with ProcessPoolExecutor(processes) as pool:
            drawn = pool.map(partial(render, seed=seed, size=size), range(count), chunksize=64)
            for index, picture in enumerate(drawn):
                out[index] = picture
        out.flush()
        unfinished.rename(path)
    pictures: NDArray[np.uint8] = np.load(path, mmap_mode="r")
    return pictures
