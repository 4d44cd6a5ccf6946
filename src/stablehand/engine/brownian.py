"""Brownian motion as a function of a seed and an interval: the noise of the stochastic DPM-Solver++ samplers.

A virtual Brownian tree (Li et al. 2020, arXiv 2001.01328, section 4): the increment over the whole interval is drawn
first; the value at its middle is drawn given the values at its ends, and so on by halves until the asked time is met.
Each draw has a seed of its own, made of the picture's seed and the place in the tree, so that neither the order of
questions nor what was asked before can matter. Numbers and seeds are those of ``torchsde.BrownianTree`` (Apache-2.0),
which k-diffusion and A1111 use, bit for bit on the CPU.
"""

import math
from collections import OrderedDict
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

#: Times are multiples of this; halving stops there, after 24 levels for Stable Diffusion's sigmas.
_DIGITS = 6
_POOL_SIZE = 24
#: Nodes kept at hand: two ways down the tree.
_REMEMBERED = 48

#: (depth, index among the nodes of that depth)
_Node = tuple[int, int]
#: from, to
_Times = tuple[float, float]


class BrownianPath:
    """One motion between two times. ``draw``: seed -> standard normal values, a pure function."""

    def __init__(self, seed: int, start: float, end: float, draw: Callable[[int], Tensor]) -> None:
        self._seed = seed
        self._draw = draw
        self._length = _as_float32(end) - _as_float32(start)
        self._start, self._end = _rounded(start), _rounded(end)
        self._increments: OrderedDict[_Node, Tensor] = OrderedDict()

    def noise(self, sigma: float, following: float) -> Tensor:
        """The increment from one level to the next, scaled to unit variance (k-diffusion's noise sampler)."""
        sigma, following = _as_float32(sigma), _as_float32(following)
        sign = 1 if sigma < following else -1
        increment = self.increment(min(sigma, following), max(sigma, following))
        return increment * sign / float(np.sqrt(np.float32(abs(following - sigma))))

    def increment(self, start: float, end: float) -> Tensor:
        """W(end) - W(start); times beyond the interval count as its ends."""
        start, end = (_rounded(min(max(time, self._start), self._end)) for time in (start, end))
        if start == end:
            return torch.zeros_like(self._whole())
        pieces: list[Tensor] = []
        self._collect((0, 0), (self._start, self._end), (start, end), pieces)
        total = pieces[0]
        for piece in pieces[1:]:
            total = total + piece
        return total

    def _collect(self, node: _Node, covered: _Times, asked: _Times, pieces: list[Tensor]) -> None:
        """Append the increments of the largest nodes that make up the asked times, in order of time."""
        if asked == covered:
            pieces.append(self._increment(node))
            return
        (left, right), (start, end) = covered, asked
        middle = _rounded(0.5 * (left + right))
        depth, index = node
        if start < middle:
            self._collect((depth + 1, 2 * index), (left, middle), (start, min(end, middle)), pieces)
        if end > middle:
            self._collect((depth + 1, 2 * index + 1), (middle, right), (max(start, middle), end), pieces)

    def _increment(self, node: _Node) -> Tensor:
        """The increment over a node's interval, by way of its parents."""
        depth, index = node
        if depth == 0:
            return self._whole()
        known = self._recall(node)
        if known is not None:
            return known
        parent = (depth - 1, index // 2)
        whole = self._increment(parent)
        left, right = self._bounds(parent)
        middle = _rounded(0.5 * (left + right))
        length = 1 / (right - left)
        seeds = np.random.SeedSequence(self._seed, spawn_key=(index // 2, depth - 1), pool_size=_POOL_SIZE)
        drawn = self._draw(int(seeds.generate_state(4)[0]))
        first = (middle - left) * whole * length + math.sqrt((middle - left) * (right - middle) * length) * drawn
        self._remember((depth, index - index % 2), first)
        self._remember((depth, index - index % 2 + 1), whole - first)
        return whole - first if index % 2 else first

    def _bounds(self, node: _Node) -> tuple[float, float]:
        depth, index = node
        left, right = self._start, self._end
        for level in reversed(range(depth)):
            middle = _rounded(0.5 * (left + right))
            left, right = (middle, right) if index >> level & 1 else (left, middle)
        return left, right

    def _whole(self) -> Tensor:
        known = self._recall((0, 0))
        if known is None:
            seeds = np.random.SeedSequence(self._seed, pool_size=_POOL_SIZE)
            known = self._draw(int(seeds.generate_state(3)[0])) * math.sqrt(self._length)
            self._remember((0, 0), known)
        return known

    def _recall(self, node: _Node) -> Tensor | None:
        if node in self._increments:
            self._increments.move_to_end(node)
        return self._increments.get(node)

    def _remember(self, node: _Node, increment: Tensor) -> None:
        self._increments[node] = increment
        self._increments.move_to_end(node)
        if len(self._increments) > _REMEMBERED:
            self._increments.popitem(last=False)


def _as_float32(time: float) -> float:
    """A1111 keeps its levels in single precision; a bit more or less would be another point of the motion."""
    return float(np.float32(time))


def _rounded(time: float) -> float:
    return round(time, _DIGITS)
