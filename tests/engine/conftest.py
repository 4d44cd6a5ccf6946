"""One thread per process (the suite shares its machine), and a tiny checkpoint written once."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import write_tiny_checkpoint

from stablehand.domain.recipes import Recipe
from stablehand.engine.batch import Batch
from stablehand.engine.checkpoints import Resident, load_folder
from stablehand.engine.devices import Placement
from stablehand.engine.residents import Residents

torch.set_num_threads(1)

#: The device of these tests: the CPU in float32, also on a machine with a GPU.
PLACEMENT = Placement(torch.device("cpu"), "test", "fp32", 8 * 2**30)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_checkpoint(tmp_path_factory.mktemp("checkpoints") / "tiny")


@pytest.fixture(scope="session")
def other_tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same architecture with other weights."""
    return write_tiny_checkpoint(tmp_path_factory.mktemp("checkpoints") / "other", seed=1)


@pytest.fixture
def resident(tiny: Path) -> Resident:
    """Loaded for one test alone, which may replace its networks."""
    return load_folder("tiny", tiny, PLACEMENT)


@pytest.fixture
def batch(resident: Resident) -> Batch:
    """A batch that holds :func:`resident`, in slot "tiny"."""
    return Batch(PLACEMENT, holding(resident))


def holding(resident: Resident) -> Residents:
    """Slots with one checkpoint in them already."""
    residents = Residents(PLACEMENT, budget_bytes=2**30, load=lambda *_: resident)
    residents._residents[resident.slot] = resident
    return residents


@pytest.fixture
def recipe() -> Callable[..., Recipe]:
    return make_recipe


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
