"""What accounts sign in with; and accounts that are made by signing up."""

from dataclasses import dataclass
from typing import cast

from sqlalchemy import select, update

from stablehand.domain.accounts import FIRST_TIER, OWNER_NAME, Account, Role, account_state
from stablehand.domain.audit import Deed
from stablehand.domain.credentials import Credentials
from stablehand.domain.errors import Conflict, NotFound
from stablehand.store.audit import note
from stablehand.store.credential_rows import CredentialRow, InvitationRow, SessionRow
from stablehand.store.invitations import use_invitation
from stablehand.store.models import AccountRow
from stablehand.store.rows import account_from
from stablehand.store.transactions import ONLY_ROW, Transaction, Transactions, repeatable


@dataclass(frozen=True, slots=True, kw_only=True)
class SignUp:
    """What a new account begins with. ``invitation_hash``: of the token that it was invited by."""

    new_id: str
    address: str
    password_hash: str | None
    uniquifier: str
    invitation_hash: str | None = None
    confirmed: bool = False  #: somebody else vouches for the address


class CredentialStore(Transactions):
    def credentials(
        self, *, account_id: str | None = None, address: str | None = None, uniquifier: str | None = None
    ) -> Credentials | None:
        """Those that match what is given."""
        query = select(CredentialRow, AccountRow).join(AccountRow, AccountRow.id == CredentialRow.account_id)
        for column, value in (
            (CredentialRow.account_id, account_id),
            (CredentialRow.address, address),
            (CredentialRow.uniquifier, uniquifier),
        ):
            if value is not None:
                query = query.where(column == value)
        with self.reading() as tx:
            found = tx.session.execute(query).tuples().first()
            return None if found is None else _credentials_from(*found)

    @repeatable
    def sign_up(self, new: SignUp, deed: Deed) -> Account:
        """Make an account; an invitation is used up by it and says its role and tier.

        Raises:
            Conflict: the address has an account. NotFound: the invitation is not good (any more).
        """
        with self.writing() as tx:
            tx.alone("accounts by name")
            _check_free(tx, new.address)
            role: Role = "user"
            tier = FIRST_TIER
            if new.invitation_hash is not None:
                invitation = use_invitation(tx, new.invitation_hash, address=new.address, used_by=new.new_id)
                role, tier = cast(Role, invitation.role), invitation.tier
                if role == "owner":
                    raise NotFound("This link claims the owner's account; it makes no other.")
            account = AccountRow(id=new.new_id, name=new.address, role=role, tier=tier, created_at=tx.now)
            tx.session.add(account)
            tx.session.flush()
            add_credentials(tx, account, new)
            note(tx, deed)
            return account_from(account, tx.tiers)

    @repeatable
    def claim_owner(self, claim: SignUp, deed: Deed) -> Account:
        """Give the built-in owner an address and a password, by the one link that may; all such links are void then.

        Raises:
            NotFound: the link is not good (any more). Conflict: the address has another account.
        """
        assert claim.invitation_hash is not None
        with self.writing() as tx:
            tx.alone("accounts by name")
            owner = tx.session.scalars(select(AccountRow).where(AccountRow.name == OWNER_NAME)).one()
            invitation = use_invitation(tx, claim.invitation_hash, address=claim.address, used_by=owner.id)
            if invitation.role != "owner" or tx.session.get(CredentialRow, owner.id) is not None:
                raise NotFound("This link is not good for claiming.", hint="It may have been used before.")
            _check_free(tx, claim.address)
            add_credentials(tx, owner, claim)
            tx.session.execute(
                update(InvitationRow)
                .where(InvitationRow.role == "owner", InvitationRow.used_at.is_(None))
                .values(revoked_at=tx.now)
            )
            note(tx, deed)
            return account_from(owner, tx.tiers)

    @repeatable
    def save_credentials(self, changed: Credentials, deed: Deed | None = None) -> None:
        """Write them as they are; every session of the account ends when the uniquifier is another.

        Raises:
            Conflict: the address belongs to another account. NotFound.
        """
        with self.writing() as tx:
            tx.alone("accounts by name")
            row = tx.session.get(CredentialRow, changed.account_id, with_for_update=ONLY_ROW)
            if row is None:
                raise NotFound("There is no such account.")
            if changed.address != row.address:
                _check_free(tx, changed.address)
                account = tx.session.get_one(AccountRow, changed.account_id)
                if account.name == row.address:
                    account.name = changed.address
            if changed.uniquifier != row.uniquifier:
                end_sessions(tx, changed.account_id)
            row.address = changed.address
            row.password_hash = changed.password_hash
            row.uniquifier = changed.uniquifier
            row.confirmed_at = changed.confirmed_at
            row.totp_method = changed.totp_method
            row.totp_secret = changed.totp_secret
            row.recovery_codes = list(changed.recovery_codes)
            if deed is not None:
                note(tx, deed)

    def take_totp_counter(self, account_id: str, counter: int) -> bool:
        """Note that a code was used; False when it, or a later one, was used before."""
        with self.writing() as tx:
            taken = tx.session.scalars(
                update(CredentialRow)
                .where(
                    CredentialRow.account_id == account_id,
                    (CredentialRow.totp_counter < counter) | CredentialRow.totp_counter.is_(None),
                )
                .values(totp_counter=counter)
                .returning(CredentialRow.account_id)
            ).all()
            return bool(taken)


def _check_free(tx: Transaction, address: str) -> None:
    if tx.session.scalar(select(CredentialRow.account_id).where(CredentialRow.address == address)) is not None:
        raise Conflict("There is an account with this address.", hint="Sign in with it, or use another address.")


def add_credentials(tx: Transaction, account: AccountRow, new: SignUp) -> None:
    """What a new account signs in with."""
    tx.session.add(
        CredentialRow(
            account_id=account.id,
            address=new.address,
            password_hash=new.password_hash,
            uniquifier=new.uniquifier,
            confirmed_at=tx.now if new.confirmed else None,
            recovery_codes=[],
        )
    )


def end_sessions(tx: Transaction, account_id: str) -> None:
    """All of the account's."""
    tx.session.execute(
        update(SessionRow)
        .where(SessionRow.account_id == account_id, SessionRow.ended_at.is_(None))
        .values(ended_at=tx.now)
    )


def _credentials_from(row: CredentialRow, account: AccountRow) -> Credentials:
    return Credentials(
        account_id=row.account_id,
        address=row.address,
        password_hash=row.password_hash,
        uniquifier=row.uniquifier,
        state=account_state(
            suspended=account.suspended_at is not None, has_address=True, confirmed=row.confirmed_at is not None
        ),
        confirmed_at=row.confirmed_at,
        totp_method=row.totp_method,
        totp_secret=row.totp_secret,
        totp_counter=row.totp_counter,
        recovery_codes=tuple(row.recovery_codes),
        suspended_reason=account.suspended_reason,
    )
