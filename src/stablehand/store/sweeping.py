"""Sweeping rows that have served their time."""

from datetime import timedelta

from sqlalchemy import delete

from stablehand.store.models import IdempotencyRow
from stablehand.store.outbox_row import OutboxRow
from stablehand.store.transactions import Transactions


class Sweeping(Transactions):
    def forget_old_rows(self, *, idempotency_hours: float, outbox_days: float) -> None:
        with self.writing() as tx:
            tx.session.execute(
                delete(IdempotencyRow).where(IdempotencyRow.created_at < tx.now - timedelta(hours=idempotency_hours))
            )
            # What was not delivered stays, however old: somebody still has to hear of it, or to decide that nobody has.
            old = tx.now - timedelta(days=outbox_days)
            tx.session.execute(delete(OutboxRow).where(OutboxRow.created_at < old, OutboxRow.delivered_at < old))
