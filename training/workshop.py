"""Where and on what training runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch


@dataclass(frozen=True)
class Workshop:
    """The folder of everything unfinished, the device, how many processes draw, and whether steps are compiled."""

    state: Path
    device: torch.device
    processes: int
    compiled: bool
