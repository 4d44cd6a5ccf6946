"""Noise that depends on a seed and a position only, never on the device or on who asked before."""

import torch
from torch import Tensor


class Noise:
    """The sequence of normal draws of one seed, by torch's CPU generator (A1111's ``RNG: CPU``).

    Position 0 starts the picture; position k is what the k-th draw after it would give, as if all of them had been
    made in order. Asking in order is cheap; asking backwards starts the sequence again.
    """

    def __init__(self, seed: int, shape: tuple[int, ...]) -> None:
        self.seed = seed
        self.shape = shape
        self._generator = torch.Generator("cpu")
        self._generator.manual_seed(seed)
        self._next = 0

    def at(self, position: int) -> Tensor:
        """Standard normal, float32, on the CPU, of this noise's shape."""
        if position < self._next:
            self._generator.manual_seed(self.seed)
            self._next = 0
        while True:
            drawn = torch.randn(self.shape, generator=self._generator)
            self._next += 1
            if self._next > position:
                return drawn
