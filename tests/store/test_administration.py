"""What administrators do with accounts: suspending, changing, deleting, and reading what was used."""

import pytest
from sqlalchemy import Connection, select

from stablehand.domain.audit import Deed
from stablehand.domain.errors import AccountProtected, AccountSuspended, Conflict, InvalidFields, NotFound
from stablehand.domain.jobs import State
from stablehand.domain.recipes import Hires, Recipe, Source
from stablehand.services.administration import audit_log, change_account, list_accounts, show_account
from stablehand.services.erase import erase, erase_leftovers
from stablehand.services.inputs import take_input
from stablehand.services.orphans import find_orphans
from stablehand.services.retry import retry
from stablehand.services.suspend import lift_suspension, stop_leftovers, suspend
from stablehand.services.usage import period, report
from stablehand.store.columns import Table
from stablehand.store.credentials import SignUp
from stablehand.store.erasing import CLOSED, KEPT, SWEPT
from stablehand.store.ledger_rows import ChargeRow
from stablehand.store.models import AccountRow, DeadLetterRow, JobRow, ShotRow
from tests.store.house import Clock, Hand, House, picture_bytes
from tests.store.members import DEED, invite, key, session, sign_up


def be(house: House, account_id: str) -> None:
    """Order in this account's name from now on."""
    house.account = house.services.store.account(account_id)


def claim_owner(house: House) -> str:
    """The built-in owner gets an address, so that somebody besides can administer."""
    invite(house, "claim", role="owner")
    new = SignUp(
        new_id="",
        address="owner@example.org",
        password_hash="hash",
        uniquifier="o",
        invitation_hash="claim",
        confirmed=True,
    )
    return house.services.store.claim_owner(new, DEED).id


def draw_all(agent: Hand) -> None:
    while leases := agent.claim(8):
        agent.deliver(*(agent.upload(lease) for lease in leases))


def test_a_suspended_account_stops_at_once_and_comes_back_with_its_keys(house: House, clock: Clock) -> None:
    services, store = house.services, house.services.store
    owner = claim_owner(house)
    ada = sign_up(house)
    store.begin_session(session(ada, "browser", clock), DEED)
    store.add_key(key(ada, "key", clock), "hash", days=None, deed=DEED)
    be(house, ada)
    agent = house.agent(seats=3)
    running, waiting = house.order(2), house.order(3)
    leases = agent.claim(2)
    assert len(leases) == 2

    suspend(services, ada, by=owner, reason="too loud")
    assert store.account_in_session("browser", idle_days=30) is None
    found = store.account_by_key("hash")
    assert found is not None
    assert found[1].suspended_reason == "too loud", "so that the door can say why"
    assert not store.key_is_good("key")
    assert house.job(waiting.id).state is State.CANCELLED
    assert agent.claim() == [], "nothing of it is given out any more"
    assert set(agent.renew(*leases).cancelled) == {lease.shot_id for lease in leases}
    agent.release(*leases)
    assert house.job(running.id).state is State.CANCELLED
    with pytest.raises(AccountSuspended):
        house.order()
    with pytest.raises(AccountSuspended):
        retry(services, house.account, waiting.id)
    with pytest.raises(Conflict):
        suspend(services, ada, by=owner)
    assert store.verify_tallies() == []

    lift_suspension(services, ada, by=owner)
    assert store.key_is_good("key")
    assert store.account_in_session("browser", idle_days=30) is None, "a session that has ended does not come back"
    again = retry(services, house.account, waiting.id)
    assert [shot.seed for shot in again.shots] == [shot.seed for shot in waiting.shots]
    with pytest.raises(Conflict):
        lift_suspension(services, ada, by=owner)
    deeds = [(entry.deed.action, entry.deed.details) for entry in audit_log(services, action="account").items]
    assert deeds == [("account.unsuspended", {}), ("account.suspended", {"reason": "too loud"})]


def test_what_a_crash_left_running_of_a_suspended_account_is_cancelled(house: House) -> None:
    ada = sign_up(house)
    be(house, ada)
    job = house.order(2)
    house.services.store.suspend_account(ada, reason="", deed=Deed(action="account.suspended", subject=ada))
    assert house.job(job.id).state is State.QUEUED, "the process died here"
    stop_leftovers(house.services)
    assert house.job(job.id).state is State.CANCELLED
    assert house.services.store.accounts_to_stop() == ()


def test_somebody_can_always_administer(house: House) -> None:
    services = house.services
    ada, bob = sign_up(house, "ada"), sign_up(house, "bob")
    change_account(services, ada, by=None, role="admin")
    with pytest.raises(AccountProtected):
        change_account(services, ada, by=ada, role="user")
    with pytest.raises(AccountProtected):
        erase(services, ada, by=ada)
    change_account(services, bob, by=ada, role="admin")
    with pytest.raises(Conflict):
        suspend(services, ada, by=ada)
    suspend(services, bob, by=ada)
    with pytest.raises(AccountProtected):
        change_account(services, ada, by=ada, role="user")
    lift_suspension(services, bob, by=ada)
    change_account(services, ada, by=ada, role="user")
    assert not services.store.account(ada).is_admin
    owner = house.account.id
    with pytest.raises(AccountProtected):
        change_account(services, owner, by=bob, role="user")
    with pytest.raises(AccountProtected):
        suspend(services, owner, by=bob)
    with pytest.raises(AccountProtected):
        erase(services, owner, by=None)
    change_account(services, bob, by=None, role="user")  # whoever sits at the machine may
    with pytest.raises(InvalidFields) as refused:
        change_account(services, bob, by=ada, role="owner", tier="golden", own_quotas={"steps": -1, "x": 1})
    assert set(refused.value.fields) == {"role", "tier", "quotas.steps", "quotas.x"}


def test_accounts_are_listed_found_and_changed(house: House) -> None:
    services = house.services
    ada = sign_up(house, "ada")
    sign_up(house, "bob", confirmed=False)
    sign_up(house, "carl_x")
    be(house, ada)
    draw_all(house.agent())
    house.order(2)
    change_account(services, ada, by=None, tier="premium", own_quotas={"queued": 5, "checkpoints": ["al*"]})
    change_account(services, ada, by=None, own_quotas={"queued": 5, "checkpoints": ["al*"]})
    entry = show_account(services, ada)
    assert (entry.address, entry.state, entry.queued) == ("ada@example.org", "active", 2)
    assert entry.account.tiers == ("premium", "normal")
    assert entry.own_quotas == {"queued": 5, "checkpoints": ["al*"]}
    told = [(entry.deed.action, entry.deed.details) for entry in audit_log(services, account_id=ada).items]
    assert told == [
        ("account.quotas", {"from": "", "to": "checkpoints=al*, queued=5"}),
        ("account.tier", {"from": "normal", "to": "premium"}),
    ], "what changes nothing is not written down"

    def names(**asked: object) -> list[str]:
        return [entry.account.name.partition("@")[0] for entry in list_accounts(services, **asked).items]  # type: ignore[arg-type]

    assert names() == ["ada", "bob", "carl_x", "owner"]
    assert names(search="L_X") == ["carl_x"]
    assert names(search="%") == []
    assert names(state="unconfirmed") == ["bob"]
    assert names(state="active") == ["ada", "carl_x", "owner"]
    assert names(role="owner") == ["owner"]
    assert names(tier="premium") == ["ada", "owner"]
    first = list_accounts(services, limit=3)
    rest = list_accounts(services, limit=3, cursor=first.next_cursor)
    assert ([len(page.items) for page in (first, rest)], rest.next_cursor) == ([3, 1], None)
    with pytest.raises(NotFound):
        show_account(services, "nobody")


def test_a_deleted_account_leaves_nothing_but_what_it_cost(house: House, clock: Clock) -> None:
    services, store = house.services, house.services.store
    ada = sign_up(house)
    store.begin_session(session(ada, "browser", clock), DEED)
    store.add_key(key(ada, "key", clock), "hash", days=None, deed=DEED)
    invite(house, "another", address="ada@example.org")
    be(house, ada)
    take_input(services, house.account, picture_bytes())
    agent = house.agent()
    house.order(2)
    draw_all(agent)
    failed = house.order()
    agent.fail(agent.claim_one(), "final")
    assert house.job(failed.id).state is State.FAILED
    house.order()
    picture = agent.upload(agent.claim_one())
    assert len(list(services.objects.survey())) == 7

    erase(services, ada, by=ada)
    with pytest.raises(NotFound):
        store.account(ada)
    with pytest.raises(NotFound):
        store.account_named("ada@example.org")
    assert store.credentials(address="ada@example.org") is None
    assert store.account_by_key("hash") is None
    assert store.invitation("another") is None
    assert len(list(services.objects.survey())) == 2, "of the picture that its agent has just brought"
    agent.deliver(picture)  # it was on its way: it is swept later
    clock.turn(3600)
    erase_leftovers(services)
    assert store.accounts_to_erase() == ()
    assert list(services.objects.survey()) == []
    with store.reading() as tx:
        names = tx.session.scalars(select(AccountRow.name).where(AccountRow.id == ada)).all()
        assert names == [f"deleted-{ada}"]
        recipes = [Recipe.from_dict(recipe) for recipe in tx.session.scalars(select(JobRow.recipe))]
        assert {(recipe.prompt, recipe.seed, recipe.checkpoint) for recipe in recipes} == {("", 0, "alpha")}
        assert tx.session.scalars(select(DeadLetterRow.shot_id)).all() == []
        shots = tx.session.execute(select(ShotRow.seed, ShotRow.error, ShotRow.image_id)).all()
        assert {tuple(row) for row in shots} == {(0, None, None)}
        assert len(tx.session.scalars(select(ChargeRow.number)).all()) == 3
        assert not _holds(tx.session.connection(), "ada"), "its name stands nowhere"
    [line] = report(services, period(services, days=1), by=["account"]).lines
    assert (line.account, line.sums.pictures) == (None, 3)
    assert sign_up(house, "ada-again") is not None
    assert find_orphans(services, clock.now) == 0


def _holds(connection: Connection, word: str) -> bool:
    """Whether any text of any table but the audit log holds a word."""
    for table in Table.metadata.sorted_tables:
        if table.name == "audit":
            continue
        for row in connection.execute(select(table)):
            if any(word in str(value) for value in row if str(value) not in ("id-ada", "deleted-id-ada")):
                return True
    return False


def test_every_table_says_what_becomes_of_a_deleted_account() -> None:
    owned = {table.name for table in Table.metadata.sorted_tables if "account_id" in table.columns}
    decided = {table.__tablename__ for table in (*CLOSED, *SWEPT)} | KEPT
    assert owned == decided


def test_what_is_left_of_a_recipe_says_nothing_of_the_picture() -> None:
    recipe = Recipe(
        prompt="ada",
        negative_prompt="bob",
        kind="image",
        checkpoint_id="c",
        checkpoint="alpha",
        width=64,
        height=128,
        steps=9,
        sampler="Euler",
        schedule="Automatic",
        cfg_scale=3.0,
        seed=77,
        source=Source(input="hash"),
        hires=Hires(width=128, height=256, prompt="carl"),
    )
    left = recipe.without_content()
    assert Recipe.from_dict(left.as_dict()) == left
    told = {**recipe.as_dict(), **left.as_dict()}
    assert (told["width"], told["height"], told["steps"], told["checkpoint"]) == (64, 128, 9, "alpha")
    assert not {"ada", "bob", "hash", "carl", 77} & set(left.as_dict().values())
    assert "source" not in left.as_dict()
    assert "hires" not in left.as_dict()
