"""What the engine's tests draw with: the device, recipes, and slots with a checkpoint in them."""

import random
from typing import Any

import torch

from stablehand.domain.recipes import NoiseOptions, Recipe, SamplerOptions
from stablehand.domain.samplers import SCHEDULES
from stablehand.engine.checkpoints import Resident
from stablehand.engine.devices import Placement
from stablehand.engine.residents import Residents
from stablehand.engine.samplers import METHODS

#: The device of these tests: the CPU in float32, also on a machine with a GPU.
PLACEMENT = Placement(torch.device("cpu"), "test", "fp32", 8 * 2**30)

PROMPTS = ("", "a red house", "a blue castle by the sea, " * 4, "a very long list of white boats, " * 8)


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


def any_recipe(chance: random.Random) -> Recipe:
    return make_recipe(
        prompt=chance.choice(PROMPTS),
        negative_prompt=chance.choice(PROMPTS),
        width=chance.choice((64, 64, 64, 96)),
        height=chance.choice((64, 64, 64, 72)),
        steps=chance.randint(1, 7),
        sampler=chance.choice(sorted(METHODS)),
        schedule=chance.choice(SCHEDULES).name,
        noise=NoiseOptions(source=chance.choice(("CPU", "GPU", "NV")), subseed_strength=chance.choice((0.0, 0.4))),
        sampler_options=SamplerOptions(eta=chance.choice((None, 0.5)), s_churn=chance.choice((0.0, 4.0))),
        cfg_scale=chance.choice((1.0, 1.5, 4.0, 7.5)),
        seed=chance.randint(0, 3),
        exact=chance.random() < 0.15,
    )
