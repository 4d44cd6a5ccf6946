"""Tiers that change while work waits: shots keep what they were tagged with, and follow their tier's rank."""

from collections import Counter

import pytest
from sqlalchemy import select

from stablehand.domain.tiers import NORMAL, PREMIUM, SHIPPED, Tier, Tiers
from stablehand.services.cancel import cancel
from stablehand.store.lanes import fleet_of, lane_views, waiting_lanes
from stablehand.store.models import AccountRow, ShotRow
from tests.store.house import House
from tests.store.laws import check_laws

BULK = Tier(name="bulk", rank=5, weight=0.5, deadline_seconds=86_400.0)


def test_tiers_are_checked() -> None:
    for wrong in ((), (NORMAL, PREMIUM), (PREMIUM, PREMIUM), (Tier(name="x", rank=0, weight=0, deadline_seconds=1),)):
        with pytest.raises(ValueError, match=r"tier|weights"):
            Tiers(wrong)
    tiers = Tiers((*SHIPPED, BULK))
    assert (tiers.best.name, tiers.plain.name, tiers.ranks) == ("premium", "bulk", (0, 1, 5))
    assert tiers.below("normal") == ("normal", "bulk")
    assert tiers.get("gone") is BULK


def finish(house: House) -> float:
    with house.services.store.reading() as tx:
        return tx.session.get_one(AccountRow, house.account.id).finish_tag


@pytest.mark.parametrize("weight", [0.25, 1.0, 64.0])
def test_a_cancelled_order_gives_back_what_it_was_charged_whatever_its_tier_weighs_now(
    house: House, weight: float
) -> None:
    job = house.order(count=10, tier="premium")
    house.services.store.tiers = SHIPPED.changed("premium", weight=weight)
    cancel(house.services, house.account, job.id)
    assert finish(house) == pytest.approx(0.0)
    again = house.order(count=2, tier="premium")
    with house.services.store.reading() as tx:
        shots = tx.session.scalars(select(ShotRow).where(ShotRow.job_id == again.id).order_by(ShotRow.index)).all()
        assert [shot.weight for shot in shots] == [weight, weight]
        assert shots[1].tag - shots[0].tag == pytest.approx(shots[0].estimate_seconds / weight)


def test_queued_shots_keep_their_order_when_a_weight_changes(house: House) -> None:
    first = house.order(count=2, tier="normal")
    house.services.store.tiers = SHIPPED.changed("normal", weight=50.0)
    second = house.order(count=2, tier="normal")
    hand = house.agent(seats=5)
    assert [lease.job_id for lease in hand.claim(4)] == [first.id, first.id, second.id, second.id]
    check_laws(house.services.store)


def test_shots_follow_their_tiers_rank_and_keep_their_wait(house: House) -> None:
    normal, premium = house.order(count=3, tier="normal"), house.order(count=2, tier="premium")
    hand = house.agent(seats=9)
    house.clock.turn(90)
    store = house.services.store
    store.tiers = SHIPPED.changed("premium", rank=9)
    assert store.adopt_tiers() == 2
    assert store.adopt_tiers() == 0
    assert store.verify_tallies() == []
    check_laws(store)
    with store.reading() as tx:
        (lane,) = lane_views(tx, waiting_lanes(tx, "default", hand.agent.id), fleet_of(tx, "default"))
    assert lane.urgency == pytest.approx(90 / PREMIUM.deadline_seconds), "it has waited since it was ordered"
    assert Counter(lease.job_id for lease in hand.claim(3)) == {normal.id: 3}
    assert Counter(lease.job_id for lease in hand.claim(2)) == {premium.id: 2}


def test_shots_of_a_tier_that_is_gone_become_plain_ones(house: House) -> None:
    store = house.services.store
    store.tiers = Tiers((*SHIPPED, BULK))
    hand = house.agent(seats=9)
    house.account = store.account(house.account.id)
    house.order(count=4, tier="bulk")
    running = hand.claim_one()
    house.clock.turn(10)
    store.tiers = SHIPPED
    assert store.adopt_tiers() == 4
    assert store.verify_tallies() == []
    hand.release(running)
    with store.reading() as tx:
        ranks = set(tx.session.scalars(select(ShotRow.tier_rank)))
        (lane,) = lane_views(tx, waiting_lanes(tx, "default", hand.agent.id), fleet_of(tx, "default"))
    assert ranks == {NORMAL.rank}
    assert lane.urgency > 0
    assert len(hand.claim(4)) == 4
