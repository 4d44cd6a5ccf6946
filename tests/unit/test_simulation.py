"""The simulator is deterministic, so its figures are asserted: small versions of what docs/benchmarks.md shows."""

from dataclasses import replace

import pytest

from stablehand.domain.demand import Scaling
from stablehand.domain.tiers import SHIPPED, Tier, Tiers
from stablehand.simulation.figures import Figures, quantile
from stablehand.simulation.play import play
from stablehand.simulation.scenario import Crowd, Drawing, Growth, Interruptions, Order, PoolPlan, Scenario
from stablehand.simulation.scenarios import HOG, SCENARIOS, THOUSAND, with_idle_share


def shortened(name: str, seconds: float = 1500) -> Scenario:
    return replace(SCENARIOS[name], seconds=seconds)


@pytest.mark.parametrize("policy", ["stablehand", "fifo", "sticky"])
def test_the_same_seed_gives_the_same_figures_and_another_one_others(policy: str) -> None:
    scenario = shortened("eight-5s-3slot-9", 200)
    assert play(scenario, policy, seed=3) == play(scenario, policy, seed=3)
    assert play(scenario, policy, seed=3) != play(scenario, policy, seed=4)


def test_premium_is_served_at_once_where_first_come_first_served_collapses() -> None:
    scenario = shortened("eight-5s-3slot-9")
    ours, fifo, sticky = (play(scenario, policy) for policy in ("stablehand", "fifo", "sticky"))
    assert ours.premium_p95_s <= 8
    assert fifo.premium_p95_s > 15
    assert sticky.premium_p95_s > 10
    assert ours.shots_per_second > 8.8
    assert fifo.shots_per_second < 7.5
    assert ours.switches_per_100 < 1
    assert fifo.switches_per_100 > 9


def test_quick_loads_and_light_load_are_no_worse_than_first_come_first_served() -> None:
    scenario = shortened("eight-1s-1slot-9")
    ours, fifo = play(scenario, "stablehand"), play(scenario, "fifo")
    assert ours.premium_p95_s <= fifo.premium_p95_s * 1.2
    assert ours.normal_p95_s < 2 * fifo.premium_p95_s + 10


def test_one_large_order_does_not_make_the_others_wait() -> None:
    scenario = replace(HOG, seconds=1000)
    figures = play(scenario, "stablehand")
    assert figures.tiers["premium"].missed_share <= 0.01
    assert figures.crowds["light"].p95_s <= 15
    assert figures.shots_per_second > 9
    reserved = play(with_idle_share(scenario, 0.0), "stablehand")
    assert reserved.shots_per_second < figures.shots_per_second
    assert reserved.crowds["light"].p95_s < figures.crowds["light"].p95_s


def test_twenty_light_accounts_hardly_notice_five_thousand_shots_of_another() -> None:
    """One checkpoint each, four agents of four seats; the hog has enough queued to outlast the whole time."""
    empty = Scenario(
        name="empty",
        seconds=240,
        pools=(
            PoolPlan(
                agents=4,
                slots=21,
                load_seconds=1,
                drawing=Drawing(mode="join", seats=4, premium_seats=1, fixed_seconds=1.0, shot_seconds=0.0),
            ),
        ),
        crowds=(Crowd(name="light", shots_a_second=2, accounts=20, premium_share=0.1, checkpoints=(0, 19), zipf=0),),
    )
    crowded = replace(empty, orders=(Order(name="hog", shots=5_000, checkpoint=20, at=20),))
    alone, beside = play(empty, "stablehand"), play(crowded, "stablehand")
    assert beside.crowds["hog"].missed_share < 1, "it is drawn as well"
    assert beside.drawn > 2 * alone.drawn, "with all that the others leave spare"
    assert beside.crowds["light"].p95_s <= 3 * alone.crowds["light"].p95_s
    assert beside.tiers["premium"].p95_s <= 3 * alone.tiers["premium"].p95_s
    assert beside.tiers["premium"].missed_share == 0


def test_other_tiers_are_simulated_as_they_are_set() -> None:
    scenario = shortened("eight-5s-3slot-9", 300)
    patient = SHIPPED.changed("premium", deadline_seconds=600.0)
    assert play(scenario, "stablehand", tiers=SHIPPED) == play(scenario, "stablehand")
    assert play(scenario, "stablehand", tiers=patient) != play(scenario, "stablehand")
    three = Tiers((*SHIPPED, Tier(name="bulk", rank=7, weight=0.5, deadline_seconds=86_400.0)))
    figures = play(scenario, "stablehand", tiers=three)
    assert (figures.tiers["normal"].shots, figures.tiers["bulk"].shots > 0) == (0, True)


def test_one_large_order_alone_gets_every_agent() -> None:
    figures = play(replace(HOG, crowds=(), seconds=500, warm_up_seconds=50), "stablehand")
    assert figures.utilisation > 0.85
    assert figures.drawn / 450 > 13


def test_a_large_fleet_is_simulated_by_the_same_rules() -> None:
    pool = replace(THOUSAND.pools[0], agents=100)
    crowd = replace(THOUSAND.crowds[0], shots_a_second=100.0, accounts=5000, checkpoints=(0, 199))
    figures = play(replace(THOUSAND, pools=(pool,), crowds=(crowd,), seconds=200, warm_up_seconds=60), "stablehand")
    assert figures.shots_per_second > 95
    assert figures.premium_p95_s < 10


@pytest.mark.parametrize("mode", ["batch", "join"])
@pytest.mark.parametrize("policy", ["stablehand", "fifo", "sticky"])
@pytest.mark.parametrize("notice_seconds", [0, 120])
def test_no_shot_is_lost_or_drawn_twice_however_often_machines_are_taken(
    mode: str, policy: str, notice_seconds: float
) -> None:
    scenario = Scenario(
        name="storm",
        seconds=4000,
        pools=(
            PoolPlan(
                agents=4,
                slots=2,
                load_seconds=3,
                download_seconds=4,
                drawing=Drawing(mode="join" if mode == "join" else "batch", premium_seats=1, seats_max=10),
                interruptions=Interruptions(an_hour=20, notice_seconds=notice_seconds, back_after_seconds=30),
            ),
        ),
        crowds=(Crowd(shots_a_second=1, accounts=50, ends_at=1500, cost_spread=0.5, shots_a_job=3),),
        orders=(Order(shots=300, checkpoint=3, at=100),),
    )
    figures = play(scenario, policy, seed=1)
    assert figures.interrupted > 20
    assert figures.submitted == figures.drawn > 1000
    if notice_seconds == 0:
        assert figures.repeated > 0


def test_a_pool_grows_with_its_work_and_shrinks_after_it() -> None:
    growth = Growth(limits=Scaling(min_agents=1, max_agents=20, scale_down_seconds=120), start_seconds=60)
    pool = PoolPlan(agents=1, load_seconds=2, growth=growth, price_an_hour=1.0)
    rush = Crowd(shots_a_second=8, checkpoints=(0, 2), begins_at=300, ends_at=900)
    scenario = Scenario(name="rush", seconds=2400, pools=(pool,), crowds=(rush,))
    scaled = play(scenario, "stablehand")
    fixed = play(replace(scenario, pools=(replace(pool, growth=None),)), "stablehand")
    assert scaled.submitted == scaled.drawn
    assert 1 < scaled.agents_mean < 12
    assert scaled.premium_p95_s < fixed.premium_p95_s / 2
    assert scaled.cost_an_hour == pytest.approx(scaled.agents_mean, rel=0.2)
    assert fixed.cost_an_hour == pytest.approx(1.0)


def test_a_static_pool_takes_what_it_names() -> None:
    pools = (PoolPlan(name="small", agents=1, checkpoints=(0, 0)), PoolPlan(agents=2))
    crowd = Crowd(shots_a_second=1, checkpoints=(0, 3))
    figures = play(Scenario(name="two", seconds=300, pools=pools, crowds=(crowd,)), "stablehand")
    assert figures.drawn > 250


def test_figures_of_nothing_are_zero() -> None:
    figures = play(Scenario(name="empty", seconds=10), "stablehand")
    assert isinstance(figures, Figures)
    assert (figures.drawn, figures.premium_p95_s, figures.missed_share) == (0, 0.0, 0.0)
    assert quantile([], 0.95) == 0.0
    assert quantile([1.0, 2.0, 3.0], 0.5) == 2.0
