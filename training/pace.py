"""How the learning rate runs, and the running average of the weights: shared by everything that is trained here."""

from __future__ import annotations

import torch
from torch import nn

COOLDOWN = 0.25
"""The last share of a stretch, in which the rate falls."""


def share_of_rate(step: int, steps: int, warmup: int) -> float:
    """Share of the full learning rate: a linear rise, level ground, and a fall to one hundredth in the last quarter.

    Level for most of the way, so that a stretch may be made longer while it runs without having learnt in vain.
    """
    if step < warmup:
        return (step + 1) / warmup
    left = (steps - step) / max(steps * COOLDOWN, 1)
    return 0.01 + 0.99 * min(max(left, 0.0), 1.0)


@torch.no_grad()
def follow(average: nn.Module, current: nn.Module, decay: float) -> None:
    """Move the running average of the weights a little towards the current ones."""
    for slow, fast in zip(average.parameters(), current.parameters(), strict=True):
        slow.lerp_(fast, 1 - decay)
