"""The scenarios that come along, by name."""

from dataclasses import replace

from stablehand.domain.demand import Scaling
from stablehand.simulation.scenario import Crowd, Drawing, Growth, Interruptions, Order, PoolPlan, Scenario


def _eight(load_seconds: float, slots: int, shots_a_second: float) -> Scenario:
    """Eight GPUs, twenty checkpoints ordered by Zipf's law, three in ten accounts premium."""
    return Scenario(
        name=f"eight-{load_seconds:g}s-{slots}slot-{shots_a_second:g}",
        about=f"8 GPUs, 20 checkpoints, {load_seconds:g} s to load one, memory for {slots}, {shots_a_second:g} shots/s",
        seconds=6000,
        pools=(PoolPlan(agents=8, slots=slots, load_seconds=load_seconds),),
        crowds=(Crowd(shots_a_second=shots_a_second),),
    )


HOG = Scenario(
    name="hog",
    about="8 GPUs, memory for 3: 30,000 shots of one account and checkpoint beside 6 shots/s of a thousand others",
    seconds=3000,
    pools=(PoolPlan(agents=8, slots=3, load_seconds=5),),
    crowds=(Crowd(name="light", shots_a_second=6),),
    orders=(Order(name="hog", shots=30_000, checkpoint=20, at=60),),
)

THOUSAND = Scenario(
    name="thousand",
    about="1,000 GPUs, 100,000 accounts, 2,000 checkpoints, a million shots in about a quarter of an hour",
    seconds=900,
    warm_up_seconds=120,
    pools=(PoolPlan(agents=1000, slots=3, load_seconds=5),),
    crowds=(Crowd(shots_a_second=1120, accounts=100_000, checkpoints=(0, 1999)),),
)

SPOT = Scenario(
    name="spot",
    about="2 to 24 spot machines, each taken away every two hours on average, and a rush of forty minutes",
    seconds=7200,
    pools=(
        PoolPlan(
            agents=2,
            slots=2,
            load_seconds=5,
            download_seconds=20,
            price_an_hour=0.55,
            drawing=Drawing(mode="join", premium_seats=1),
            interruptions=Interruptions(an_hour=0.5, notice_seconds=120),
            growth=Growth(limits=Scaling(min_agents=2, max_agents=24, scale_down_seconds=300)),
        ),
    ),
    crowds=(
        Crowd(name="steady", shots_a_second=2, cost_spread=0.5),
        Crowd(name="rush", shots_a_second=8, shots_a_job=4, cost_spread=0.5, begins_at=1800, ends_at=4200),
    ),
)

_EIGHTS = (
    (1, 1, 9), (1, 1, 11), (1, 1, 12.5), (5, 1, 6), (5, 1, 9), (5, 3, 9), (5, 3, 11), (1, 3, 12.5),
)  # fmt: skip

SCENARIOS: dict[str, Scenario] = {
    scenario.name: scenario for scenario in (*(_eight(*values) for values in _EIGHTS), HOG, THOUSAND, SPOT)
}

#: What is played when none is named.
DEFAULT = "eight-5s-3slot-9"

#: Values of the idle agents' knob along which the frontier is drawn.
FRONTIER = (0.0, 0.6, 0.8, 1.0, 1.2, 1.5, 2.0, float("inf"))


def with_idle_share(scenario: Scenario, idle_share: float) -> Scenario:
    return replace(scenario, idle_share=idle_share)
