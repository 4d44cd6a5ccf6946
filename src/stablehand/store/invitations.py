"""Invitations: made, used once, revoked."""

from datetime import timedelta
from typing import cast

from sqlalchemy import select, update

from stablehand.domain.accounts import OWNER_NAME, Role
from stablehand.domain.audit import Deed
from stablehand.domain.credentials import Invitation
from stablehand.domain.errors import NotFound
from stablehand.store.audit import note
from stablehand.store.credential_rows import CredentialRow, InvitationRow
from stablehand.store.models import AccountRow
from stablehand.store.transactions import Transaction, Transactions


class Invitations(Transactions):
    def owner_is_claimed(self) -> bool:
        """Whether the built-in owner has an address to sign in with."""
        query = (
            select(CredentialRow.account_id)
            .join(AccountRow, AccountRow.id == CredentialRow.account_id)
            .where(AccountRow.name == OWNER_NAME)
        )
        with self.reading() as tx:
            return tx.session.scalar(query) is not None

    def invite(self, new: Invitation, token_hash: str, *, days: float, deed: Deed) -> Invitation:
        """``created_at`` and ``expires_at`` are the database's own."""
        with self.writing() as tx:
            row = InvitationRow(
                id=new.id,
                token_hash=token_hash,
                address=new.address,
                role=new.role,
                tier=new.tier,
                made_by=new.made_by,
                created_at=tx.now,
                expires_at=tx.now + timedelta(days=days),
            )
            tx.session.add(row)
            note(tx, deed)
            return _invitation_from(row)

    def invitation(self, token_hash: str) -> Invitation | None:
        """One that can be used now."""
        with self.reading() as tx:
            row = tx.session.scalar(select(InvitationRow).where(InvitationRow.token_hash == token_hash))
            return _invitation_from(row) if row is not None and _is_good(tx, row) else None

    def invitations(self) -> tuple[Invitation, ...]:
        """Those that can be used now, the newest first."""
        with self.reading() as tx:
            rows = tx.session.scalars(
                select(InvitationRow)
                .where(InvitationRow.used_at.is_(None), InvitationRow.revoked_at.is_(None))
                .order_by(InvitationRow.created_at.desc(), InvitationRow.id)
            ).all()
            return tuple(_invitation_from(row) for row in rows if _is_good(tx, row))

    def revoke_invitation(self, invitation_id: str, deed: Deed) -> None:
        """Raises NotFound."""
        with self.writing() as tx:
            revoked = tx.session.scalars(
                update(InvitationRow)
                .where(
                    InvitationRow.id == invitation_id,
                    InvitationRow.used_at.is_(None),
                    InvitationRow.revoked_at.is_(None),
                )
                .values(revoked_at=tx.now)
                .returning(InvitationRow.id)
            ).all()
            if not revoked:
                raise NotFound("There is no such invitation.", hint="It may have been used or revoked already.")
            note(tx, deed)


def use_invitation(tx: Transaction, token_hash: str, *, address: str, used_by: str) -> InvitationRow:
    """Use one up. Raises NotFound unless it is good now, and for this address."""
    row = tx.session.scalar(select(InvitationRow).where(InvitationRow.token_hash == token_hash).with_for_update())
    if row is None or not _is_good(tx, row) or row.address not in (None, address):
        raise NotFound("This invitation is not good any more.", hint="Ask for another one.")
    row.used_at, row.used_by = tx.now, used_by
    return row


def _is_good(tx: Transaction, row: InvitationRow) -> bool:
    return row.used_at is None and row.revoked_at is None and row.expires_at > tx.now


def _invitation_from(row: InvitationRow) -> Invitation:
    return Invitation(
        id=row.id,
        address=row.address,
        role=cast(Role, row.role),
        tier=row.tier,
        made_by=row.made_by,
        created_at=row.created_at,
        expires_at=row.expires_at,
    )
