"""What administrators do with accounts: look at all of them, change what they may, suspend them."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, or_, select

from stablehand.domain.accounts import Account, AccountEntry, AccountState, Role, account_state, check_may_lose_power
from stablehand.domain.audit import Deed
from stablehand.domain.errors import Conflict, NotFound
from stablehand.domain.pages import Page, decode_cursor, encode_cursor
from stablehand.domain.versions import Expected, account_version, check_version
from stablehand.store.audit import note
from stablehand.store.changes import Changes
from stablehand.store.credential_rows import ApiKeyRow, CredentialRow, SessionRow
from stablehand.store.credentials import end_sessions
from stablehand.store.ledger_rows import ChargeRow
from stablehand.store.models import IS_WAITING, AccountRow, JobRow, TallyRow
from stablehand.store.rows import account_from
from stablehand.store.settling import settle
from stablehand.store.transactions import ONLY_ROW, Transaction, Transactions, repeatable

#: pictures and device time are shown of this long
SHOWN_DAYS = 30
#: jobs that are cancelled in one transaction, and shots, unless one job has more
JOBS_AT_ONCE, SHOTS_AT_ONCE = 200, 2_000

_LIST = "accounts"


class Administration(Transactions):
    def list_accounts(
        self,
        *,
        search: str = "",
        role: Role | None = None,
        tier: str | None = None,
        state: AccountState | None = None,
        limit: int,
        cursor: str | None = None,
    ) -> Page[AccountEntry]:
        """By name. ``search``: a part of name or address. Raises InvalidFields for a cursor that is none."""
        start = 0 if cursor is None else decode_cursor(_LIST, cursor)
        query = (
            select(AccountRow, CredentialRow)
            .join(CredentialRow, CredentialRow.account_id == AccountRow.id, isouter=True)
            .where(AccountRow.deleted_at.is_(None))
            .order_by(AccountRow.name, AccountRow.id)
            .offset(start)
            .limit(limit + 1)
        )
        if search:
            part = "%" + search.casefold().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
            query = query.where(
                or_(func.lower(AccountRow.name).like(part, escape="\\"), CredentialRow.address.like(part, escape="\\"))
            )
        if role is not None:
            query = query.where(AccountRow.role == role)
        if tier is not None:
            query = query.where(AccountRow.tier == tier)
        if state == "suspended":
            query = query.where(AccountRow.suspended_at.is_not(None))
        elif state is not None:
            unconfirmed = (CredentialRow.account_id.is_not(None)) & CredentialRow.confirmed_at.is_(None)
            query = query.where(
                AccountRow.suspended_at.is_(None), unconfirmed if state == "unconfirmed" else ~unconfirmed
            )
        with self.reading() as tx:
            rows = tx.session.execute(query).tuples().all()
            more = encode_cursor(_LIST, start + limit) if len(rows) > limit else None
            return Page(tuple(_entries(tx, rows[:limit])), more)

    def account_entry(self, account_id: str) -> AccountEntry:
        """Raises NotFound."""
        query = (
            select(AccountRow, CredentialRow)
            .join(CredentialRow, CredentialRow.account_id == AccountRow.id, isouter=True)
            .where(AccountRow.id == account_id, AccountRow.deleted_at.is_(None))
        )
        with self.reading() as tx:
            rows = tx.session.execute(query).tuples().all()
            if not rows:
                raise _no_such_account()
            return _entries(tx, rows)[0]

    @repeatable
    def change_account(
        self,
        account_id: str,
        *,
        role: Role | None,
        tier: str | None,
        own_quotas: Mapping[str, Any] | None,
        deeds: Sequence[Deed],
        by: str | None,
        expected: Expected = None,
    ) -> Account:
        """Give an account another role, tier or quotas of its own; None: as it was. ``by``: who wants it.

        Jobs that it has ordered keep their tier.

        Raises:
            NotFound. ChangedMeanwhile. AccountProtected: nobody could administer any more.
        """
        with self.writing() as tx:
            tx.alone("administrators")
            row = locked_account(tx, account_id)
            check_version(expected, account_version(account_from(row, tx.tiers), row.quotas or {}))
            if role is not None and role != row.role:
                check_may_lose_power(
                    account_from(row, tx.tiers), by=by, deed="get another role", others=other_admins(tx, account_id)
                )
                row.role = role
            if tier is not None:
                row.tier = tier
            if own_quotas is not None:
                row.quotas = dict(own_quotas) or None
            for deed in deeds:
                note(tx, deed)
            return account_from(row, tx.tiers)

    @repeatable
    def suspend_account(self, account_id: str, *, reason: str, deed: Deed) -> None:
        """From now on it may do nothing; its sessions end, its keys rest. ``cancel_all`` should follow.

        Raises:
            NotFound. AccountProtected: nobody could administer any more. Conflict: one's own, or suspended already.
        """
        with self.writing() as tx:
            tx.alone("administrators")
            row = locked_account(tx, account_id)
            if row.suspended_at is not None:
                raise Conflict("The account is suspended already.", hint="Lift that first to give another reason.")
            check_may_lose_power(
                account_from(row, tx.tiers),
                by=deed.account_id,
                deed="be suspended",
                others=other_admins(tx, account_id),
            )
            if deed.account_id == account_id:
                raise Conflict("You cannot suspend yourself.", hint="Another administrator can.")
            row.suspended_at, row.suspended_reason = tx.now, reason
            end_sessions(tx, account_id)
            note(tx, deed)

    @repeatable
    def lift_suspension(self, account_id: str, deed: Deed) -> None:
        """It may do what it could before; what was cancelled stays so. Raises NotFound; Conflict: not suspended."""
        with self.writing() as tx:
            row = locked_account(tx, account_id)
            if row.suspended_at is None:
                raise Conflict("The account is not suspended.", hint="There is nothing to lift.")
            row.suspended_at, row.suspended_reason = None, ""
            note(tx, deed)

    @repeatable
    def cancel_all(self, account_id: str) -> Changes:
        """Cancel some of the account's unfinished jobs, as ``cancel`` does. Call it until it changes nothing.

        The newest first: nothing of the account waits behind them that would have to move up.
        """
        changes = Changes()
        open_jobs = (
            JobRow.account_id == account_id,
            JobRow.finished_at.is_(None),
            JobRow.cancel_requested_at.is_(None),
        )
        with self.writing() as tx:
            newest = select(JobRow.number, JobRow.count).where(*open_jobs).order_by(JobRow.number.desc())
            chosen: list[int] = []
            shots = 0
            for number, count in tx.session.execute(newest.limit(JOBS_AT_ONCE)).tuples():
                shots += count
                if chosen and shots > SHOTS_AT_ONCE:
                    break
                chosen.append(number)
            jobs = tx.session.scalars(
                select(JobRow)
                .where(JobRow.number.in_(chosen), *open_jobs)
                .order_by(JobRow.number)
                .with_for_update(**ONLY_ROW)
            ).all()
            for job in jobs:
                job.cancel_requested_at = tx.now
                changes.jobs[job.id] = job.account_id
            settle(tx, [job.id for job in jobs], changes)
        return changes

    def accounts_to_stop(self) -> tuple[str, ...]:
        """Suspended and deleted accounts that still have jobs which nobody has cancelled."""
        query = select(AccountRow.id).where(
            AccountRow.suspended_at.is_not(None),
            AccountRow.erased_at.is_(None),
            select(JobRow.number)
            .where(
                JobRow.account_id == AccountRow.id, JobRow.finished_at.is_(None), JobRow.cancel_requested_at.is_(None)
            )
            .exists(),
        )
        with self.reading() as tx:
            return tuple(tx.session.scalars(query))


def locked_account(tx: Transaction, account_id: str) -> AccountRow:
    """Raises NotFound, also for one that was deleted."""
    row = tx.session.get(AccountRow, account_id, with_for_update=ONLY_ROW)
    if row is None or row.deleted_at is not None:
        raise _no_such_account()
    return row


def other_admins(tx: Transaction, account_id: str) -> int:
    """How many administrators besides this one can sign in."""
    counted = (
        select(func.count())
        .select_from(AccountRow)
        .join(CredentialRow, CredentialRow.account_id == AccountRow.id)
        .where(
            AccountRow.id != account_id,
            AccountRow.role.in_(("owner", "admin")),
            AccountRow.suspended_at.is_(None),
            CredentialRow.confirmed_at.is_not(None),
        )
    )
    return tx.session.scalar(counted) or 0


def _no_such_account() -> NotFound:
    return NotFound("There is no such account.", hint="It may have been deleted.")


def _entries(tx: Transaction, rows: Sequence[tuple[AccountRow, CredentialRow | None]]) -> list[AccountEntry]:
    ids = [account.id for account, _ in rows]
    seen: dict[str, datetime] = {}
    for table, at in ((SessionRow, SessionRow.last_seen_at), (ApiKeyRow, ApiKeyRow.last_used_at)):
        latest = select(table.account_id, func.max(at)).where(table.account_id.in_(ids)).group_by(table.account_id)
        for account_id, moment in tx.session.execute(latest).tuples():
            if moment is not None:
                seen[account_id] = max(moment, seen.get(account_id, moment))
    waiting = select(TallyRow.account_id, func.sum(TallyRow.queued)).where(IS_WAITING, TallyRow.account_id.in_(ids))
    queued = dict(tx.session.execute(waiting.group_by(TallyRow.account_id)).tuples().all())
    charged = select(ChargeRow.account_id, func.count(), func.sum(ChargeRow.device_seconds)).where(
        ChargeRow.account_id.in_(ids), ChargeRow.created_at > tx.now - timedelta(days=SHOWN_DAYS)
    )
    charges = {row[0]: row[1:] for row in tx.session.execute(charged.group_by(ChargeRow.account_id)).tuples()}
    return [
        AccountEntry(
            account=account_from(account, tx.tiers),
            address=None if known is None else known.address,
            state=account_state(
                suspended=account.suspended_at is not None,
                has_address=known is not None,
                confirmed=known is not None and known.confirmed_at is not None,
            ),
            own_quotas=account.quotas or {},
            last_seen_at=seen.get(account.id),
            queued=int(queued.get(account.id, 0)),
            pictures=charges.get(account.id, (0, 0.0))[0],
            device_seconds=charges.get(account.id, (0, 0.0))[1],
        )
        for account, known in rows
    ]
