"""Erasing: an account is deleted with everything that was its own.

Closing it is one transaction: from then on nobody can sign in to it, and it has no name. What it has left is swept
afterwards, a few rows at a time, until nothing comes any more: jobs that were running end first. Its row, its lines
of the ledger and the bare frame of its jobs stay; nothing in them says who it was or what was drawn.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, insert, select, update

from stablehand.domain.accounts import check_may_lose_power
from stablehand.domain.audit import Deed
from stablehand.domain.jobs import TERMINAL
from stablehand.domain.recipes import Recipe
from stablehand.domain.versions import Expected, account_version, check_version
from stablehand.store.administration import locked_account, other_admins
from stablehand.store.audit import note
from stablehand.store.call_rows import CallRow, ClientOptionsRow
from stablehand.store.columns import Table
from stablehand.store.credential_rows import ApiKeyRow, CredentialRow, InvitationRow, SessionRow
from stablehand.store.dispatch_rows import DispatchRow, DispatchTryRow
from stablehand.store.idempotency_row import IdempotencyRow
from stablehand.store.identity_row import IdentityRow
from stablehand.store.input_row import InputRow
from stablehand.store.link_rows import LinkRow, LinkStampRow
from stablehand.store.mail_choice_row import MailChoiceRow
from stablehand.store.models import (
    AccountRow,
    AttemptRow,
    DeadLetterRow,
    DoomedObjectRow,
    ImageRow,
    JobRow,
    ShotRow,
    TallyRow,
    UploadRow,
)
from stablehand.store.outbox_row import OutboxRow
from stablehand.store.parking import forget_parked
from stablehand.store.rows import account_from
from stablehand.store.transactions import Transaction, Transactions, repeatable
from stablehand.store.webhook_rows import AccountSecretRow, WebhookRow

#: rows of a kind that are swept in one transaction
ROWS_AT_ONCE = 500
#: jobs of which that is done; each may have a thousand shots
JOBS_AT_ONCE = 20
#: stands in the place of the tier of a job of which nothing else is left
_ERASED = ""
#: after so long no request that came before can write anything any more
SETTLED_MINUTES = 5

#: tables of which an account's rows go at once, by its id
CLOSED: tuple[type[Table], ...] = (
    CredentialRow,
    SessionRow,
    ApiKeyRow,
    IdentityRow,
    IdempotencyRow,
    CallRow,
    ClientOptionsRow,
    LinkRow,
    LinkStampRow,
    WebhookRow,
    AccountSecretRow,
    MailChoiceRow,
)
#: those of which they go bit by bit
SWEPT: tuple[type[Table], ...] = (
    ImageRow,
    InputRow,
    OutboxRow,
    DispatchRow,
    DeadLetterRow,
    TallyRow,
    JobRow,
    ShotRow,
)
#: those that stay: who did what, and what it cost
KEPT = frozenset({"audit", "charges", "waste", "ledger_days"})


class Erasing(Transactions):
    @repeatable
    def close_account(self, account_id: str, deed: Deed, *, expected: Expected = None) -> None:
        """Nobody can use the account any more, and its row does not say whose it was. ``erase_some`` must follow.

        Raises:
            NotFound. ChangedMeanwhile. AccountProtected: the built-in owner, or the last administrator.
        """
        with self.writing() as tx:
            tx.alone("administrators")
            tx.alone("accounts by name")
            row = locked_account(tx, account_id)
            account = account_from(row, tx.tiers)
            check_version(expected, account_version(account, row.quotas or {}))
            check_may_lose_power(account, by=deed.account_id, deed="be deleted", others=other_admins(tx, account_id))
            address = tx.session.scalar(select(CredentialRow.address).where(CredentialRow.account_id == account_id))
            for table in CLOSED:
                tx.session.execute(delete(table).where(_column(table, "account_id") == account_id))
            if address is not None:
                tx.session.execute(delete(InvitationRow).where(InvitationRow.address == address))
            tx.session.execute(
                update(InvitationRow)
                .where(InvitationRow.made_by == account_id, InvitationRow.used_at.is_(None))
                .values(revoked_at=tx.now)
            )
            row.name = f"deleted-{account_id}"
            row.role, row.quotas = "user", None
            row.suspended_at, row.suspended_reason = tx.now, ""
            row.deleted_at = tx.now
            note(tx, deed)

    @repeatable
    def erase_some(self, account_id: str) -> tuple[int, list[str]]:
        """Sweep a part of what a deleted account has left.

        Returns how many rows that were, and the keys of the objects to delete; these are handed out again by ``doom``
        until ``forget_doomed`` says that they are gone. No rows: nothing is left for now.
        """
        with self.writing() as tx:
            row = tx.session.get_one(AccountRow, account_id, with_for_update=True)
            if row.deleted_at is None or row.erased_at is not None:
                return 0, []
            keys: list[str] = []
            swept = sum(sweep(tx, account_id, keys) for sweep in _SWEEPS)
            if keys:
                tx.session.execute(insert(DoomedObjectRow), [{"key": key} for key in keys])
            active = select(JobRow.number).where(JobRow.account_id == account_id, JobRow.finished_at.is_(None))
            settled = tx.now - row.deleted_at > timedelta(minutes=SETTLED_MINUTES)
            if not swept and settled and tx.session.scalar(active.limit(1)) is None:
                row.erased_at = tx.now
            return swept, keys

    def accounts_to_erase(self) -> tuple[str, ...]:
        """Deleted accounts of which something may be left."""
        query = select(AccountRow.id).where(AccountRow.deleted_at.is_not(None), AccountRow.erased_at.is_(None))
        with self.reading() as tx:
            return tuple(tx.session.scalars(query))


def _column(table: type[Table], name: str) -> Any:
    return getattr(table, name)


def _images(tx: Transaction, account_id: str, keys: list[str]) -> int:
    gone = tx.session.execute(
        select(ImageRow.id, ImageRow.shot_id, ImageRow.object_key, ImageRow.thumbnail_key)
        .where(ImageRow.account_id == account_id)
        .limit(ROWS_AT_ONCE)
    ).all()
    tx.session.execute(update(ShotRow).where(ShotRow.id.in_([row.shot_id for row in gone])).values(image_id=None))
    tx.session.execute(delete(ImageRow).where(ImageRow.id.in_([row.id for row in gone])))
    keys += [key for row in gone for key in (row.object_key, row.thumbnail_key)]
    return len(gone)


def _inputs(tx: Transaction, account_id: str, keys: list[str]) -> int:
    """Those of jobs that still run go with the rest: their agents are told to stop."""
    gone = tx.session.execute(
        select(InputRow.id, InputRow.object_key).where(InputRow.account_id == account_id).limit(ROWS_AT_ONCE)
    ).all()
    tx.session.execute(
        delete(InputRow).where(InputRow.account_id == account_id, InputRow.id.in_([row.id for row in gone]))
    )
    keys += [row.object_key for row in gone]
    return len(gone)


def _notices(tx: Transaction, account_id: str, keys: list[str]) -> int:
    del keys
    some = select(OutboxRow.number).where(OutboxRow.account_id == account_id).limit(ROWS_AT_ONCE)
    return _deleted(tx, delete(OutboxRow).where(OutboxRow.number.in_(some)).returning(OutboxRow.number))


def _dispatches(tx: Transaction, account_id: str, keys: list[str]) -> int:
    del keys
    some = select(DispatchRow.id).where(DispatchRow.account_id == account_id).limit(ROWS_AT_ONCE)
    ids = tx.session.scalars(some).all()
    tx.session.execute(delete(DispatchTryRow).where(DispatchTryRow.dispatch_id.in_(ids)))
    return _deleted(tx, delete(DispatchRow).where(DispatchRow.id.in_(ids)).returning(DispatchRow.number))


def _letters(tx: Transaction, account_id: str, keys: list[str]) -> int:
    del keys
    some = select(DeadLetterRow.number).where(DeadLetterRow.account_id == account_id).limit(ROWS_AT_ONCE)
    return _deleted(tx, delete(DeadLetterRow).where(DeadLetterRow.number.in_(some)).returning(DeadLetterRow.number))


def _tallies(tx: Transaction, account_id: str, keys: list[str]) -> int:
    del keys
    empty = delete(TallyRow).where(TallyRow.account_id == account_id, TallyRow.queued == 0)
    return _deleted(tx, empty.returning(TallyRow.account_id))


def _jobs(tx: Transaction, account_id: str, keys: list[str]) -> int:
    """Of ended jobs and their shots only what the ledger and the queue's clock rest on is left."""
    jobs = tx.session.scalars(
        select(JobRow)
        .where(JobRow.account_id == account_id, JobRow.finished_at.is_not(None), JobRow.tier != _ERASED)
        .order_by(JobRow.number)
        .limit(JOBS_AT_ONCE)
        .with_for_update()
    ).all()
    ids = [job.id for job in jobs]
    shots = select(ShotRow.id).where(ShotRow.job_id.in_(ids))
    ended = ShotRow.state.in_([state.value for state in TERMINAL])
    uploads = tx.session.scalars(select(UploadRow).where(UploadRow.shot_id.in_(shots))).all()
    keys += [key for row in uploads for key in (row.object_key, row.thumbnail_key, row.staged_key) if key]
    tx.session.execute(delete(UploadRow).where(UploadRow.id.in_([row.id for row in uploads])))
    forget_parked(tx, tx.session.scalars(shots).all())
    tx.session.execute(delete(AttemptRow).where(AttemptRow.shot_id.in_(shots)))
    tx.session.execute(update(ShotRow).where(ShotRow.job_id.in_(ids), ended).values(seed=0, error=None))
    for job in jobs:
        job.recipe = Recipe.from_dict(job.recipe).without_content().as_dict()
        job.tier, job.retry_of, job.notify = _ERASED, None, None
    return len(jobs)


def _deleted(tx: Transaction, statement: Any) -> int:
    return len(tx.session.execute(statement).all())


_Sweep = Callable[[Transaction, str, list[str]], int]
# Dead letters before jobs, because they refer to shots.
_SWEEPS: tuple[_Sweep, ...] = (_images, _inputs, _notices, _dispatches, _letters, _tallies, _jobs)
