"""Weights beside the checkpoints."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import cast

from sqlalchemy import select

from stablehand.domain.addons import AddonFile, AddonKind, FoundAddon
from stablehand.domain.checkpoints import match_files
from stablehand.store.addon_row import AddonRow
from stablehand.store.transactions import ONLY_ROW, Transactions


@dataclass(frozen=True, slots=True)
class UnhashedAddon:
    """An addon whose SHA-256 is wanted, and the stamp that the hash will belong to."""

    addon: AddonFile
    stamp: str


class Addons(Transactions):
    def addons(self) -> tuple[AddonFile, ...]:
        """Those whose files are there, by kind and name."""
        query = select(AddonRow).where(AddonRow.missing_since.is_(None))
        with self.reading() as tx:
            found = [_addon_from(row) for row in tx.session.scalars(query)]
        return tuple(sorted(found, key=lambda addon: (addon.kind, addon.name.casefold())))

    def addons_by_id(self, ids: Collection[str]) -> dict[str, AddonFile]:
        """Those that are known, also when their files are gone."""
        if not ids:
            return {}
        with self.reading() as tx:
            rows = tx.session.scalars(select(AddonRow).where(AddonRow.id.in_(list(ids))))
            return {row.id: _addon_from(row) for row in rows}

    def addon_by_sha256(self, sha256: str) -> AddonFile | None:
        query = select(AddonRow).where(AddonRow.sha256 == sha256, AddonRow.missing_since.is_(None)).limit(1)
        with self.reading() as tx:
            row = tx.session.scalar(query)
            return None if row is None else _addon_from(row)

    def addon_stamps(self) -> dict[str, str]:
        """path -> stamp of those that were there at the last scan."""
        query = select(AddonRow.path, AddonRow.stamp).where(AddonRow.missing_since.is_(None))
        with self.reading() as tx:
            return dict(tx.session.execute(query).tuples().all())

    def note_addons(self, found: Sequence[FoundAddon]) -> None:
        """Make the table say what is on disk: new rows, moved files under their old ids, missing ones marked."""
        with self.writing() as tx:
            tx.alone("catalogue")
            rows = {row.path: row for row in tx.session.scalars(select(AddonRow))}
            matches = match_files({path: row.stamp for path, row in rows.items()}, found)
            for row in rows.values():
                if row.path not in matches.values() and row.missing_since is None:
                    row.missing_since = tx.now
            for entry in found:
                old_path = matches.get(entry.path)
                known = rows.get(old_path) if old_path is not None else None
                if known is None:
                    known = AddonRow(id=entry.new_id, sha256=None)
                    tx.session.add(known)
                elif known.stamp != entry.stamp:
                    known.sha256 = None
                known.kind = entry.kind
                known.name = entry.name
                known.path = entry.path
                known.family = entry.family
                known.scale = entry.scale
                known.size_bytes = entry.size_bytes
                known.stamp = entry.stamp
                known.source = entry.source
                known.missing_since = None

    def unhashed_addons(self) -> list[UnhashedAddon]:
        """Present addons without a SHA-256, the smallest first."""
        query = (
            select(AddonRow)
            .where(AddonRow.sha256.is_(None), AddonRow.missing_since.is_(None))
            .order_by(AddonRow.size_bytes)
        )
        with self.reading() as tx:
            return [UnhashedAddon(_addon_from(row), row.stamp) for row in tx.session.scalars(query)]

    def note_addon_hash(self, addon_id: str, stamp: str, sha256: str) -> None:
        """Store a hash, unless the file has changed since ``stamp`` was read."""
        with self.writing() as tx:
            row = tx.session.get(AddonRow, addon_id, with_for_update=ONLY_ROW)
            if row is not None and row.stamp == stamp:
                row.sha256 = sha256


def _addon_from(row: AddonRow) -> AddonFile:
    return AddonFile(
        id=row.id,
        kind=cast(AddonKind, row.kind),
        name=row.name,
        path=row.path,
        family=row.family,
        scale=row.scale,
        size_bytes=row.size_bytes,
        sha256=row.sha256,
        source=row.source,
        missing_since=row.missing_since,
    )
