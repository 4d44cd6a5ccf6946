"""What the engine's tests draw with: the device, a recipe, and slots with a checkpoint in them."""

from typing import Any

import torch

from stablehand.domain.recipes import Recipe
from stablehand.engine.checkpoints import Resident
from stablehand.engine.devices import Placement
from stablehand.engine.residents import Residents

#: The device of these tests: the CPU in float32, also on a machine with a GPU.
PLACEMENT = Placement(torch.device("cpu"), "test", "fp32", 8 * 2**30)


def holding(resident: Resident) -> Residents:
    """Slots with one checkpoint in them already."""
    residents = Residents.of(resident)
    residents._budget_bytes = 2**30
    return residents


def make_recipe(**changes: Any) -> Recipe:
    values: dict[str, Any] = {
        "prompt": "a red house",
        "checkpoint_id": "tiny",
        "checkpoint": "tiny",
        "width": 64,
        "height": 64,
        "steps": 4,
        "sampler": "Euler",
        "schedule": "Automatic",
        "cfg_scale": 5.0,
        "seed": 1,
        **changes,
    }
    return Recipe(**values)
