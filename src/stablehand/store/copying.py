"""Copies of the database, for backups."""

import sqlite3
from collections.abc import Collection, Sequence
from pathlib import Path

from sqlalchemy import delete, select, update

from stablehand.store.models import DoomedObjectRow, ImageRow, ParkedRow, ShotRow, UploadRow
from stablehand.store.transactions import Transactions


class Copying(Transactions):
    def copy_to(self, file: Path) -> None:
        """Write the whole database, as it is at one moment, into a new file. Readers and writers go on meanwhile."""
        with self.engine.connect() as connection:
            source = connection.connection.driver_connection
            if not isinstance(source, sqlite3.Connection):
                raise TypeError("only an SQLite database is copied as a file")
            target = sqlite3.connect(file)
            try:
                source.backup(target)
            finally:
                target.close()

    def kept_objects(self) -> dict[str, tuple[str, str]]:
        """image id -> keys of its file and thumbnail, of all pictures."""
        with self.reading() as tx:
            rows = tx.session.execute(select(ImageRow.id, ImageRow.object_key, ImageRow.thumbnail_key))
            return {image_id: (key, thumbnail) for image_id, key, thumbnail in rows}

    def purged(self, image_ids: Sequence[str]) -> set[str]:
        """Of these pictures, those that the database knows no longer."""
        with self.reading() as tx:
            known = tx.session.scalars(select(ImageRow.id).where(ImageRow.id.in_(image_ids)))
            return set(image_ids) - set(known)

    def forget_all_but(self, image_ids: Collection[str]) -> None:
        """In a copy: drop pictures, uploads, parked states and doomed objects whose bytes are not in the backup."""
        with self.writing() as tx:
            for image_id, shot_id in tx.session.execute(select(ImageRow.id, ImageRow.shot_id)).all():
                if image_id not in image_ids:
                    tx.session.execute(delete(ImageRow).where(ImageRow.id == image_id))
                    tx.session.execute(update(ShotRow).where(ShotRow.id == shot_id).values(image_id=None))
            tx.session.execute(delete(UploadRow))
            tx.session.execute(delete(ParkedRow))
            tx.session.execute(delete(DoomedObjectRow))
