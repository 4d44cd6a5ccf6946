"""Identities: who comes from an identity provider, and which account that is."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sqlalchemy import select

from stablehand.domain.accounts import FIRST_TIER, Account
from stablehand.domain.audit import Deed
from stablehand.domain.errors import NotFound
from stablehand.domain.provider import Person, ProviderRules, SignInRefused, entry_of
from stablehand.store.audit import note
from stablehand.store.credential_rows import CredentialRow, InvitationRow
from stablehand.store.credentials import SignUp, add_credentials, end_sessions
from stablehand.store.identity_row import IdentityRow
from stablehand.store.invitations import use_invitation
from stablehand.store.models import AccountRow
from stablehand.store.rows import account_from
from stablehand.store.transactions import ONLY_ROW, Transaction, Transactions, repeatable


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """Somebody who has come back from the provider. ``new``: what an account of theirs would begin with."""

    person: Person
    new: SignUp
    came_from: str  #: network address


class Identities(Transactions):
    @repeatable
    def arrive(self, arrival: Arrival, rules: ProviderRules) -> Account:
        """The account that is theirs: the one that is linked, else one that is linked or made now, as the rules allow.

        Role and tier follow the claims each time; the built-in owner's role never changes. Raises SignInRefused.
        """
        person = arrival.person
        with self.writing() as tx:
            tx.alone("accounts by name")
            identity = tx.session.get(IdentityRow, (person.issuer, person.subject))
            if identity is None:
                account = _let_in(tx, arrival, rules)
                tx.session.add(
                    IdentityRow(
                        issuer=person.issuer,
                        subject=person.subject,
                        account_id=account.id,
                        linked_at=tx.now,
                        last_used_at=tx.now,
                    )
                )
            else:
                account = tx.session.get_one(AccountRow, identity.account_id, with_for_update=ONLY_ROW)
                identity.last_used_at = tx.now
            if account.suspended_at is not None:
                raise SignInRefused("account_unusable")
            _follow_claims(tx, account, arrival)
            return account_from(account, tx.tiers)


def _let_in(tx: Transaction, arrival: Arrival, rules: ProviderRules) -> AccountRow:
    person, new = arrival.person, arrival.new
    holder = tx.session.scalar(select(CredentialRow).where(CredentialRow.address == new.address))
    entry = entry_of(person, rules, is_taken=holder is not None, is_invited=new.invitation_hash is not None)
    if entry == "link":
        assert holder is not None
        account = tx.session.get_one(AccountRow, holder.account_id, with_for_update=ONLY_ROW)
        if holder.confirmed_at is None:
            # Whoever made it has not shown that the address is theirs: what they set must open nothing.
            holder.password_hash = holder.totp_method = holder.totp_secret = None
            holder.recovery_codes = []
            holder.uniquifier, holder.confirmed_at = new.uniquifier, tx.now
            end_sessions(tx, account.id)
        note(tx, _deed("account.linked", account, arrival))
        return account
    invitation = _use_invitation(tx, new)
    account = AccountRow(
        id=new.new_id,
        name=new.address,
        role="user" if invitation is None else invitation.role,
        tier=FIRST_TIER if invitation is None else invitation.tier,
        created_at=tx.now,
    )
    tx.session.add(account)
    tx.session.flush()
    add_credentials(tx, account, replace(new, confirmed=True))
    note(tx, _deed("account.made", account, arrival))
    return account


def _use_invitation(tx: Transaction, new: SignUp) -> InvitationRow | None:
    if new.invitation_hash is None:
        return None
    try:
        invitation = use_invitation(tx, new.invitation_hash, address=new.address, used_by=new.new_id)
    except NotFound as error:
        raise SignInRefused("invitation_needed") from error
    if invitation.role == "owner":
        raise SignInRefused("invitation_needed")  # it claims the built-in owner and makes nobody else one
    return invitation


def _follow_claims(tx: Transaction, account: AccountRow, arrival: Arrival) -> None:
    wanted = arrival.person
    if wanted.role is not None and account.role not in ("owner", wanted.role):
        note(tx, _deed("account.role", account, arrival, {"from": account.role, "to": wanted.role}))
        account.role = wanted.role
    if wanted.tier is not None and account.tier != wanted.tier:
        note(tx, _deed("account.tier", account, arrival, {"from": account.tier, "to": wanted.tier}))
        account.tier = wanted.tier


def _deed(action: str, account: AccountRow, arrival: Arrival, details: Mapping[str, str] | None = None) -> Deed:
    return Deed(
        action=action,
        account_id=account.id,
        subject=account.id,
        address=arrival.came_from,
        details={"issuer": arrival.person.issuer, **(details or {})},
    )
