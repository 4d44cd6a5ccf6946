"""backup and restore: the database and all pictures in one file."""

from dataclasses import dataclass
from pathlib import Path

from stablehand.services import Services


@dataclass(frozen=True, slots=True)
class BackupSummary:
    images: int
    size_bytes: int


def backup(services: Services, file: Path) -> BackupSummary:
    """Write a consistent copy while the server runs; ``file`` ends in .tar or .tar.gz.

    Raises: BadBackup, StorageFull.
    """
    raise NotImplementedError


def restore(file: Path, data_dir: Path, *, objects_dir: Path | None = None) -> BackupSummary:
    """Check a backup and unpack it: database to ``data_dir``, pictures to ``objects_dir`` (default: objects/ in it).

    Raises:
        BadBackup: the file is damaged or not a backup, or the places are not empty.
    """
    raise NotImplementedError
