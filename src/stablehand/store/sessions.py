"""Sessions: begun by signing in, seen now and then, ended."""

from datetime import timedelta

from sqlalchemy import select, update

from stablehand.domain.accounts import Account
from stablehand.domain.audit import Deed
from stablehand.domain.credentials import BrowserSession
from stablehand.domain.errors import NotFound
from stablehand.store.audit import note
from stablehand.store.credential_rows import CredentialRow, SessionRow
from stablehand.store.models import AccountRow
from stablehand.store.rows import account_from
from stablehand.store.transactions import Transactions

#: ``last_seen_at`` is not written more often than this, lest every look at a page were a write
SEEN_MINUTES = 5


class Sessions(Transactions):
    def begin_session(self, new: BrowserSession, deed: Deed) -> None:
        """``created_at`` and ``last_seen_at`` are the database's own."""
        with self.writing() as tx:
            tx.session.add(
                SessionRow(
                    id=new.id,
                    account_id=new.account_id,
                    created_at=tx.now,
                    last_seen_at=tx.now,
                    address=new.address,
                    browser=new.browser,
                )
            )
            note(tx, deed)

    def account_in_session(self, session_id: str, *, idle_days: float) -> Account | None:
        """Whose session this is; None when it has ended or was not seen for so long, or its account may not be used."""
        query = (
            select(SessionRow, AccountRow)
            .join(AccountRow, AccountRow.id == SessionRow.account_id)
            .join(CredentialRow, CredentialRow.account_id == SessionRow.account_id)
            .where(
                SessionRow.id == session_id,
                SessionRow.ended_at.is_(None),
                AccountRow.suspended_at.is_(None),
                CredentialRow.confirmed_at.is_not(None),
            )
        )
        with self.reading() as tx:
            found = tx.session.execute(query).tuples().first()
            if found is None:
                return None
            row, account = found
            unseen = tx.now - row.last_seen_at
            if unseen > timedelta(days=idle_days):
                return None
            answer = account_from(account, tx.tiers)
        if unseen > timedelta(minutes=SEEN_MINUTES):
            with self.writing() as tx:
                tx.session.execute(update(SessionRow).where(SessionRow.id == session_id).values(last_seen_at=tx.now))
        return answer

    def sessions(self, account_id: str, *, idle_days: float) -> tuple[BrowserSession, ...]:
        """Those that are open, the last seen first."""
        with self.reading() as tx:
            rows = tx.session.scalars(
                select(SessionRow)
                .where(
                    SessionRow.account_id == account_id,
                    SessionRow.ended_at.is_(None),
                    SessionRow.last_seen_at > tx.now - timedelta(days=idle_days),
                )
                .order_by(SessionRow.last_seen_at.desc(), SessionRow.id)
            ).all()
            return tuple(
                BrowserSession(
                    id=row.id,
                    account_id=row.account_id,
                    created_at=row.created_at,
                    last_seen_at=row.last_seen_at,
                    address=row.address,
                    browser=row.browser,
                )
                for row in rows
            )

    def end_session(self, account_id: str, session_id: str, deed: Deed) -> None:
        """Raises NotFound unless it is an open one of this account."""
        with self.writing() as tx:
            ended = tx.session.scalars(
                update(SessionRow)
                .where(SessionRow.id == session_id, SessionRow.account_id == account_id, SessionRow.ended_at.is_(None))
                .values(ended_at=tx.now)
                .returning(SessionRow.id)
            ).all()
            if not ended:
                raise NotFound("There is no such session.", hint="It may have ended already.")
            note(tx, deed)
