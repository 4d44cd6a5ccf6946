"""orphans: find objects that no row speaks of, by looking at every object there is. Slow; a rare round is enough."""

import logging
from collections.abc import Iterator
from datetime import datetime
from itertools import islice

from stablehand.domain.retention import SWEPT_FOLDERS, is_orphan_age, is_plausible
from stablehand.services import Services

#: Keys looked up in one transaction, and orphans that one round takes; the others are for the next one.
BATCH = 500
ROUND = 100 * BATCH

_log = logging.getLogger(__name__)


def find_orphans(services: Services, now: datetime) -> int:
    """Doom them, for ``purge`` to delete; returns how many. Raises StorageAway.

    They are left by a process that died between storing an object and noting it, by an agent that used a link after
    its upload was swept, and by a database that was put back from a backup. What has no key of ours is left alone.
    So is everything when far too much is unknown: then the database is the wrong one, or a second one uses the store.
    """
    old, seen = _old_keys(services, now), 0
    orphans: list[str] = []
    while (keys := list(islice(old, BATCH))) and len(orphans) < ROUND:
        seen += len(keys)
        orphans += services.store.unknown_objects(keys)
    if not is_plausible(orphans=len(orphans), seen=seen):
        _log.error(
            "%d of %d objects in %s are unknown to the database; none was deleted. Does another installation keep its "
            "pictures there? Give each a prefix of its own.",
            len(orphans),
            seen,
            services.objects.place,
        )
        return 0
    return sum(services.store.doom_unknown(orphans[i : i + BATCH]) for i in range(0, len(orphans), BATCH))


def _old_keys(services: Services, now: datetime) -> Iterator[str]:
    for folder in SWEPT_FOLDERS:
        for stored in services.objects.survey(folder):
            if is_orphan_age(stored.written_at, now):
                yield stored.key
