"""Accounts that people sign in to: their addresses, sessions, keys and invitations, and the log of it all."""

from dataclasses import replace

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from stablehand.domain.audit import Deed
from stablehand.domain.errors import Conflict, NotFound
from stablehand.store.credentials import SignUp
from tests.store.house import Clock, House
from tests.store.members import DEED, invite, key, session, sign_up


def test_an_address_has_one_account(house: House) -> None:
    store = house.services.store
    account_id = sign_up(house)
    account = store.account(account_id)
    assert (account.role, account.tiers, account.is_admin) == ("user", ("normal",), False)
    with pytest.raises(Conflict):
        store.sign_up(
            SignUp(new_id="other", address="ada@example.org", password_hash=None, uniquifier="u"), Deed(action="x")
        )
    known = store.credentials(address="ada@example.org")
    assert known is not None
    assert known == store.credentials(uniquifier="unique-ada") == store.credentials(account_id=account_id)
    assert store.credentials(address="ada@example.org", uniquifier="another") is None
    sign_up(house, "bob")
    with pytest.raises(Conflict):
        store.save_credentials(replace(known, address="bob@example.org"))
    store.save_credentials(replace(known, address="lovelace@example.org", recovery_codes=("a", "b")))
    assert store.account(account_id).name == "lovelace@example.org"
    changed = store.credentials(account_id=account_id)
    assert changed is not None
    assert changed.recovery_codes == ("a", "b")


def test_a_session_ends_by_itself_by_hand_and_with_the_uniquifier(house: House, clock: Clock) -> None:
    store = house.services.store
    account_id = sign_up(house)
    for name in ("one", "two", "three"):
        store.begin_session(session(account_id, name, clock), DEED)
    one = store.account_in_session("one", idle_days=30)
    assert one == store.account(account_id)
    assert store.account_in_session("nobody's", idle_days=30) is None
    with pytest.raises(NotFound):
        store.end_session("another-account", "one", DEED)
    store.end_session(account_id, "one", DEED)
    assert store.account_in_session("one", idle_days=30) is None
    with pytest.raises(NotFound):
        store.end_session(account_id, "one", DEED)
    clock.turn(86_400 * 20)
    assert store.account_in_session("two", idle_days=30) is not None
    clock.turn(86_400 * 20)
    assert [entry.id for entry in store.sessions(account_id, idle_days=30)] == ["two"], "three was not seen for long"
    assert store.account_in_session("three", idle_days=30) is None
    known = store.credentials(account_id=account_id)
    assert known is not None
    store.save_credentials(replace(known, password_hash="new"))
    assert store.account_in_session("two", idle_days=30) is not None
    store.save_credentials(replace(known, uniquifier="another"))
    assert store.account_in_session("two", idle_days=30) is None


def test_an_unconfirmed_account_has_no_session_and_no_key(house: House, clock: Clock) -> None:
    store = house.services.store
    account_id = sign_up(house, confirmed=False)
    store.begin_session(session(account_id, "early", clock), DEED)
    store.add_key(key(account_id, "key", clock), "hash", days=None, deed=DEED)
    assert store.account_in_session("early", idle_days=30) is None
    assert store.account_by_key("hash") is None
    known = store.credentials(account_id=account_id)
    assert known is not None
    assert known.state == "unconfirmed"
    store.save_credentials(replace(known, confirmed_at=clock.now))
    assert store.account_in_session("early", idle_days=30) is not None
    assert store.account_by_key("hash") is not None


def test_a_key_expires_and_is_revoked_by_its_owner_alone(house: House, clock: Clock) -> None:
    store = house.services.store
    ada, bob = sign_up(house), sign_up(house, "bob")
    kept = store.add_key(key(ada, "kept", clock), "hash-kept", days=None, deed=DEED)
    brief = store.add_key(key(ada, "brief", clock), "hash-brief", days=1, deed=DEED)
    assert (kept.expires_at, brief.expires_at is not None) == (None, True)
    found = store.account_by_key("hash-brief")
    assert found is not None
    assert (found[0].id, found[1].id) == ("brief", ada)
    assert {entry.name: entry.last_used_at for entry in store.keys(ada)} == {"kept": None, "brief": clock.now}
    clock.turn(86_400)
    assert store.account_by_key("hash-brief") is None
    with pytest.raises(NotFound):
        store.revoke_key(bob, "kept", DEED)
    store.revoke_key(ada, "kept", DEED)
    assert store.account_by_key("hash-kept") is None
    assert [entry.id for entry in store.keys(ada)] == ["brief"]
    assert store.keys(bob) == ()


def test_an_invitation_is_good_once(house: House, clock: Clock) -> None:
    store = house.services.store
    invite(house, "token")
    invite(house, "late", days=1)
    invite(house, "bound", address="carl@example.org", role="admin")
    assert len(store.invitations()) == 3
    account_id = sign_up(house, invitation="token")
    assert store.account(account_id).tiers == ("premium", "normal")
    for name, token in (("bob", "token"), ("bob", "bound"), ("bob", "unknown")):
        with pytest.raises(NotFound):
            sign_up(house, name, invitation=token)
    clock.turn(86_400)
    with pytest.raises(NotFound):
        sign_up(house, "bob", invitation="late")
    assert store.credentials(address="bob@example.org") is None, "nothing is left of what was refused"
    assert store.account(sign_up(house, "carl", invitation="bound")).is_admin
    assert store.invitations() == ()
    again = invite(house, "again")
    store.revoke_invitation(again.id, DEED)
    assert store.invitation("again") is None


def test_the_owner_is_claimed_once(house: House) -> None:
    store = house.services.store
    assert not store.owner_is_claimed()
    for token in ("first", "second"):
        invite(house, token, role="owner")
    invite(house, "plain")
    claim = SignUp(
        new_id="", address="me@example.org", password_hash="h", uniquifier="u", invitation_hash="plain", confirmed=True
    )
    for token in ("plain", "unknown"):
        with pytest.raises(NotFound):
            store.claim_owner(replace(claim, invitation_hash=token), DEED)
    with pytest.raises(NotFound):
        sign_up(house, invitation="first")
    claimed = store.claim_owner(replace(claim, invitation_hash="first"), DEED)
    assert claimed == house.account, "the same account, with all it owns"
    assert claimed.is_admin
    assert store.owner_is_claimed()
    assert store.invitation("second") is None
    with pytest.raises(NotFound):
        store.claim_owner(replace(claim, invitation_hash="second"), DEED)


def test_a_totp_code_is_taken_once(house: House) -> None:
    account_id = sign_up(house)
    store = house.services.store
    assert [store.take_totp_counter(account_id, counter) for counter in (5, 5, 4, 6)] == [True, False, False, True]


def test_the_audit_log_is_only_added_to(house: House) -> None:
    store = house.services.store
    sign_up(house)
    for number in range(3):
        store.add_deed(Deed(action="door.tried", subject=str(number), details={"why": "test"}))
    first = store.audit_log(limit=2)
    rest = store.audit_log(limit=2, cursor=first.next_cursor)
    assert [entry.deed.subject for entry in (*first.items, *rest.items)] == ["2", "1", "0", ""]
    assert rest.next_cursor is None
    for change in ("UPDATE audit SET action = 'x'", "DELETE FROM audit"):
        with pytest.raises(DBAPIError, match="never changed"), store.writing() as tx:
            tx.session.execute(text(change))
    assert len(store.audit_log(limit=10).items) == 4
