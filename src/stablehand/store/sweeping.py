"""Sweeping what has served its time: old rows, pictures beyond their retention, objects that no row speaks of."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import delete, insert, select, update

from stablehand.domain.retention import cutoffs, ids_in
from stablehand.store.call_rows import CallRow
from stablehand.store.dispatch_rows import DispatchRow, DispatchTryRow
from stablehand.store.idempotency_row import IdempotencyRow
from stablehand.store.models import (
    AttemptRow,
    DeadLetterRow,
    DoomedObjectRow,
    ImageRow,
    JobRow,
    ParkedRow,
    UploadRow,
)
from stablehand.store.outbox_row import OutboxRow
from stablehand.store.transactions import Transaction, Transactions


class Sweeping(Transactions):
    def forget_old_rows(self, *, idempotency_hours: float, outbox_days: float, attempts_days: float) -> None:
        with self.writing() as tx:
            tx.session.execute(
                delete(IdempotencyRow).where(IdempotencyRow.created_at < tx.now - timedelta(hours=idempotency_hours))
            )
            tx.session.execute(delete(CallRow).where(CallRow.created_at < tx.now - timedelta(hours=idempotency_hours)))
            tx.session.execute(
                delete(AttemptRow).where(
                    AttemptRow.ended_at < tx.now - timedelta(days=attempts_days),
                    AttemptRow.shot_id.not_in(select(DeadLetterRow.shot_id)),
                )
            )
            # What was not delivered stays, however old: somebody still has to hear of it, or to decide that nobody has.
            old = tx.now - timedelta(days=outbox_days)
            tx.session.execute(delete(OutboxRow).where(OutboxRow.created_at < old, OutboxRow.delivered_at < old))

    def sweep_dispatches(self, *, log_days: float, at_most: int = 500) -> int:
        """Forget dispatches that ended long ago, with their tries; returns how many."""
        with self.writing() as tx:
            old = select(DispatchRow.id).where(DispatchRow.ended_at < tx.now - timedelta(days=log_days)).limit(at_most)
            ids = tx.session.scalars(old).all()
            tx.session.execute(delete(DispatchTryRow).where(DispatchTryRow.dispatch_id.in_(ids)))
            # Asked again in the same statement: somebody may have it tried anew.
            tx.session.execute(delete(DispatchRow).where(DispatchRow.id.in_(ids), DispatchRow.ended_at.is_not(None)))
            return len(ids)

    def trash_expired(self, *, at_most: int = 500) -> int:
        """Move pictures to the trash that their tier keeps no longer; returns how many. Starred ones stay."""
        gone = 0
        retention_days = {tier.name: tier.retention_days for tier in self.tiers}
        if all(days is None for days in retention_days.values()):
            return gone
        with self.writing() as tx:
            for tier, moment in cutoffs(tx.now, retention_days).items():
                old = tx.session.scalars(
                    select(ImageRow.id)
                    .join(JobRow, JobRow.id == ImageRow.job_id)
                    .where(
                        ImageRow.deleted_at.is_(None),
                        ~ImageRow.starred,
                        ImageRow.created_at < moment,
                        JobRow.tier == tier,
                    )
                    .limit(at_most)
                ).all()
                # Asked again in the same statement: it may have been starred in the meantime.
                swept = update(ImageRow).where(ImageRow.id.in_(old), ~ImageRow.starred, ImageRow.deleted_at.is_(None))
                gone += len(tx.session.scalars(swept.values(deleted_at=tx.now).returning(ImageRow.id)).all())
        return gone

    def unknown_objects(self, keys: Sequence[str]) -> list[str]:
        """Of these objects' keys, those that no row speaks of. Keys that are not ours are left out."""
        with self.reading() as tx:
            return _unknown(tx, keys)

    def doom_unknown(self, keys: Sequence[str]) -> int:
        """Of these objects' keys, doom those that no row speaks of; returns how many. Keys that are not ours stay."""
        with self.writing() as tx:
            unknown = _unknown(tx, keys)
            if unknown:
                tx.session.execute(insert(DoomedObjectRow), [{"key": key} for key in unknown])
            return len(unknown)


def _unknown(tx: Transaction, keys: Sequence[str]) -> list[str]:
    ids = {key: found for key in keys if (found := ids_in(key)) is not None}
    shot_ids = {shot_id for shot_id, _ in ids.values()}
    known = set(tx.session.scalars(select(DoomedObjectRow.key).where(DoomedObjectRow.key.in_(ids))))
    for image in tx.session.execute(
        select(ImageRow.object_key, ImageRow.thumbnail_key).where(ImageRow.shot_id.in_(shot_ids))
    ):
        known |= {image.object_key, image.thumbnail_key}
    for upload in tx.session.scalars(select(UploadRow).where(UploadRow.id.in_({last for _, last in ids.values()}))):
        known |= {upload.object_key, upload.thumbnail_key, upload.staged_key or ""}
    known |= set(tx.session.scalars(select(ParkedRow.object_key).where(ParkedRow.shot_id.in_(shot_ids))))
    return sorted(set(ids) - known)
