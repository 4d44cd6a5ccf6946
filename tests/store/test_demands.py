"""What a scaler is told, on both stores."""

from stablehand.domain.demand import DEADLINE_SHARE
from stablehand.domain.loads import load_seconds
from stablehand.domain.tiers import NORMAL, PREMIUM
from stablehand.services.cancel import cancel
from stablehand.services.status import PoolStatus, pool_statuses
from tests.store.house import House


def test_nothing_to_do_asks_for_nobody(house: House) -> None:
    assert pool_statuses(house.services) == (PoolStatus("default", ready=0, wanted=0),)
    house.agent()
    assert pool_statuses(house.services) == (PoolStatus("default", ready=1, wanted=0),)


def test_queued_work_is_told_by_tier_with_the_load_it_needs(house: House) -> None:
    house.order(count=3, tier="normal")
    house.order(count=1, tier="premium")
    alone = house.services.store.pool_demand("default").load.queued_seconds
    house.agent()  # holds every checkpoint
    held = house.services.store.pool_demand("default").load.queued_seconds
    load = load_seconds(own_seconds=None, others_seconds=None, size_bytes=10)
    assert held[NORMAL.deadline_seconds] == alone[NORMAL.deadline_seconds] > 0
    assert abs(alone[PREMIUM.deadline_seconds] - held[PREMIUM.deadline_seconds] - load) < 1e-6
    assert abs(held[NORMAL.deadline_seconds] - 3 * held[PREMIUM.deadline_seconds]) < 1e-6
    assert pool_statuses(house.services)[0].wanted >= 1


def test_premium_work_asks_for_more_agents_than_it_has_deadline_for(house: House) -> None:
    job = house.order(count=400, tier="premium", width=1024, height=1024)
    demand = house.services.store.pool_demand("default")
    due = demand.load.queued_seconds[PREMIUM.deadline_seconds]
    wanted = pool_statuses(house.services)[0].wanted
    assert wanted > 1
    assert abs(wanted - due / (PREMIUM.deadline_seconds * DEADLINE_SHARE)) < 1
    cancel(house.services, house.account, job.id)
    assert pool_statuses(house.services)[0].wanted == 0


def test_running_work_keeps_its_agents(house: House) -> None:
    house.order(count=2, tier="normal")
    one, two = house.agent("one"), house.agent("two")
    one.claim_one()
    two.claim_one()
    demand = house.services.store.pool_demand("default")
    assert (demand.load.running, demand.load.busy_agents, demand.ready) == (2, 2, 2)
    assert pool_statuses(house.services)[0].wanted == 3, "two of two are busy, and eight in ten should be"
