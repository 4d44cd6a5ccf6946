"""transfer: an embedded installation moves to PostgreSQL, and its pictures to a bucket if wanted."""

from collections.abc import Callable
from dataclasses import dataclass

from stablehand.adapters.objects import Objects
from stablehand.domain.errors import BadTransfer
from stablehand.store import Store

#: What is being copied, how much of it is done, how much there is.
Tell = Callable[[str, int, int], None]


#: end of an object's key -> its content type
TYPES = {"png": "image/png", "webp": "image/webp", "jpeg": "image/jpeg"}


@dataclass(frozen=True, slots=True)
class TransferSummary:
    rows: dict[str, int]  #: table -> rows that were copied
    objects: int  #: objects that lie in the new place now; 0 when they stay


def transfer(
    source: Store, target: Store, *, objects: Objects, objects_to: Objects | None = None, tell: Tell
) -> TransferSummary:
    """Copy the whole database into an empty one; ``objects_to``: copy the objects there first.

    The source is only read. Objects come first and are skipped where they lie already, so that an interrupted transfer
    goes on where it was; the database is one transaction, so that it is moved or is not.

    Raises:
        BadTransfer, BadSettings, StorageFull, StorageAway, StoreUnavailable.
    """
    if source.is_postgresql or not target.is_postgresql:
        raise BadTransfer("A transfer goes from SQLite to PostgreSQL.", hint="Give --to postgresql://….")
    if not source.is_current():
        raise BadTransfer(
            f"{source.place} has not this version's schema.", hint="Run `stablehand migrate`, then try again."
        )
    target.migrate()
    target.refuse_unless_empty()
    copied = 0 if objects_to is None else _copy_objects(objects, objects_to, tell)
    return TransferSummary(target.take_over(source, tell), copied)


def _copy_objects(source: Objects, target: Objects, tell: Tell) -> int:
    here = {stored.key: stored.size_bytes for stored in source.survey()}
    there = {stored.key: stored.size_bytes for stored in target.survey()}
    missing = [key for key, size in here.items() if there.get(key) != size]
    tell("objects", len(here) - len(missing), len(here))
    for done, key in enumerate(missing, start=len(here) - len(missing) + 1):
        target.put(key, source.get(key), content_type=TYPES.get(key.rpartition(".")[2], ""))
        tell("objects", done, len(here))
    return len(here)
