"""orphans: find objects that no row speaks of, by looking at every object there is. Slow; a rare round is enough."""

from collections.abc import Iterator
from datetime import datetime
from itertools import islice

from stablehand.domain.retention import SWEPT_FOLDERS, is_orphan_age
from stablehand.services import Services

#: Keys looked up in one transaction.
BATCH = 500


def find_orphans(services: Services, now: datetime) -> int:
    """Doom them, for ``purge`` to delete; returns how many. Raises StorageAway.

    They are left by a process that died between storing an object and noting it, by an agent that used a link after
    its upload was swept, and by a database that was put back from a backup. What has no key of ours is left alone.
    """
    old, found = _old_keys(services, now), 0
    while keys := list(islice(old, BATCH)):
        found += services.store.doom_unknown(keys)
    return found


def _old_keys(services: Services, now: datetime) -> Iterator[str]:
    for folder in SWEPT_FOLDERS:
        for stored in services.objects.survey(folder):
            if is_orphan_age(stored.written_at, now):
                yield stored.key
