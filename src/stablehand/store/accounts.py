"""Accounts."""

from collections.abc import Collection

from sqlalchemy import select

from stablehand.domain.accounts import OWNER_NAME, Account
from stablehand.domain.errors import NotFound
from stablehand.store.models import AccountRow
from stablehand.store.rows import account_from
from stablehand.store.transactions import Transactions


class Accounts(Transactions):
    def account(self, account_id: str) -> Account:
        """Raises NotFound."""
        with self.reading() as tx:
            row = tx.session.get(AccountRow, account_id)
            if row is None or row.deleted_at is not None:
                raise NotFound("There is no such account.", hint="It may have been deleted.")
            return account_from(row, tx.tiers)

    def account_names(self, account_ids: Collection[str]) -> dict[str, str]:
        """id -> name, of those that are accounts and were not deleted."""
        query = select(AccountRow.id, AccountRow.name).where(
            AccountRow.id.in_(account_ids), AccountRow.deleted_at.is_(None)
        )
        with self.reading() as tx:
            return dict(tx.session.execute(query).tuples().all())

    def owner(self, new_id: str) -> Account:
        """The built-in owner; made under ``new_id`` when there is none yet."""
        query = select(AccountRow).where(AccountRow.name == OWNER_NAME)
        with self.reading() as tx:
            row = tx.session.scalar(query)
            if row is not None:
                return account_from(row, tx.tiers)
        with self.writing() as tx:
            tx.alone("accounts by name")
            row = tx.session.scalar(query)
            if row is None:
                row = AccountRow(id=new_id, name=OWNER_NAME, role="owner", tier=tx.tiers.best.name, created_at=tx.now)
                tx.session.add(row)
                tx.session.flush()
            return account_from(row, tx.tiers)
