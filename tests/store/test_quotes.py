"""Quotes: what an order would cost and when it would be ready, without a trace; and how good they were."""

from dataclasses import replace
from decimal import Decimal

import pytest
from sqlalchemy import func, select

from stablehand.domain.orders import JobOrder
from stablehand.domain.pools import Pool
from stablehand.domain.prices import Prices
from stablehand.domain.quotes import Kept, Quote
from stablehand.domain.tiers import SHIPPED
from stablehand.domain.waiting import STORAGE_FULL, HeldBy
from stablehand.services.quote import quote, quote_records
from stablehand.store.models import AccountRow, JobRow, Table
from tests.store.house import House


def ask(house: House, **fields: object) -> Quote:
    return quote(house.services, house.account, JobOrder(prompt="a red house", **fields))  # type: ignore[arg-type]


def draw_all(house: House, *, waits: float = 0.0) -> None:
    hand = house.agent(f"hand-{house.clock.now:%H-%M-%S-%f}")
    while leases := hand.claim(8):
        house.clock.turn(waits)
        hand.deliver(*(hand.upload(lease) for lease in leases))
    hand.renew()


def test_a_quote_leaves_no_trace(house: House) -> None:
    house.order(count=2)
    draw_all(house)  # charges that the account's clock does not know yet
    house.order(count=2)

    def everything() -> dict[str, object]:
        with house.services.store.reading() as tx:
            counts = {
                table.name: tx.session.scalar(select(func.count()).select_from(table))
                for table in Table.metadata.sorted_tables
            }
            clock = tx.session.execute(select(AccountRow.finish_tag, AccountRow.owed_tag)).all()
            return {**counts, "clock": clock}

    before = everything()
    assert ask(house, count=5).accepted
    assert everything() == before


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("tier", ["premium", "normal"])
def test_a_quote_says_what_the_queue_says_once_it_is_ordered(house: House, count: int, tier: str) -> None:
    """One formula: neither hurry nor optimism beforehand."""
    house.order(count=2)
    draw_all(house)
    house.order(count=3, tier="normal")
    house.order(count=2, tier="premium", checkpoint="beta")
    house.order(count=1, tier="premium")
    told = ask(house, count=count, tier=tier).place
    job = house.order(count=count, tier=tier)
    assert told is not None
    assert job.queue is not None
    assert (told.ahead, told.reason, told.held_by) == (job.queue.ahead, job.queue.reason, job.queue.held_by)
    assert told.eta_seconds == pytest.approx(job.queue.eta_seconds)
    assert told.eta_low_seconds == pytest.approx(job.queue.eta_low_seconds)
    assert told.eta_high_seconds == pytest.approx(job.queue.eta_high_seconds)


def test_device_time_and_money_are_of_all_pictures_together(house: House) -> None:
    nothing = ask(house)
    assert (nothing.device, nothing.basis, nothing.charge) == (None, "nothing", None)
    house.order()
    draw_all(house)  # two device-seconds
    told = ask(house, count=3, tier="normal")
    assert told.device is not None
    assert told.device.seconds == pytest.approx(6.0)
    assert told.device.low_seconds < 6 < told.device.high_seconds
    assert (told.basis, told.measurements, told.charge) == ("kind", 1, None)
    house.services.store.prices = Prices(
        currency="MAD", device_hour=Decimal("5.26"), tier_factors={"premium": Decimal(3)}
    )
    normal, premium = ask(house, count=3, tier="normal").charge, ask(house, count=3, tier="premium").charge
    assert normal is not None
    assert premium is not None
    assert (normal.currency, normal.micros) == ("MAD", round(6 * 5.26e6 / 3600))
    assert premium.micros == pytest.approx(3 * normal.micros, abs=2)
    larger = ask(house, width=768, height=768)
    assert larger.basis == "family", "no picture of this size was drawn here"


def test_every_limit_that_it_would_hit_is_named_and_nothing_is_raised(house: House) -> None:
    house.services.store.tiers = SHIPPED.with_quotas(queued=3, pictures_a_day=4, steps=20, kinds=("text",))
    house.order(count=2)
    assert ask(house).accepted
    told = ask(house, count=5, steps=30)
    assert not told.accepted
    named = {limit.name: limit for limit in told.limits}
    assert list(named) == ["steps", "queued", "pictures_a_day"]
    assert (named["steps"].most, named["steps"].asked, named["steps"].code) == (20, 30, "over_limit")
    assert (named["queued"].left, named["queued"].used, named["queued"].code) == (1, 2, "queue_full")
    assert (named["pictures_a_day"].left, named["pictures_a_day"].code) == (2, "quota_spent")
    assert all(limit.message and limit.hint for limit in told.limits)
    assert told.place is not None, "it is said all the same how long it would take"


def test_a_checkpoint_that_no_pool_draws_is_a_limit_too(house: House) -> None:
    house.services = replace(house.services, pools=(Pool("only", frozenset({"alpha"})),))
    told = ask(house, checkpoint="beta")
    assert [(limit.name, limit.code) for limit in told.limits] == [("pool", "no_pool")]
    assert told.place is None


def test_what_it_waits_for_is_said_in_the_queues_words(house: House) -> None:
    told = ask(house)
    assert told.place is not None
    assert told.place.held_by is HeldBy.AGENTS
    assert "No agent is connected yet" in str(told.place.reason)
    assert told.keeps_promise is None
    hand = house.agent()
    hand.resident = ("id-beta",)
    hand.renew()
    told = ask(house, checkpoint="alpha")
    assert told.place is not None
    assert told.place.held_by is HeldBy.LOAD
    house.order(count=20, tier="normal", checkpoint="beta")
    for lease in hand.claim(2):
        hand.draw(lease)
    assert ask(house, tier="premium", checkpoint="beta").keeps_promise is True
    told = ask(house, tier="normal", checkpoint="beta")
    assert told.place is not None
    assert told.place.held_by is HeldBy.QUEUE
    assert told.keeps_promise is True, "half a minute is within half an hour"


def test_on_a_full_disk_nothing_is_promised(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.order()
    draw_all(house)
    monkeypatch.setattr("stablehand.services.space.Space.is_full", True)
    told = ask(house).place
    assert told is not None
    assert (told.held_by, told.reason, told.eta_seconds, told.due) == (HeldBy.STORAGE, STORAGE_FULL, None, None)


def test_what_orders_take_besides_drawing_is_learned_from_those_before(house: House) -> None:
    house.order()
    draw_all(house)
    for _ in range(4):
        house.order(count=2)
        draw_all(house, waits=4.7)  # four of them are device time
    told = ask(house).place
    assert told is not None
    assert told.eta_seconds == pytest.approx(2.7)
    assert house.order().queue == told, "the queue says the same"


def test_the_quote_that_was_in_force_is_kept_and_held_against_what_happened(house: House) -> None:
    assert quote_records(house.services)[0].jobs == 0
    unquoted = house.order()  # nothing was measured yet
    draw_all(house)
    job = house.order(count=2)
    with house.services.store.reading() as tx:
        kept = dict(tx.session.execute(select(JobRow.id, JobRow.quote)).tuples().all())
    assert kept[unquoted.id] is None
    assert Kept.from_dict(kept[job.id] or {}).device.seconds == pytest.approx(4.0)
    cancelled = house.order()
    house.services.store.cancel(cancelled.id, house.account.id)
    draw_all(house, waits=8.0)
    everything, alpha = quote_records(house.services)
    assert (everything.checkpoint, alpha.checkpoint, everything.jobs) == (None, "alpha", 1)
    assert everything.device is not None
    assert everything.first is not None
    assert everything.last is not None
    assert (everything.device.median_error, everything.device.bias, everything.device.inside) == (0.0, 1.0, 1.0)
    assert everything.last.bias == pytest.approx(2.0), "four seconds were quoted, and eight passed"
    assert everything.last.median_error == pytest.approx(0.5)
    assert everything.last.median_error_seconds == pytest.approx(4.0)
