"""Tiles: a picture enlarged piece by piece, so that memory does not grow with it, and put together without seams.

Pieces overlap. Of each, a margin at inner edges is thrown away, for there the network missed what lies beyond; over the
next few pixels it fades in over its neighbour. Rows of pieces are put together first, then faded into the picture from
top to bottom, so that where four pieces meet each counts as it should.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

#: Pixels of the input at inner edges that are thrown away, and over which a piece then fades in.
MARGIN, FADE = 16, 16
OVERLAP = 2 * MARGIN + FADE
#: Side of the smallest piece.
SIDE_LEAST = 2 * OVERLAP


def places(length: int, side: int, multiple: int) -> list[int]:
    """Where pieces of ``side`` begin that cover ``length`` with enough overlap.

    All are multiples of ``multiple``, as ``length`` and ``side`` are.
    """
    if length <= side:
        return [0]
    # Rounding down to a multiple widens a step by less than that multiple.
    steps = -(-(length - side) // (side - OVERLAP - multiple + 1))
    return [place * (length - side) // steps // multiple * multiple for place in range(steps + 1)]


@dataclass(slots=True, eq=False)
class Mosaic:
    """``pixels`` (H, W, 3) on their way to ``scale`` times their size, by pieces of at most ``side`` pixels a side.

    ``multiple``: sides of the pieces are divisible by it, and so is ``side``.
    """

    pixels: NDArray[np.uint8]
    scale: int
    side: int
    multiple: int = 1
    done: int = 0  #: pieces put in
    tops: list[int] = field(init=False)
    lefts: list[int] = field(init=False)
    shape: tuple[int, int] = field(init=False)  #: of each piece
    _source: NDArray[np.uint8] = field(init=False)
    _canvas: NDArray[np.uint8] = field(init=False)
    _row: NDArray[np.uint8] = field(init=False)

    def __post_init__(self) -> None:
        height, width = (-(-side // self.multiple) * self.multiple for side in self.pixels.shape[:2])
        below, beside = height - self.pixels.shape[0], width - self.pixels.shape[1]
        self._source = np.pad(self.pixels, ((0, below), (0, beside), (0, 0)), "edge")
        self.shape = (min(self.side, height), min(self.side, width))
        self.tops = places(height, self.shape[0], self.multiple)
        self.lefts = places(width, self.shape[1], self.multiple)
        self._canvas = np.empty((height * self.scale, width * self.scale, 3), np.uint8)
        self._row = np.empty((self.shape[0] * self.scale, width * self.scale, 3), np.uint8)

    @property
    def count(self) -> int:
        return len(self.tops) * len(self.lefts)

    @property
    def is_whole(self) -> bool:
        return self.done == self.count

    def pieces(self, most: int) -> list[NDArray[np.uint8]]:
        """The next pieces of the input, at most so many, in the order in which :meth:`put` wants them back."""
        height, width = self.shape
        corners = [(top, left) for top in self.tops for left in self.lefts][self.done : self.done + most]
        return [self._source[top : top + height, left : left + width] for top, left in corners]

    def put(self, drawn: NDArray[np.uint8]) -> None:
        """The next piece, enlarged."""
        row, column = divmod(self.done, len(self.lefts))
        left = self.lefts[column] * self.scale
        _fade(self._row.swapaxes(0, 1)[left : left + drawn.shape[1]], drawn.swapaxes(0, 1), column > 0, self.scale)
        self.done += 1
        if column == len(self.lefts) - 1:
            top = self.tops[row] * self.scale
            _fade(self._canvas[top : top + len(self._row)], self._row, row > 0, self.scale)

    def picture(self) -> NDArray[np.uint8]:
        """The whole, (H*scale, W*scale, 3). Only once :attr:`is_whole`."""
        height, width, _ = self.pixels.shape
        return self._canvas[: height * self.scale, : width * self.scale]


def _fade(target: NDArray[np.uint8], drawn: NDArray[np.uint8], is_inner: bool, scale: int) -> None:
    """Put ``drawn`` over ``target``, of the same shape; along its first axis it fades in where there is something."""
    if not is_inner:
        target[:] = drawn
        return
    begin, end = MARGIN * scale, (MARGIN + FADE) * scale
    share = ((np.arange(end - begin, dtype=np.float32) + 0.5) / (end - begin))[:, None, None]
    below, above = target[begin:end].astype(np.float32), drawn[begin:end].astype(np.float32)
    target[begin:end] = np.rint(below + (above - below) * share).astype(np.uint8)
    target[end:] = drawn[end:]
