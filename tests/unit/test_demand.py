from hypothesis import given
from hypothesis import strategies as st

from stablehand.domain.demand import PoolLoad, Scaling, held_demand, wanted_agents

seconds = st.floats(0, 1e6)
scalings = st.tuples(st.integers(0, 5), st.integers(5, 50)).map(
    lambda pair: Scaling(min_agents=pair[0], max_agents=pair[1])
)


@given(seconds, seconds, st.integers(0, 100), st.floats(0, 100), scalings)
def test_demand_stays_within_the_pool_and_grows_with_the_work(
    premium: float, normal: float, running: int, busy: float, scaling: Scaling
) -> None:
    load = PoolLoad(queued_seconds={15.0: premium, 1800.0: normal}, running=running, busy_agents=busy)
    more = PoolLoad(queued_seconds={15.0: premium * 2, 1800.0: normal + 1}, running=running, busy_agents=busy)
    assert scaling.min_agents <= wanted_agents(load, scaling) <= wanted_agents(more, scaling) <= scaling.max_agents
    if running or premium or normal:
        assert wanted_agents(load, scaling) >= 1


def test_work_is_due_by_half_its_deadline_and_stricter_work_goes_first() -> None:
    scaling = Scaling(max_agents=1000)
    assert wanted_agents(PoolLoad(queued_seconds={15.0: 60.0}, running=0), scaling) == 8
    assert wanted_agents(PoolLoad(queued_seconds={1800.0: 9000.0}, running=0), scaling) == 10
    assert wanted_agents(PoolLoad(queued_seconds={1800.0: 8991.0, 15.0: 9.0}, running=0), scaling) == 10


def test_running_work_keeps_its_agents_and_nothing_keeps_none() -> None:
    scaling = Scaling(max_agents=10)
    assert wanted_agents(PoolLoad(queued_seconds={}, running=1), scaling) == 1
    assert wanted_agents(PoolLoad(queued_seconds={}, running=9, busy_agents=4.0), scaling) == 5
    assert wanted_agents(PoolLoad(queued_seconds={}, running=0), scaling) == 0
    assert wanted_agents(PoolLoad(queued_seconds={}, running=0), Scaling(min_agents=2, max_agents=10)) == 2


def test_a_lull_ends_nobody() -> None:
    scaling = Scaling(max_agents=10, scale_down_seconds=300)
    assert held_demand([(0, 1), (120, 7), (301, 9)], scaling) == 7
    assert held_demand([(0, 1), (299, 12)], scaling) == 10
    assert held_demand([], scaling) == 0
