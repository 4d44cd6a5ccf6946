"""What an account may have: refused with the reason before it is passed, by no race either, and free again in time."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from stablehand.domain.errors import InvalidFields, NotAllowed, OverLimit, QueueFull, QuotaSpent
from stablehand.domain.quotas import DAY
from stablehand.domain.tiers import SHIPPED
from stablehand.services.cancel import cancel
from stablehand.services.quotas import allowance, change_quotas, quotas_of
from tests.store.house import House
from tests.store.test_races import at_once, beside


def limit(house: House, **quotas: object) -> None:
    house.services.store.tiers = SHIPPED.with_quotas(**quotas)


def draw_all(house: House) -> None:
    hand = house.agent(f"hand-{house.clock.now:%H-%M-%S}", seats=8)
    while leases := hand.claim(8):
        for lease in leases:
            hand.draw(lease)


def test_pictures_are_counted_over_a_day_from_the_moment_they_are_ordered(house: House) -> None:
    limit(house, pictures_a_day=5)
    house.order(count=2)
    draw_all(house)
    house.clock.turn(3600)
    house.order(count=1)
    draw_all(house)
    began = house.clock.now
    waiting = house.order(count=2)
    with pytest.raises(QuotaSpent) as refused:
        house.order(count=2)
    hit = refused.value.hit
    assert (hit.limit, hit.most, hit.used, hit.asked, hit.over) == ("pictures_a_day", 5, 5, 2, 2)
    assert hit.frees_at == began - timedelta(hours=1) + DAY, "when both of the first order are a day old"
    assert refused.value.retry_after_seconds == 23 * 3600
    cancel(house.services, house.account, waiting.id)
    house.order(count=2)
    house.clock.turn(refused.value.retry_after_seconds)
    house.order(count=2)
    with pytest.raises(QuotaSpent):
        house.order(count=1)


def test_what_no_day_can_hold_has_no_time_to_come_back(house: House) -> None:
    limit(house, pictures_a_day=5)
    with pytest.raises(QuotaSpent) as refused:
        house.order(count=6)
    assert refused.value.retry_after_seconds is None
    assert refused.value.hit.frees_at is None
    assert "fewer" in refused.value.hint


def test_device_time_is_counted_as_it_was_charged(house: House) -> None:
    limit(house, device_seconds_a_day=7.0)
    for _ in range(2):
        house.order()
        draw_all(house)  # two seconds each
    used = {usage.limit: usage for usage in allowance(house.services, house.account).usage}
    assert used["device_seconds_a_day"].used == pytest.approx(4.0)
    assert used["device_seconds_a_day"].left == pytest.approx(3.0)
    assert used["device_seconds_a_day"].frees_at == house.clock.now + DAY
    with pytest.raises(QuotaSpent) as refused:
        while True:
            house.order()
    assert refused.value.hit.limit == "device_seconds_a_day"
    assert refused.value.hit.used + refused.value.hit.asked > 7.0


@pytest.mark.parametrize(
    ("quotas", "order", "error", "fields"),
    [
        ({"steps": 10}, {"steps": 11}, OverLimit, {"steps"}),
        ({"pixels": 64 * 64}, {"width": 64, "height": 72}, OverLimit, {"width", "height"}),
        ({"count": 2, "steps": 5}, {"count": 3}, OverLimit, {"count", "steps"}),
        ({"kinds": ("image",)}, {}, NotAllowed, {"kind"}),
        ({"checkpoints": ("ALP*",)}, {"checkpoint": "beta"}, NotAllowed, {"checkpoint"}),
    ],
)
def test_a_recipe_beyond_the_account_is_refused_by_field(
    house: House,
    quotas: dict[str, object],
    order: dict[str, object],
    error: type[InvalidFields] | type[NotAllowed],
    fields: set[str],
) -> None:
    limit(house, **quotas)
    with pytest.raises(error) as refused:
        house.order(**order)  # type: ignore[arg-type]
    assert set(refused.value.fields) == fields
    assert all("your account" in words for words in refused.value.fields.values())
    assert house.services.store.queue_counts() == (0, 0)


def test_what_is_allowed_passes_every_limit_at_its_edge(house: House) -> None:
    limit(house, steps=10, pixels=64 * 64, count=2, kinds=("text",), checkpoints=("ALP*",), queued=2, pictures_a_day=2)
    house.order(steps=10, count=2)


def test_an_account_may_have_limits_of_its_own(house: House) -> None:
    limit(house, queued=3, steps=30, running=2)
    change_quotas(house.services, house.account, {"queued": 5, "steps": None})
    change_quotas(house.services, house.account, {"checkpoints": ["beta"]})
    quotas = quotas_of(house.services, house.account)
    assert (quotas.queued, quotas.steps, quotas.running, quotas.checkpoints) == (5, None, 2, ("beta",))
    house.order(count=5, steps=100, checkpoint="beta")
    with pytest.raises(QueueFull) as full:
        house.order(checkpoint="beta")
    assert full.value.hit is not None
    assert (full.value.hit.limit, full.value.hit.used, full.value.hit.over) == ("queued", 5, 1)
    assert allowance(house.services, house.account).own == {"queued", "steps", "checkpoints"}
    change_quotas(house.services, house.account, {}, forget=True)
    assert quotas_of(house.services, house.account).queued == 3
    with pytest.raises(InvalidFields) as wrong:
        change_quotas(
            house.services, house.account, {"queued": -1, "steps": 1.5, "kinds": ["film"], "colour": 3, "count": True}
        )
    assert set(wrong.value.fields) == {"queued", "steps", "kinds", "colour", "count"}


def test_racing_orders_do_not_pass_a_days_pictures(house: House) -> None:
    limit(house, pictures_a_day=5)
    other = beside(house.services)
    other.store.tiers = house.services.store.tiers
    second = House(house.services, house.clock)
    second.services = other

    def order(place: House) -> Callable[[], object]:
        def answer() -> object:
            try:
                return place.order(count=2)
            except QuotaSpent as spent:
                return spent

        return answer

    answers = at_once([order(place) for place in (house, second) * 4])
    other.store.close()
    assert sum(isinstance(answer, QuotaSpent) for answer in answers) == 6
    assert house.services.store.queue_counts() == (4, 0)
