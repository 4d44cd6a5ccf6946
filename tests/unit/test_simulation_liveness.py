"""Whatever the fleet and the load are: what was ordered is drawn, once, and nobody is passed over for ever."""

from hypothesis import given, settings
from hypothesis import strategies as st

from stablehand.domain.demand import Scaling
from stablehand.simulation.play import play
from stablehand.simulation.scenario import Crowd, Drawing, Growth, Interruptions, Mode, Order, PoolPlan, Scenario

MODES: list[Mode] = ["batch", "join"]

drawings = st.builds(
    Drawing,
    mode=st.sampled_from(MODES),
    seats=st.integers(1, 8),
    seats_max=st.none() | st.integers(8, 12),
    premium_seats=st.integers(0, 2),
)

interruptions = st.builds(
    Interruptions,
    an_hour=st.sampled_from([0.0, 10.0]),
    notice_seconds=st.sampled_from([0.0, 120.0]),
    back_after_seconds=st.just(30.0),
)

limits = Scaling(min_agents=1, max_agents=5, scale_down_seconds=60)
growths = st.none() | st.just(Growth(limits=limits, start_seconds=30))

pool_plans = st.builds(
    PoolPlan,
    agents=st.integers(1, 4),
    slots=st.integers(1, 3),
    load_seconds=st.sampled_from([0.0, 1.0, 5.0, 20.0]),
    download_seconds=st.sampled_from([0.0, 10.0]),
    drawing=drawings,
    interruptions=interruptions,
    growth=growths,
)

crowds = st.builds(
    Crowd,
    shots_a_second=st.floats(0.05, 1.0),
    accounts=st.integers(1, 20),
    premium_share=st.floats(0, 1),
    checkpoints=st.integers(0, 6).map(lambda last: (0, last)),
    shots_a_job=st.integers(1, 5),
    cost_spread=st.floats(0, 0.9),
    ends_at=st.just(200.0),
)

orders = st.lists(
    st.builds(
        Order,
        shots=st.integers(1, 200),
        checkpoint=st.integers(0, 6),
        premium=st.booleans(),
        at=st.floats(0, 200),
    ),
    max_size=2,
).map(tuple)


@settings(max_examples=60, deadline=None)
@given(pool_plans, crowds, orders, st.sampled_from(["stablehand", "fifo", "sticky"]), st.integers(0, 1000))
def test_everything_that_was_ordered_is_drawn_once(
    pool: PoolPlan,
    crowd: Crowd,
    large: tuple[Order, ...],
    policy: str,
    seed: int,
) -> None:
    scenario = Scenario(name="any", seconds=8000, pools=(pool,), crowds=(crowd,), orders=large)
    figures = play(scenario, policy, seed=seed)
    assert figures.drawn == figures.submitted
    assert sum(waits.shots for waits in figures.tiers.values()) == figures.submitted
    for waits in figures.tiers.values():
        assert 0 <= waits.begun_p95_s <= waits.p95_s <= waits.max_s
    assert 0 <= figures.utilisation <= 1
    assert figures.loading_share >= 0
