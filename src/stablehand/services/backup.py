"""backup and restore: the database and all pictures in one file.

A backup is a tar archive: the objects that the database speaks of, the database, and last ``manifest.json`` with the
SHA-256 of every other member. The database is copied in one consistent state while the server runs; objects never
change once written, so they may be copied afterwards.
"""

import contextlib
import errno
import gzip
import hashlib
import io
import json
import os
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from stablehand.adapters.objects import OBJECTS_FOLDER, Objects
from stablehand.domain.errors import BadBackup, NotFound, StorageFull
from stablehand.services import Services
from stablehand.store import DATABASE_NAME, Store

FORMAT = "stablehand-backup"
FORMAT_VERSION = 1
MANIFEST = "manifest.json"
CHUNK_BYTES = 2**20

_SUFFIXES = (".tar", ".tar.gz", ".tgz")
_DAMAGED = "Use another copy of the backup; this one restores nothing."


@dataclass(frozen=True, slots=True)
class BackupSummary:
    images: int
    size_bytes: int  #: of the backup file
    missing: tuple[str, ...] = ()  #: ids of pictures whose stored bytes were gone already


def backup(services: Services, file: Path) -> BackupSummary:
    """Write a consistent copy while the server runs; ``file`` ends in .tar or .tar.gz and must not exist yet.

    It appears under its name only when it is whole.

    Raises:
        BadBackup, StorageFull.
    """
    if not file.name.endswith(_SUFFIXES):
        raise BadBackup(f"{file.name} does not end in .tar or .tar.gz.", hint="Choose such a name.")
    if file.exists():
        raise BadBackup(f"{file} exists already.", hint="Choose another name, or remove the old backup.")
    unfinished = file.with_name(f".{file.name}.{os.getpid()}")
    with _disk_trouble(file):
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=file.parent, prefix=".stablehand-") as scratch:
                copy = Path(scratch) / DATABASE_NAME
                services.store.copy_to(copy)
                mode = "w" if file.name.endswith(".tar") else "w:gz"
                with unfinished.open("wb") as out, tarfile.open(fileobj=out, mode=mode) as archive:  # type: ignore[call-overload]
                    images, missing = _write(services, copy, archive)
            with unfinished.open("rb") as written:
                os.fsync(written.fileno())
            size_bytes = unfinished.stat().st_size
            unfinished.rename(file)
        finally:
            unfinished.unlink(missing_ok=True)
    return BackupSummary(images, size_bytes, tuple(missing))


def restore(
    file: Path, data_dir: Path, *, objects_dir: Path | None = None, bucket: Objects | None = None
) -> BackupSummary:
    """Check a backup and unpack it: database to ``data_dir``, pictures to ``objects_dir`` (default: objects/ in it).

    With ``bucket`` pictures go there; it need not be empty, because no two pictures share a key.

    Everything is checked before anything is written, and the database is put in place last: a restore that was
    interrupted leaves none behind.

    Raises:
        BadBackup: the file is damaged, newer than this program, or not a backup, or the places are not empty.
        StorageFull, StorageAway.
    """
    folder = objects_dir or data_dir / OBJECTS_FOLDER
    for place in (data_dir, folder) if bucket is None else (data_dir,):
        if place.exists() and (not place.is_dir() or any(place.iterdir())):
            raise BadBackup(
                f"{place} is not empty.", hint="Restore into a new data directory; nothing is ever overwritten."
            )
    images = _check(file)
    with _disk_trouble(file), _archive_trouble(file):
        data_dir.mkdir(parents=True, exist_ok=True)
        unfinished = data_dir / f".{DATABASE_NAME}.restoring"
        objects = Objects(folder) if bucket is None else bucket
        for name, content in _members(file):
            if name == DATABASE_NAME:
                with unfinished.open("wb") as out:
                    shutil.copyfileobj(content, out, CHUNK_BYTES)
                    out.flush()
                    os.fsync(out.fileno())
            elif name != MANIFEST:
                objects.put(name, content.read())
        unfinished.rename(data_dir / DATABASE_NAME)
    return BackupSummary(images, file.stat().st_size)


def _write(services: Services, copy: Path, archive: tarfile.TarFile) -> tuple[int, list[str]]:
    """Fill the archive; returns how many pictures are in it, and the ids of those whose bytes are gone."""
    hashes: dict[str, str] = {}
    missing: list[str] = []
    store = Store(Store.url_of(copy))
    try:
        kept = store.kept_objects()
        for image_id, keys in kept.items():
            try:
                contents = {key: services.objects.get(key) for key in keys}
            except NotFound:
                missing.append(image_id)
                continue
            for key, data in contents.items():
                hashes[key] = hashlib.sha256(data).hexdigest()
                _add(archive, key, io.BytesIO(data), len(data))
        # Thrown out for good since the database was copied: the backup must not speak of them either.
        purged = services.store.purged(missing)
        store.forget_all_but(kept.keys() - purged)
        revision = store.revision()
    finally:
        store.close()
    with copy.open("rb") as database:
        hashes[DATABASE_NAME] = hashlib.file_digest(database, "sha256").hexdigest()
        database.seek(0)
        _add(archive, DATABASE_NAME, database, copy.stat().st_size)
    images = len(kept) - len(missing)
    manifest = json.dumps(
        {"format": FORMAT, "version": FORMAT_VERSION, "revision": revision, "images": images, "sha256": hashes}
    ).encode()
    _add(archive, MANIFEST, io.BytesIO(manifest), len(manifest))
    return images, [image_id for image_id in missing if image_id not in purged]


def _add(archive: tarfile.TarFile, name: str, content: IO[bytes], size_bytes: int) -> None:
    member = tarfile.TarInfo(name)
    member.size = size_bytes
    member.mode = 0o600
    archive.addfile(member, content)


def _check(file: Path) -> int:
    """Read the whole backup against its manifest; returns how many pictures are in it. Raises BadBackup."""
    found: dict[str, str] = {}
    manifest: Mapping[str, object] | None = None
    with _archive_trouble(file):
        for name, content in _members(file):
            if name == MANIFEST:
                manifest = _parse(content.read())
            else:
                found[name] = hashlib.file_digest(content, "sha256").hexdigest()  # type: ignore[arg-type]
    if manifest is None or manifest.get("format") != FORMAT:
        raise BadBackup(f"{file.name} is not a whole Stablehand backup.", hint=_DAMAGED)
    if manifest.get("version") != FORMAT_VERSION or not Store.knows(manifest.get("revision")):
        raise BadBackup(
            f"{file.name} was made by another version of Stablehand.",
            hint="Restore it with that version, or a newer one.",
        )
    if found != manifest.get("sha256") or DATABASE_NAME not in found:
        raise BadBackup(f"{file.name} is damaged: its contents do not match its list.", hint=_DAMAGED)
    images = manifest.get("images")
    return images if isinstance(images, int) else 0


def _parse(data: bytes) -> dict[str, object]:
    try:
        values = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}


def _members(file: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """(name, content) of the files in an archive; each must be read before the next is asked for."""
    with tarfile.open(file, "r:*") as archive:
        for member in archive:
            content = archive.extractfile(member) if member.isfile() else None
            if content is None:
                raise BadBackup(f"{file.name} holds {member.name}, which is not a file.", hint=_DAMAGED)
            yield member.name, content


@contextlib.contextmanager
def _archive_trouble(file: Path) -> Iterator[None]:
    """What the archive's layers say when it is damaged, in our words."""
    try:
        yield
    except FileNotFoundError:
        raise BadBackup(f"There is no file {file}.", hint="Check the path.") from None
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise BadBackup(f"{file.name} is damaged or not a backup.", hint=_DAMAGED) from error


@contextlib.contextmanager
def _disk_trouble(file: Path) -> Iterator[None]:
    """What the disk says, in our words."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise StorageFull(
                f"The disk is full; {file.name} was not finished.", hint="Free some space, then try again."
            ) from error
        raise BadBackup(
            f"{file.name}: {error.strerror or error}.", hint="Check the path and its permissions."
        ) from error
