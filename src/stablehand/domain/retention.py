"""Retention: how long delivered pictures are kept, by the tier of the job that ordered them."""

from collections.abc import Mapping
from datetime import datetime, timedelta

#: Objects that no row speaks of are left alone for so long: an upload in the making is far younger.
ORPHAN_AGE = timedelta(hours=24)

#: More orphans than these few, and than this share of all objects, are not believed.
ORPHANS_FEW = 10
ORPHANS_SHARE = 0.1

#: Folders of the object store whose keys carry the ids of a shot and of an upload or a state.
SWEPT_FOLDERS = ("images", "thumbnails", "uploads", "parked")


def cutoffs(now: datetime, retention_days: Mapping[str, float | None]) -> dict[str, datetime]:
    """Tier -> pictures delivered before this moment have had their time, unless they are starred.

    Tiers whose days are None keep pictures for ever and do not occur.
    """
    return {tier: now - timedelta(days=days) for tier, days in retention_days.items() if days is not None}


def is_orphan_age(written_at: datetime, now: datetime) -> bool:
    """Whether an object is so old that a row must speak of it by now."""
    return now - written_at > ORPHAN_AGE


def is_plausible(*, orphans: int, seen: int) -> bool:
    """Whether so many of the objects seen can be orphans: crashes leave a few, never a good part of all there is."""
    return orphans <= max(ORPHANS_FEW, ORPHANS_SHARE * seen)


def ids_in(key: str) -> tuple[str, str] | None:
    """(shot id, upload or state id) of an object's key; None for one that is none of ours."""
    folder, _, rest = key.partition("/")
    shot_id, token, last = [*rest.rpartition("/")[2].rsplit("-", 2), "", ""][:3]
    if folder not in SWEPT_FOLDERS or not (shot_id and token.isdecimal() and last):
        return None
    return shot_id, last.partition(".")[0]
