"""The catalogue: which checkpoints there are, known from their headers without loading them."""

from dataclasses import dataclass
from pathlib import Path

from stablehand.domain.checkpoints import Checkpoint
from stablehand.services import Services


@dataclass(frozen=True, slots=True)
class Scan:
    found: int  #: usable checkpoints on disk
    problems: tuple[tuple[str, str], ...]  #: (path, what is wrong) of files that cannot be used


def scan(services: Services, models_dir: Path) -> Scan:
    """Bring the catalogue up to date with the disk: ``models_dir`` and what the package ships.

    A bad file never stops it.
    """
    raise NotImplementedError


def hash_next(services: Services, models_dir: Path) -> bool:
    """Compute one missing SHA-256 (slow: reads the file). False when none is missing."""
    raise NotImplementedError


def list_checkpoints(services: Services) -> tuple[Checkpoint, ...]:
    """Those whose files are there, by name."""
    raise NotImplementedError


def default_checkpoint(services: Services) -> Checkpoint | None:
    """What an order without a checkpoint gets: the configured one, else Postcard, else the first."""
    raise NotImplementedError


def resident_checkpoints(services: Services) -> frozenset[str]:
    """Ids of the checkpoints in some live agent's memory."""
    raise NotImplementedError
