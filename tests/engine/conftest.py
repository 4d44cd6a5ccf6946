"""One thread per process (the suite shares its machine), and a tiny checkpoint written once."""

import random
from pathlib import Path

import pytest
import torch

from stablehand.engine.batch import Batch
from stablehand.engine.checkpoints import Resident, load_checkpoint
from tests.engine.drawing import PLACEMENT, holding
from tests.engine.tiny import write_tiny_checkpoint

torch.set_num_threads(1)


@pytest.fixture
def chance() -> random.Random:
    """Fresh in each run; pytest shows the seed where a test fails."""
    seed = random.SystemRandom().randrange(2**32)
    print(f"chance of this run: {seed}")  # noqa: T201
    return random.Random(seed)


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
    return load_checkpoint("tiny", tiny, PLACEMENT)


@pytest.fixture
def batch(resident: Resident) -> Batch:
    """A batch that holds :func:`resident`, in slot "tiny"."""
    return Batch(PLACEMENT, holding(resident))
