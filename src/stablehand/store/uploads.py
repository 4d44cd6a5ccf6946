"""Uploads: bytes that wait for their delivery, stored by the server or put into the store by agents themselves."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import insert, select

from stablehand.store.models import DoomedObjectRow, UploadRow
from stablehand.store.transactions import Transactions


@dataclass(frozen=True, slots=True, kw_only=True)
class NewUpload:
    """Bytes of a picture, and where they are about to lie."""

    id: str
    shot_id: str
    token: int
    width: int
    height: int
    format: str
    object_key: str
    thumbnail_key: str
    size_bytes: int
    sha256: str
    staged_key: str | None = None  #: where the agent puts the bytes itself; they have not been looked at yet


class Uploads(Transactions):
    def note_upload(self, upload: NewUpload) -> None:
        """Write down that these objects are about to be stored, so that they are swept if nobody delivers them."""
        with self.writing() as tx:
            tx.session.execute(
                insert(UploadRow).values(
                    created_at=tx.now, **{field: getattr(upload, field) for field in NewUpload.__slots__}
                )
            )

    def staged(self, upload_ids: Sequence[str]) -> list[NewUpload]:
        """Of these uploads, those whose bytes nobody has looked at yet."""
        with self.reading() as tx:
            rows = tx.session.scalars(
                select(UploadRow).where(UploadRow.id.in_(upload_ids), UploadRow.staged_key.is_not(None))
            )
            return [NewUpload(**{field: getattr(row, field) for field in NewUpload.__slots__}) for row in rows]

    def accept_staged(self, upload_id: str) -> None:
        """The bytes lie under their own key and are sound: the staged copy is doomed."""
        with self.writing() as tx:
            upload = tx.session.get(UploadRow, upload_id, with_for_update=True)
            if upload is not None and upload.staged_key is not None:
                tx.session.execute(insert(DoomedObjectRow), [{"key": upload.staged_key}])
                upload.staged_key = None

    def discard_upload(self, upload_id: str) -> None:
        """The bytes are not there or not sound: forget them, doom what there is."""
        with self.writing() as tx:
            upload = tx.session.get(UploadRow, upload_id, with_for_update=True)
            if upload is not None:
                keys = (upload.object_key, upload.thumbnail_key, upload.staged_key)
                tx.session.execute(insert(DoomedObjectRow), [{"key": key} for key in keys if key is not None])
                tx.session.delete(upload)
