"""Webhooks: registered, changed, paused, and the versions of signing secrets."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import delete, func, select, update

from stablehand.domain.audit import Deed
from stablehand.domain.dispatches import DispatchState
from stablehand.domain.errors import Conflict, NotFound
from stablehand.domain.versions import Expected, check_version, webhook_version
from stablehand.domain.webhooks import CHANNEL, SigningKey, Webhook
from stablehand.store.audit import note
from stablehand.store.dispatch_rows import IS_OPEN, DispatchRow, DispatchTryRow
from stablehand.store.transactions import Transaction, Transactions, repeatable
from stablehand.store.webhook_rows import AccountSecretRow, WebhookRow

_UNFINISHED = (DispatchState.WAITING.value, DispatchState.HELD.value)


class Webhooks(Transactions):
    @repeatable
    def add_webhook(self, new: Webhook, *, most: int, deed: Deed) -> Webhook:
        """Raises Conflict when the account has ``most`` already."""
        with self.writing() as tx:
            tx.alone(f"webhooks of {new.account_id}")
            held = tx.session.scalar(
                select(func.count()).select_from(WebhookRow).where(WebhookRow.account_id == new.account_id)
            )
            if (held or 0) >= most:
                raise Conflict(f"An account has at most {most} webhooks.", hint="Delete one that is not in use.")
            row = WebhookRow(
                id=new.id,
                account_id=new.account_id,
                url=new.url,
                description=new.description,
                types=list(new.types),
                created_at=tx.now,
            )
            tx.session.add(row)
            tx.session.flush()
            note(tx, deed)
            return _webhook_from(row, {})

    def webhooks(self, account_id: str) -> tuple[Webhook, ...]:
        """The newest first, with how much waits for them and is dead."""
        with self.reading() as tx:
            rows = tx.session.scalars(
                select(WebhookRow)
                .where(WebhookRow.account_id == account_id)
                .order_by(WebhookRow.created_at.desc(), WebhookRow.id)
            ).all()
            counts = _counts(tx, [row.id for row in rows])
            return tuple(_webhook_from(row, counts.get(row.id, {})) for row in rows)

    def webhook(self, webhook_id: str, account_id: str | None = None) -> Webhook:
        """One; of ``account_id``, when given. Without counts then nothing was asked for. Raises NotFound."""
        with self.reading() as tx:
            row = _row(tx, webhook_id, account_id)
            return _webhook_from(row, {} if account_id is None else _counts(tx, [row.id]).get(row.id, {}))

    def webhooks_for(self, account_id: str, event_type: str) -> list[str]:
        """Ids of those that are to be told of such an event; those in no use too, for which it is kept."""
        with self.reading() as tx:
            rows = tx.session.execute(
                select(WebhookRow.id, WebhookRow.types)
                .where(WebhookRow.account_id == account_id)
                .order_by(WebhookRow.id)
            ).tuples()
            return [webhook_id for webhook_id, types in rows if event_type in types]

    @repeatable
    def change_webhook(
        self, webhook_id: str, account_id: str, values: Mapping[str, Any], *, expected: Expected = None
    ) -> Webhook:
        """``values``: of url, description and types, those that change. Raises NotFound, ChangedMeanwhile."""
        with self.writing() as tx:
            row = _row(tx, webhook_id, account_id)
            check_version(expected, webhook_version(_webhook_from(row, {})))
            for name in ("url", "description", "types"):
                if name in values:
                    setattr(row, name, values[name])
            return _webhook_from(row, _counts(tx, [row.id]).get(row.id, {}))

    @repeatable
    def pause_webhook(self, webhook_id: str, account_id: str) -> Webhook:
        """Nothing is sent to it for now; what is to be sent is kept. Raises NotFound."""
        with self.writing() as tx:
            row = _row(tx, webhook_id, account_id)
            if row.paused_at is None:
                row.paused_at = tx.now
                _turn(tx, row.id, DispatchState.WAITING, DispatchState.HELD)
            return _webhook_from(row, _counts(tx, [row.id]).get(row.id, {}))

    @repeatable
    def resume_webhook(self, webhook_id: str, account_id: str) -> Webhook:
        """Paused or disabled, it is used again, and what was kept for it is sent now. Raises NotFound."""
        with self.writing() as tx:
            row = _row(tx, webhook_id, account_id)
            if row.disabled_at is not None:
                row.failing_since = None
            row.paused_at = row.disabled_at = None
            row.disabled_reason = ""
            _turn(tx, row.id, DispatchState.HELD, DispatchState.WAITING)
            return _webhook_from(row, _counts(tx, [row.id]).get(row.id, {}))

    @repeatable
    def remove_webhook(self, webhook_id: str, account_id: str, deed: Deed, *, expected: Expected = None) -> None:
        """``forget_dispatches`` must follow. Raises NotFound, ChangedMeanwhile."""
        with self.writing() as tx:
            row = _row(tx, webhook_id, account_id)
            check_version(expected, webhook_version(_webhook_from(row, {})))
            tx.session.delete(row)
            note(tx, deed)

    @repeatable
    def forget_dispatches(self, webhook_id: str, *, at_most: int = 500) -> int:
        """Of a webhook that is gone; returns how many went. What is under way is forgotten by whoever carries it."""
        with self.writing() as tx:
            some = select(DispatchRow.id).where(DispatchRow.channel == CHANNEL, DispatchRow.destination == webhook_id)
            ids = tx.session.scalars(some.limit(at_most)).all()
            tx.session.execute(delete(DispatchTryRow).where(DispatchTryRow.dispatch_id.in_(ids)))
            tx.session.execute(delete(DispatchRow).where(DispatchRow.id.in_(ids)))
            return len(ids)

    @repeatable
    def rotate_secret(self, webhook_id: str, account_id: str, deed: Deed) -> SigningKey:
        """A new signing secret for a webhook. Raises NotFound."""
        with self.writing() as tx:
            row = _row(tx, webhook_id, account_id)
            row.secret_version += 1
            row.rotated_at = tx.now
            note(tx, deed)
            return _key_of(row)

    def account_signing_key(self, account_id: str) -> SigningKey:
        """Of addresses that the account's jobs bring along."""
        with self.reading() as tx:
            return _account_key(account_id, tx.session.get(AccountSecretRow, account_id))

    @repeatable
    def rotate_account_secret(self, account_id: str, deed: Deed) -> SigningKey:
        with self.writing() as tx:
            tx.alone(f"webhooks of {account_id}")
            row = tx.session.get(AccountSecretRow, account_id)
            if row is None:
                row = AccountSecretRow(account_id=account_id, secret_version=1)
                tx.session.add(row)
            row.secret_version += 1
            row.rotated_at = tx.now
            note(tx, deed)
            return _account_key(account_id, row)


def _row(tx: Transaction, webhook_id: str, account_id: str | None) -> WebhookRow:
    query = select(WebhookRow).where(WebhookRow.id == webhook_id)
    row = tx.session.scalar(query.with_for_update() if tx.writes else query)
    if row is None or (account_id is not None and row.account_id != account_id):
        raise NotFound("There is no such webhook.", hint="See GET /api/v1/webhooks for those that exist.")
    return row


def _turn(tx: Transaction, webhook_id: str, before: DispatchState, after: DispatchState) -> None:
    tx.session.execute(
        update(DispatchRow)
        .where(
            IS_OPEN,
            DispatchRow.channel == CHANNEL,
            DispatchRow.destination == webhook_id,
            DispatchRow.state == before.value,
        )
        .values(state=after.value, next_try_at=tx.now)
        .execution_options(synchronize_session=False)
    )


def _counts(tx: Transaction, webhook_ids: Sequence[str]) -> dict[str, dict[str, int]]:
    """webhook id -> state -> how many dispatches, of those that have not arrived."""
    counts: dict[str, dict[str, int]] = {}
    found = tx.session.execute(
        select(DispatchRow.destination, DispatchRow.state, func.count())
        .where(IS_OPEN, DispatchRow.channel == CHANNEL, DispatchRow.destination.in_(webhook_ids))
        .group_by(DispatchRow.destination, DispatchRow.state)
    ).tuples()
    for webhook_id, state, count in found:
        counts.setdefault(webhook_id, {})[state] = count
    return counts


def _webhook_from(row: WebhookRow, counts: Mapping[str, int]) -> Webhook:
    return Webhook(
        id=row.id,
        account_id=row.account_id,
        url=row.url,
        description=row.description,
        types=tuple(row.types),
        created_at=row.created_at,
        paused_at=row.paused_at,
        disabled_at=row.disabled_at,
        disabled_reason=row.disabled_reason,
        failing_since=row.failing_since,
        last_arrived_at=row.last_arrived_at,
        key=_key_of(row),
        waiting=sum(counts.get(state, 0) for state in _UNFINISHED),
        dead=counts.get(DispatchState.DEAD.value, 0),
    )


def _key_of(row: WebhookRow) -> SigningKey:
    return SigningKey(owner=row.id, version=row.secret_version, rotated_at=row.rotated_at)


def _account_key(account_id: str, row: AccountSecretRow | None) -> SigningKey:
    if row is None:
        return SigningKey(owner=account_id)
    return SigningKey(owner=account_id, version=row.secret_version, rotated_at=row.rotated_at)
