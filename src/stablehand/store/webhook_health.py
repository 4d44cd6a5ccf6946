"""What tries say of the webhook that they went to, and when that ends it."""

from collections.abc import Sequence

from sqlalchemy import select, update

from stablehand.domain.dispatches import Arrived, DispatchState, Never, Outcome
from stablehand.domain.webhooks import CHANNEL, DISABLED_AFTER_DAYS, is_long_failing
from stablehand.store.dispatch_rows import IS_OPEN, DispatchRow
from stablehand.store.settling import notice
from stablehand.store.transactions import Transaction
from stablehand.store.webhook_rows import WebhookRow

GONE = "It answered 410 Gone."
LONG_FAILING = f"Every try has failed for {DISABLED_AFTER_DAYS} days."


def note_tries(tx: Transaction, webhook_id: str, outcomes: Sequence[Outcome]) -> None:
    """``outcomes``: of tries that ended just now. A destination that is no webhook's id is left alone."""
    row = tx.session.scalar(select(WebhookRow).where(WebhookRow.id == webhook_id).with_for_update())
    if row is None:
        return
    if any(isinstance(outcome, Arrived) for outcome in outcomes):
        row.last_arrived_at, row.failing_since = tx.now, None
    elif row.failing_since is None:
        row.failing_since = tx.now
    if row.disabled_at is not None:
        return
    if any(isinstance(outcome, Never) and outcome.gone for outcome in outcomes):
        _disable(tx, row, GONE)
    elif row.failing_since is not None and is_long_failing(row.failing_since, tx.now):
        _disable(tx, row, LONG_FAILING)


def _disable(tx: Transaction, row: WebhookRow, reason: str) -> None:
    """What waits for it is kept as dead, so that it can be tried anew."""
    row.disabled_at, row.disabled_reason = tx.now, reason
    unfinished = (DispatchState.WAITING.value, DispatchState.HELD.value)
    tx.session.execute(
        update(DispatchRow)
        .where(
            IS_OPEN,
            DispatchRow.channel == CHANNEL,
            DispatchRow.destination == row.id,
            DispatchRow.state.in_(unfinished),
        )
        .values(state=DispatchState.DEAD.value, ended_at=tx.now, error="The webhook was disabled.")
        .execution_options(synchronize_session=False)
    )
    told: dict[str, object] = {"webhook_id": row.id, "url": row.url, "description": row.description, "reason": reason}
    tx.session.add(notice(tx, row.account_id, "", "webhook_disabled", told))
