"""Object storage over obstore: bytes under a key, written whole or not at all.

Keys are made by the services from ids of our own, never from what a user typed; they are checked here all the same.
The database knows what each object is; only a bucket, whose links browsers may follow, is told the content type too.
"""

import errno
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import LocalStore, ObjectStore

from stablehand.domain.errors import NotFound, StorageAway, StorageFull

#: Name of the objects' folder inside the data directory.
OBJECTS_FOLDER = "objects"

_KEY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
_KEY_MAX_CHARACTERS = 512
_FULL = (
    *(f"(os error {number})" for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)),
    # What S3-compatible servers answer at their limits.
    "QuotaExceeded",
    "XMinioStorageFull",
    "507 Insufficient Storage",
)
#: Bytes handed on at once while an object is streamed.
_CHUNK_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Stored:
    """An object as a listing shows it."""

    key: str
    size_bytes: int
    written_at: datetime


@dataclass(frozen=True, slots=True)
class Opened:
    """An object that is being read. ``chunks`` can be gone through once."""

    size_bytes: int  #: of the whole object
    chunks: Iterator[bytes]
    content_type: str = ""  #: what whoever stored it said of it; folders do not keep that


class Objects:
    """Objects in a folder of this machine. :class:`stablehand.adapters.bucket.Bucket` is the same in a bucket."""

    #: True where agents and browsers can be given links to objects, see :meth:`link_to_put`.
    gives_links = False

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder: Path | None = folder
        self._store: ObjectStore = LocalStore(prefix=folder)

    @property
    def place(self) -> str:
        """Where the objects lie, for people."""
        return str(self.folder)

    def put(self, key: str, data: bytes, *, content_type: str = "") -> None:
        """Store ``data`` under ``key``, replacing what was there, and see it onto the disk.

        Raises:
            StorageFull: the disk or a quota is full; nothing was stored. StorageAway.
        """
        assert self.folder is not None
        path = self.folder / checked(key)
        known = next(folder for folder in path.parents if folder.is_dir())
        with in_our_words(key):
            self._store.put(key, data)
            # The database commits durably and will point at this object, so it must be as durable first: its bytes,
            # its name, and the names of folders that were made for it.
            for place in (path, *path.parents):
                _settle(place)
                if place == known:
                    break

    def get(self, key: str) -> bytes:
        """All bytes of an object. Raises NotFound, StorageAway."""
        with in_our_words(checked(key)):
            return bytes(self._store.get(key).bytes())

    def get_range(self, key: str, start: int, end: int) -> bytes:
        """Bytes ``start`` to ``end`` (not included) of an object; shorter at its end. Raises NotFound, StorageAway."""
        size = self.size(key)
        start, end = max(0, start), min(end, size)
        if start >= end:
            return b""
        with in_our_words(key):
            return bytes(self._store.get_range(key, start=start, end=end))

    def open(self, key: str, span: tuple[int, int] | None = None) -> Opened:
        """Stream an object, or bytes ``span[0]`` to ``span[1]`` (not included) of it, which must lie inside.

        Raises NotFound and StorageAway at once; trouble after the first byte ends the stream with StorageAway.
        """
        with in_our_words(checked(key)):
            found = self._store.get(key, options={"range": span} if span else None)
            chunks = _chunks(key, found.stream(min_chunk_size=_CHUNK_BYTES))
            return Opened(int(found.meta["size"]), chunks, str(found.attributes.get("Content-Type", "")))

    def size(self, key: str) -> int:
        """Bytes of an object. Raises NotFound, StorageAway."""
        with in_our_words(checked(key)):
            return int(self._store.head(key)["size"])

    def copy(self, key: str, to: str) -> None:
        """Copy an object inside the store, replacing what was there. Raises NotFound, StorageAway, StorageFull."""
        with in_our_words(checked(key)):
            self._store.copy(key, checked(to))

    def delete(self, *keys: str) -> None:
        """Remove objects; one that is not there is no error. Raises StorageAway."""
        for key in keys:
            try:
                with in_our_words(checked(key)):
                    self._store.delete(key)
            except NotFound:
                continue

    def list(self, prefix: str = "") -> Iterator[str]:
        """Keys of all objects below a folder of the store."""
        for stored in self.survey(prefix):
            yield stored.key

    def survey(self, prefix: str = "") -> Iterator[Stored]:
        """All objects below a folder of the store, with size and age. Raises StorageAway."""
        with in_our_words(prefix):
            for batch in self._store.list(prefix or None):
                for entry in batch:
                    yield Stored(str(entry["path"]), int(entry["size"]), entry["last_modified"])

    def link_to_put(self, key: str, seconds: float) -> str | None:
        """Where whoever has the link may store this one object for a while; None where there are no such links."""
        del key, seconds
        return None

    def link_to_get(self, key: str, seconds: float) -> str | None:
        """Where whoever has the link may fetch this one object for a while; None where there are no such links."""
        del key, seconds
        return None


def checked(key: str) -> str:
    """The key, if it is one of ours. Raises ValueError."""
    if len(key) > _KEY_MAX_CHARACTERS or not _KEY.fullmatch(key):
        raise ValueError(f"not an object key: {key!r}")
    return key


@contextmanager
def in_our_words(key: str) -> Iterator[None]:
    """Translate the library's exceptions. Raises NotFound, StorageFull, StorageAway."""
    try:
        yield
    except (BaseError, OSError) as error:
        if _says_full(error):
            raise StorageFull(
                "The disk that holds the pictures is full.",
                hint="Free some space in the object store, then retry the job.",
            ) from error
        said = str(error)
        if isinstance(error, FileNotFoundError) and "NoSuchBucket" not in said:
            raise NotFound(
                f"The stored object {key} is not there.", hint="Was the object store moved or emptied?"
            ) from None
        raise StorageAway(
            f"The object store {_what_it_does(error, said)}.",
            hint="See that it runs, that the bucket exists and that the keys are right: `stablehand doctor`.",
        ) from error


def _chunks(key: str, stream: Iterable[object]) -> Iterator[bytes]:
    with in_our_words(key):
        for chunk in stream:
            yield bytes(chunk)  # type: ignore[call-overload]


def _settle(place: Path) -> None:
    descriptor = os.open(place, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _what_it_does(error: BaseException, said: str) -> str:
    """In a few words that anybody may read: where the store is and who we are there stays in the log."""
    if code := re.search(r"<Code>(\w+)</Code>", said):
        return f"refuses: {code.group(1)}"
    if isinstance(error, (PermissionDeniedError, UnauthenticatedError, PermissionError)):
        return "does not let us in"
    return "does not answer"


def _says_full(error: BaseException) -> bool:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return True
    return any(words in str(error) for words in _FULL)  # obstore tells the number in its text only
