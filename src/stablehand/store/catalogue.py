"""The catalogue of checkpoints."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import select

from stablehand.domain.checkpoints import Checkpoint, Found, match_files
from stablehand.store.breakers import forget_lanes
from stablehand.store.models import CheckpointRow
from stablehand.store.rows import checkpoint_from
from stablehand.store.transactions import ONLY_ROW, Transactions


@dataclass(frozen=True, slots=True)
class Unhashed:
    """A checkpoint whose SHA-256 is wanted, and the stamp that the hash will belong to."""

    checkpoint: Checkpoint
    stamp: str


class Catalogue(Transactions):
    def checkpoints(self) -> tuple[Checkpoint, ...]:
        """All that were ever seen, present ones first, by name."""
        with self.reading() as tx:
            rows = tx.session.scalars(select(CheckpointRow)).all()
            found = (checkpoint_from(row) for row in rows)
            return tuple(sorted(found, key=lambda entry: (entry.missing_since is not None, entry.name.casefold())))

    def checkpoints_by_id(self, ids: Collection[str]) -> dict[str, Checkpoint]:
        """Those that are known, also when their files are gone."""
        if not ids:
            return {}
        with self.reading() as tx:
            rows = tx.session.scalars(select(CheckpointRow).where(CheckpointRow.id.in_(list(ids))))
            return {row.id: checkpoint_from(row) for row in rows}

    def checkpoint_by_sha256(self, sha256: str) -> Checkpoint | None:
        """One whose files are there."""
        query = select(CheckpointRow).where(CheckpointRow.sha256 == sha256, CheckpointRow.missing_since.is_(None))
        with self.reading() as tx:
            row = tx.session.scalar(query.limit(1))
            return None if row is None else checkpoint_from(row)

    def stamps(self) -> dict[str, str]:
        """path -> stamp of the checkpoints that were there at the last scan."""
        with self.reading() as tx:
            query = select(CheckpointRow.path, CheckpointRow.stamp).where(CheckpointRow.missing_since.is_(None))
            return dict(tx.session.execute(query).tuples().all())

    def note_scan(self, found: Sequence[Found]) -> None:
        """Make the table say what is on disk: new rows, moved files under their old ids, missing ones marked."""
        with self.writing() as tx:
            tx.alone("catalogue")
            rows = {row.path: row for row in tx.session.scalars(select(CheckpointRow))}
            matches = match_files({path: row.stamp for path, row in rows.items()}, found)
            for row in rows.values():
                if row.path not in matches.values() and row.missing_since is None:
                    row.missing_since = tx.now
            for entry in found:
                old_path = matches.get(entry.path)
                row_known = rows.get(old_path) if old_path is not None else None
                if row_known is None:
                    row_known = CheckpointRow(id=entry.new_id, sha256=None, source=None, missing_since=None)
                    tx.session.add(row_known)
                elif row_known.stamp != entry.stamp:
                    row_known.sha256 = None
                    forget_lanes(tx, row_known.id)
                elif row_known.missing_since is not None:
                    forget_lanes(tx, row_known.id)
                row_known.name = entry.name
                row_known.path = entry.path
                row_known.family = entry.family
                row_known.native_size = entry.native_size
                row_known.size_bytes = entry.size_bytes
                row_known.stamp = entry.stamp
                row_known.builtin = entry.builtin
                row_known.inpainting = entry.inpainting
                row_known.prediction = entry.prediction
                row_known.zero_terminal_snr = entry.zero_terminal_snr
                row_known.distillation = entry.distillation
                row_known.source = entry.source
                row_known.missing_since = None

    def unhashed(self) -> list[Unhashed]:
        """Present checkpoints without a SHA-256, the smallest first."""
        query = (
            select(CheckpointRow)
            .where(CheckpointRow.sha256.is_(None), CheckpointRow.missing_since.is_(None))
            .order_by(CheckpointRow.size_bytes)
        )
        with self.reading() as tx:
            return [Unhashed(checkpoint_from(row), row.stamp) for row in tx.session.scalars(query)]

    def note_hash(self, checkpoint_id: str, stamp: str, sha256: str) -> None:
        """Store a hash, unless the files have changed since ``stamp`` was read."""
        with self.writing() as tx:
            row = tx.session.get(CheckpointRow, checkpoint_id, with_for_update=ONLY_ROW)
            if row is not None and row.stamp == stamp:
                row.sha256 = sha256
