"""API keys: made, used, revoked."""

from datetime import timedelta

from sqlalchemy import func, select, update

from stablehand.domain.accounts import Account
from stablehand.domain.audit import Deed
from stablehand.domain.credentials import ApiKey, in_order
from stablehand.domain.errors import Conflict, NotFound
from stablehand.store.audit import note
from stablehand.store.credential_rows import ApiKeyRow, CredentialRow
from stablehand.store.models import AccountRow
from stablehand.store.rows import account_from
from stablehand.store.sessions import SEEN_MINUTES
from stablehand.store.transactions import Transactions

#: keys that one account may have at a time
KEYS_AT_MOST = 50


class ApiKeys(Transactions):
    def add_key(self, new: ApiKey, key_hash: str, *, days: float | None, deed: Deed) -> ApiKey:
        """``days``: until it expires. Raises Conflict when the account has as many keys as it may."""
        with self.writing() as tx:
            tx.alone(f"keys of {new.account_id}")
            held = tx.session.scalar(
                select(func.count())
                .select_from(ApiKeyRow)
                .where(ApiKeyRow.account_id == new.account_id, ApiKeyRow.revoked_at.is_(None))
            )
            if (held or 0) >= KEYS_AT_MOST:
                raise Conflict(f"An account has at most {KEYS_AT_MOST} keys.", hint="Revoke one that is not in use.")
            row = ApiKeyRow(
                id=new.id,
                account_id=new.account_id,
                name=new.name,
                hint=new.hint,
                key_hash=key_hash,
                scopes=list(new.scopes),
                created_at=tx.now,
                expires_at=None if days is None else tx.now + timedelta(days=days),
            )
            tx.session.add(row)
            note(tx, deed)
            return _key_from(row)

    def keys(self, account_id: str) -> tuple[ApiKey, ...]:
        """All that are not revoked, the newest first."""
        with self.reading() as tx:
            rows = tx.session.scalars(
                select(ApiKeyRow)
                .where(ApiKeyRow.account_id == account_id, ApiKeyRow.revoked_at.is_(None))
                .order_by(ApiKeyRow.created_at.desc(), ApiKeyRow.id)
            ).all()
            return tuple(map(_key_from, rows))

    def revoke_key(self, account_id: str, key_id: str, deed: Deed) -> None:
        """Raises NotFound unless it is one of this account's."""
        with self.writing() as tx:
            revoked = tx.session.scalars(
                update(ApiKeyRow)
                .where(ApiKeyRow.id == key_id, ApiKeyRow.account_id == account_id, ApiKeyRow.revoked_at.is_(None))
                .values(revoked_at=tx.now)
                .returning(ApiKeyRow.id)
            ).all()
            if not revoked:
                raise NotFound("There is no such key.", hint="It may have been revoked already.")
            note(tx, deed)

    def account_by_key(self, key_hash: str) -> tuple[ApiKey, Account] | None:
        """A key that is good now, and whose it is; that account may be suspended."""
        query = (
            select(ApiKeyRow, AccountRow)
            .join(AccountRow, AccountRow.id == ApiKeyRow.account_id)
            .join(CredentialRow, CredentialRow.account_id == ApiKeyRow.account_id)
            .where(
                ApiKeyRow.key_hash == key_hash,
                ApiKeyRow.revoked_at.is_(None),
                CredentialRow.confirmed_at.is_not(None),
            )
        )
        with self.reading() as tx:
            found = tx.session.execute(query).tuples().first()
            if found is None:
                return None
            row, account = found
            if row.expires_at is not None and row.expires_at <= tx.now:
                return None
            unused = row.last_used_at is None or tx.now - row.last_used_at > timedelta(minutes=SEEN_MINUTES)
            answer = _key_from(row), account_from(account, tx.tiers)
        if unused:
            with self.writing() as tx:
                tx.session.execute(update(ApiKeyRow).where(ApiKeyRow.key_hash == key_hash).values(last_used_at=tx.now))
        return answer

    def key_is_good(self, key_id: str) -> bool:
        """Whether it is neither revoked nor past its time, and its account may be used."""
        query = (
            select(ApiKeyRow.expires_at)
            .join(AccountRow, AccountRow.id == ApiKeyRow.account_id)
            .where(ApiKeyRow.id == key_id, ApiKeyRow.revoked_at.is_(None), AccountRow.suspended_at.is_(None))
        )
        with self.reading() as tx:
            found = tx.session.execute(query).one_or_none()
            return found is not None and (found.expires_at is None or found.expires_at > tx.now)


def _key_from(row: ApiKeyRow) -> ApiKey:
    return ApiKey(
        id=row.id,
        account_id=row.account_id,
        name=row.name,
        hint=row.hint,
        scopes=in_order(row.scopes),
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
    )
