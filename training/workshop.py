"""Where and on what training runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch


@dataclass(frozen=True)
class Workshop:
    """The folder of everything unfinished, the device, how many processes draw, and whether steps are compiled.

    `batch` is how many pictures of 128 px the device encodes at once.
    """

    state: Path
    device: torch.device
    processes: int
    compiled: bool
    batch: int = 16

    def half(self) -> torch.autocast:
        """Half precision where it is faster and costs nothing, on a GPU; on a CPU everything stays as it is."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda")
