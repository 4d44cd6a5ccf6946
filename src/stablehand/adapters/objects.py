"""Object storage over obstore: bytes under a key, written whole or not at all.

Keys are made by the services from ids of our own, never from what a user typed; they are checked here all the same.
Content types are not stored: the database knows what each object is.
"""

import errno
import os
import re
from collections.abc import Iterator
from pathlib import Path

from obstore.exceptions import BaseError
from obstore.store import LocalStore

from stablehand.domain.errors import NotFound, StorageFull

#: Name of the objects' folder inside the data directory.
OBJECTS_FOLDER = "objects"

_KEY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
_KEY_MAX_CHARACTERS = 512
_FULL = tuple(f"(os error {number})" for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG))


class Objects:
    """Objects in a folder of this machine."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._store = LocalStore(prefix=folder)

    def put(self, key: str, data: bytes) -> None:
        """Store ``data`` under ``key``, replacing what was there, and see it onto the disk.

        Raises:
            StorageFull: the disk or a quota is full; nothing was stored.
        """
        path = self.folder / _checked(key)
        known = next(folder for folder in path.parents if folder.is_dir())
        try:
            self._store.put(key, data)
            # The database commits durably and will point at this object, so it must be as durable first: its bytes,
            # its name, and the names of folders that were made for it.
            for place in (path, *path.parents):
                _settle(place)
                if place == known:
                    break
        except (BaseError, OSError) as error:
            if _says_full(error):
                raise StorageFull(
                    "The disk that holds the pictures is full.",
                    hint="Free some space below the object store's folder, then retry the job.",
                ) from error
            raise

    def get(self, key: str) -> bytes:
        """All bytes of an object. Raises NotFound."""
        try:
            return bytes(self._store.get(_checked(key)).bytes())
        except FileNotFoundError:
            raise _missing(key) from None

    def get_range(self, key: str, start: int, end: int) -> bytes:
        """Bytes ``start`` to ``end`` (not included) of an object; shorter at its end. Raises NotFound."""
        size = self.size(key)
        start, end = max(0, start), min(end, size)
        if start >= end:
            return b""
        try:
            return bytes(self._store.get_range(_checked(key), start=start, end=end))
        except FileNotFoundError:
            raise _missing(key) from None

    def size(self, key: str) -> int:
        """Bytes of an object. Raises NotFound."""
        try:
            return int(self._store.head(_checked(key))["size"])
        except FileNotFoundError:
            raise _missing(key) from None

    def delete(self, key: str) -> None:
        """Remove an object; one that is not there is no error."""
        try:
            self._store.delete(_checked(key))
        except FileNotFoundError:
            return

    def list(self, prefix: str = "") -> Iterator[str]:
        """Keys of all objects below a folder of the store."""
        for batch in self._store.list(prefix or None):
            for entry in batch:
                yield str(entry["path"])


def _settle(place: Path) -> None:
    descriptor = os.open(place, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _checked(key: str) -> str:
    if len(key) > _KEY_MAX_CHARACTERS or not _KEY.fullmatch(key):
        raise ValueError(f"not an object key: {key!r}")
    return key


def _missing(key: str) -> NotFound:
    return NotFound(f"The stored object {key} is not there.", hint="Was the object store's folder moved or emptied?")


def _says_full(error: BaseException) -> bool:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return True
    return any(words in str(error) for words in _FULL)  # obstore tells the number in its text only
