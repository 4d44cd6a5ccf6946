"""What accounts want to be told by mail, and what they were told of their limits."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from stablehand.domain.accounts import account_state
from stablehand.domain.errors import NotFound
from stablehand.domain.mail_choices import SORTS, Mailbox, Sort
from stablehand.domain.versions import Expected, check_version, mailbox_version
from stablehand.store.credential_rows import CredentialRow
from stablehand.store.mail_choice_row import MailChoiceRow
from stablehand.store.models import AccountRow
from stablehand.store.settling import notice
from stablehand.store.transactions import ONLY_ROW, Transaction, Transactions, repeatable

#: an account is told of a limit that is used up once in so long
TOLD_EVERY = timedelta(hours=24)


class MailChoices(Transactions):
    def mailbox(self, account_id: str) -> Mailbox:
        """Where an account's mail goes, and what it wants there. Raises NotFound."""
        with self.reading() as tx:
            return _mailbox(tx, account_id)

    @repeatable
    def choose_mail(self, account_id: str, choices: Mapping[Sort, bool], *, expected: Expected = None) -> Mailbox:
        """The account says yes or no to letters of these sorts. Raises NotFound, ChangedMeanwhile."""
        with self.writing() as tx:
            row = _locked(tx, account_id)
            check_version(expected, mailbox_version(_mailbox(tx, account_id)))
            for sort, wanted in choices.items():
                setattr(row, sort, wanted)
            if not all(choices.values()):
                row.stopped_at = tx.now
            tx.session.flush()
            return _mailbox(tx, account_id)

    @repeatable
    def tell_of_limit(self, account_id: str, payload: dict[str, Any]) -> bool:
        """A notice that the account has used up a limit by the day, unless it had one within a day. Raises NotFound."""
        with self.writing() as tx:
            row = _locked(tx, account_id)
            if row.limit_told_at is not None and tx.now - row.limit_told_at < TOLD_EVERY:
                return False
            row.limit_told_at = tx.now
            tx.session.add(notice(tx, account_id, "", "quota_reached", payload))
            return True


def _mailbox(tx: Transaction, account_id: str) -> Mailbox:
    query = (
        select(AccountRow, CredentialRow, MailChoiceRow)
        .outerjoin(CredentialRow, CredentialRow.account_id == AccountRow.id)
        .outerjoin(MailChoiceRow, MailChoiceRow.account_id == AccountRow.id)
        .where(AccountRow.id == account_id, AccountRow.deleted_at.is_(None))
    )
    found = tx.session.execute(query).one_or_none()
    if found is None:
        raise _no_account()
    account, credentials, choices = found
    state = account_state(
        suspended=account.suspended_at is not None,
        has_address=credentials is not None,
        confirmed=credentials is not None and credentials.confirmed_at is not None,
    )
    best = tx.tiers.best
    return Mailbox(
        account_id=account_id,
        address=credentials.address if credentials is not None and state == "active" else None,
        served_at_once=len(tx.tiers) > 1 and tx.tiers.get(account.tier) is best,
        chosen={} if choices is None else _chosen(choices),
        stopped_at=None if choices is None else choices.stopped_at,
    )


def _chosen(row: MailChoiceRow) -> dict[Sort, bool]:
    return {sort: value for sort in SORTS if (value := getattr(row, sort)) is not None}


def _locked(tx: Transaction, account_id: str) -> MailChoiceRow:
    """The account's row of choices, made where there is none; its account is locked, so that nobody else makes one."""
    account = tx.session.get(AccountRow, account_id, with_for_update=ONLY_ROW)
    if account is None or account.deleted_at is not None:
        raise _no_account()
    row = tx.session.get(MailChoiceRow, account_id)
    if row is None:
        row = MailChoiceRow(account_id=account_id)
        tx.session.add(row)
    return row


def _no_account() -> NotFound:
    return NotFound("There is no such account.", hint="It may have been deleted.")
