"""CUDA's random numbers on any machine: A1111's noise source "NV".

Philox 4×32-10 is Salmon et al. (2011, "Parallel random numbers: as easy as 1, 2, 3"), which cuRAND and torch use on
NVIDIA's devices: the seed is the key, each value of a draw has a counter of its own, and the draws are numbered. The
values are those of ``torch.randn`` on such a device as long as it has a thread for each value, which is so for all
latents up to 2048 pixels square on the larger ones.
"""

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint32]

_ROUNDS = 10
_MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_KEY_STEPS = (0x9E3779B9, 0xBB67AE85)
_WORD = 2**32


def philox(counter: tuple[Words, Words, Words, Words], key: tuple[int, int]) -> tuple[Words, Words, Words, Words]:
    """Four words for each counter, which are arrays of one shape."""
    a, b, c, d = counter
    low, high = key
    for _ in range(_ROUNDS):
        first, second = _MULTIPLIERS[0] * a.astype(np.uint64), _MULTIPLIERS[1] * c.astype(np.uint64)
        a, b, c, d = (
            (second >> np.uint64(32)).astype(np.uint32) ^ b ^ np.uint32(low),
            second.astype(np.uint32),
            (first >> np.uint64(32)).astype(np.uint32) ^ d ^ np.uint32(high),
            first.astype(np.uint32),
        )
        low, high = (low + _KEY_STEPS[0]) % _WORD, (high + _KEY_STEPS[1]) % _WORD
    return a, b, c, d


def normal(seed: int, draw: int, count: int) -> NDArray[np.float32]:
    """``count`` standard normal values: what the draw-th call of a CUDA generator with this seed gives (from 0)."""
    values = np.arange(count, dtype=np.uint32)
    zeros = np.zeros_like(values)
    counter = (np.full_like(values, draw), zeros, values, zeros)
    first, second, _, _ = philox(counter, (seed % _WORD, seed // _WORD % _WORD))
    # Box and Muller (1958), as cuRAND does it: each word stands for the middle of its interval.
    radius = np.sqrt(-2 * np.log((first.astype(np.float64) + 0.5) / _WORD))
    angle = 2 * np.pi * (second.astype(np.float64) + 0.5) / _WORD
    return np.asarray(radius * np.sin(angle), dtype=np.float32)
