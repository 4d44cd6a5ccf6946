"""Device time that nobody is charged for: which lines the ledger gets, and that no line is ever changed."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from sqlalchemy import event, select, text
from sqlalchemy.exc import DBAPIError

from stablehand.domain.prices import Prices
from stablehand.protocol import Lease, Park, Renew
from stablehand.services.cancel import cancel
from stablehand.services.expire import expire_agent
from stablehand.services.park import park
from stablehand.services.purge import purge
from stablehand.services.renew import renew
from stablehand.store.images import NewImage
from stablehand.store.ledger_rows import ChargeRow, WasteRow
from tests.store.house import Hand, House

#: of a delivery of however many pictures, before the ledger knew of money: on SQLite, on PostgreSQL
STATEMENTS = (11, 6)


def lines(house: House) -> list[tuple[str, float, float]]:
    """(reason, lease seconds, device seconds) of all waste, in the order in which it was written."""
    with house.services.store.reading() as tx:
        rows = tx.session.scalars(select(WasteRow).order_by(WasteRow.number)).all()
        return [(row.reason, row.held_seconds, row.device_seconds) for row in rows]


def save(hand: Hand, lease: Lease, seconds: float) -> None:
    message = Park(
        incarnation=hand.incarnation, shot_id=lease.shot_id, token=lease.token, step=5, steps=20, device_seconds=seconds
    )
    park(hand.services, hand.agent, message, b"state")


def expire(house: House) -> None:
    house.services.store.expire(timeout_seconds=600, retry_count=3)


def beat(hand: Hand) -> None:
    """A heartbeat that names nothing: what is cancelled or unheard of goes back."""
    renew(hand.services, hand.agent, Renew(incarnation=hand.incarnation, shots=[], resident=list(hand.resident)))


def lost(house: House, hand: Hand, lease: Lease) -> None:
    del lease
    expire_agent(house.services, hand.agent.id)


def failed(house: House, hand: Hand, lease: Lease) -> None:
    del house
    hand.fail(lease, "final")


def too_slow(house: House, hand: Hand, lease: Lease) -> None:
    house.clock.turn(590)
    hand.renew(lease)
    house.clock.turn(11)
    house.services.store.expire(timeout_seconds=600, retry_count=0)


def sick(house: House, hand: Hand, lease: Lease) -> None:
    del house
    hand.fail(lease, "agent_sick")


def not_loaded(house: House, hand: Hand, lease: Lease) -> None:
    del house
    hand.fail(lease, "retry", at_load=True)


def released(house: House, hand: Hand, lease: Lease) -> None:
    del house
    hand.release(lease)


def cancelled(house: House, hand: Hand, lease: Lease) -> None:
    cancel(house.services, house.account, lease.job_id)
    hand.renew(lease)


@pytest.mark.parametrize(
    ("end", "reason", "seconds"),
    [
        (lost, "loss", 10.0),
        (failed, "error", 10.0),
        (too_slow, "timeout", 611.0),
        (sick, "sick", 10.0),
        (not_loaded, "load", 10.0),
        (released, "released", 10.0),
        (cancelled, "cancelled", 10.0),
    ],
)
def test_a_lease_that_brings_no_picture_is_a_line_that_says_why(
    house: House, end: Callable[[House, Hand, Lease], None], reason: str, seconds: float
) -> None:
    house.services.store.prices = Prices(
        currency="MAD", device_hour=Decimal("3.6"), tier_factors={"premium": Decimal(2)}
    )
    job = house.order()
    hand = house.agent()
    lease = hand.claim_one()
    hand.renew(lease)
    house.clock.turn(10)
    end(house, hand, lease)
    assert lines(house) == [(reason, seconds, seconds)]
    with house.services.store.reading() as tx:
        [row] = tx.session.scalars(select(WasteRow))
        assert (row.shot_id, row.token, row.job_id) == (lease.shot_id, lease.token, job.id)
        assert (row.pool, row.tier, row.checkpoint_id) == ("default", job.tier, lease.checkpoint.id)
        assert row.agent_id == hand.agent.id
        assert (row.cost_micros, row.currency) == (int(seconds) * 1000, "MAD"), "at cost, whatever the tier is charged"
        assert (row.created_at - (row.began_at or row.created_at)).total_seconds() == seconds
    assert house.charges() == []


def test_shots_that_were_drawn_together_share_the_device(house: House) -> None:
    house.order(count=5)
    hand = house.agent()
    leases = hand.claim(4)
    hand.renew(*leases)
    house.clock.turn(8)
    hand.fail(leases[0], "final")
    assert lines(house) == [("error", 8.0, 2.0)]
    hand.draw(leases[1])
    expire_agent(house.services, hand.agent.id)
    assert lines(house)[1:] == [("loss", 8.0, 4.0)] * 2


def test_what_an_agent_gives_back_unheard_took_a_seat_but_no_time(house: House) -> None:
    house.order()
    hand = house.agent()
    hand.claim_one()
    house.clock.turn(40)
    beat(hand)
    assert lines(house) == [("released", 40.0, 0.0)]


def test_what_was_saved_is_not_wasted_until_it_is_thrown_away(house: House) -> None:
    house.order()
    one = house.agent("one")
    lease = one.claim_one()
    one.renew(lease)
    house.clock.turn(20)
    save(one, lease, seconds=18.0)
    house.clock.turn(5)
    expire_agent(house.services, one.agent.id)
    assert lines(house) == [("loss", 25.0, 5.0)]
    two = house.agent("two")
    lease = two.claim_one()
    assert lease.resume_from is not None
    house.clock.turn(3)
    two.fail(lease, "final", code="engine_fault")
    assert lines(house)[1:] == [("error", 3.0, 3.0), ("discarded", 0.0, 18.0)]


def test_a_saved_state_goes_into_the_charge_of_who_goes_on_from_it(house: House) -> None:
    house.order()
    one = house.agent("one")
    lease = one.claim_one()
    save(one, lease, seconds=18.0)
    expire_agent(house.services, one.agent.id)
    two = house.agent("two")
    lease = two.claim_one()
    two.deliver(two.upload(lease, device_seconds=24.0))
    purge(house.services)
    assert house.charges() == [24.0]
    assert lines(house) == [("loss", 0.0, 0.0)]


def test_a_saved_state_that_nobody_could_use_is_waste_in_the_end(house: House) -> None:
    house.order()
    one = house.agent("one")
    lease = one.claim_one()
    save(one, lease, seconds=18.0)
    expire_agent(house.services, one.agent.id)
    with house.services.store.writing() as tx:
        tx.session.execute(text("UPDATE parked SET version = 'another'"))
    two = house.agent("two")
    lease = two.claim_one()
    assert lease.resume_from is None
    save(two, lease, seconds=2.0)
    two.draw(lease)
    purge(house.services)
    assert lines(house) == [("loss", 0.0, 0.0), ("discarded", 0.0, 18.0)]


def test_states_of_cancelled_shots_are_waste_when_they_go(house: House) -> None:
    job = house.order()
    one = house.agent("one")
    lease = one.claim_one()
    save(one, lease, seconds=7.0)
    one.release(lease)
    cancel(house.services, house.account, job.id)
    purge(house.services)
    purge(house.services)
    assert lines(house) == [("released", 0.0, 0.0), ("discarded", 0.0, 7.0)]


def test_a_late_picture_is_booked_once_with_what_its_lease_does_not_hold(house: House) -> None:
    house.order()
    one, two = house.agent("one"), house.agent("two")
    stale = one.claim_one()
    picture = one.upload(stale, device_seconds=40.0)
    house.clock.turn(31)
    expire(house)
    for _ in range(2):
        assert one.deliver(picture).refused == [stale.shot_id]
    assert lines(house) == [("loss", 31.0, 31.0), ("refused", 0.0, 9.0)]
    two.draw(two.claim_one())
    assert one.deliver(picture).refused == [stale.shot_id]
    assert len(lines(house)) == 2
    assert house.charges() == [2.0]


def test_a_picture_with_a_wrong_upload_is_no_late_one(house: House) -> None:
    house.order()
    hand = house.agent()
    lease = hand.claim_one()
    picture = hand.upload(lease).model_copy(update={"upload": "nonsense"})
    assert hand.deliver(picture).refused == [lease.shot_id]
    assert lines(house) == []
    hand.draw(lease)
    assert lines(house) == []


def test_money_is_fixed_when_it_is_written(house: House) -> None:
    store = house.services.store
    store.prices = Prices(currency="MAD", device_hour=Decimal("5.26"), tier_factors={"premium": Decimal("1.5")})
    hand = house.agent()
    for tier in ("premium", "normal"):
        house.order(tier=tier)
        house.clock.turn(1)
        lease = hand.claim_one()
        house.clock.turn(4)
        hand.deliver(hand.upload(lease, device_seconds=360.0))
        store.prices = Prices(currency="EUR", device_hour=Decimal(1), pools={"default": Decimal(2)})
    store.prices = Prices()
    house.order()
    hand.draw(hand.claim_one())
    with store.reading() as tx:
        rows = tx.session.scalars(select(ChargeRow).order_by(ChargeRow.number)).all()
    assert [(row.charge_micros, row.cost_micros, row.currency, row.tier) for row in rows] == [
        (789_000, 526_000, "MAD", "premium"),
        (200_000, 200_000, "EUR", "normal"),
        (0, 0, "", house.account.tier),
    ]
    assert [(row.held_seconds, row.pool) for row in rows] == [(4.0, "default"), (4.0, "default"), (0.0, "default")]


@pytest.mark.parametrize("table", ["charges", "waste"])
def test_the_database_refuses_to_change_a_line(house: House, table: str) -> None:
    house.order(count=2)
    hand = house.agent()
    first, second = hand.claim(2)
    hand.draw(first)
    hand.fail(second, "final")
    store = house.services.store
    spoilt = [f"DELETE FROM {table}", f"UPDATE {table} SET cost_micros = 0", f"UPDATE {table} SET account_id = ''"]
    spoilt += [f"UPDATE {table} SET device_seconds = device_seconds + 1", f"UPDATE {table} SET currency = 'USD'"]
    spoilt += [f"TRUNCATE {table}"] if store.is_postgresql else []
    for statement in spoilt:
        with pytest.raises(DBAPIError, match="the ledger is never changed"), store.engine.begin() as connection:
            connection.execute(text(statement))
    with store.engine.begin() as connection:
        connection.execute(text("UPDATE charges SET corrected = true"))


def test_the_ledger_costs_a_delivery_no_statement(house: House) -> None:
    house.order(count=5)
    hand = house.agent()
    store = house.services.store
    asked: list[object] = []

    def note(*said: object) -> None:
        asked.append(said[2])

    def statements(leases: list[Lease]) -> int:
        pictures = [hand.upload(lease) for lease in leases]
        new = [
            NewImage(
                id=f"of-{picture.shot_id}",
                shot_id=picture.shot_id,
                token=picture.token,
                upload_id=picture.upload,
                infotext="",
                device_seconds=1.0,
            )
            for picture in pictures
        ]
        agent_id = hand.agent.id
        asked.clear()
        event.listen(store.engine, "before_cursor_execute", note)
        store.deliver(agent_id, hand.incarnation, new)
        event.remove(store.engine, "before_cursor_execute", note)
        return len(asked)

    leases = hand.claim(4)
    as_before = STATEMENTS[store.is_postgresql]
    assert (statements(leases[:1]), statements(leases[1:])) == (as_before, as_before)
