import pytest

from stablehand.domain.errors import InvalidFields
from stablehand.simulation.reading import read_scenario
from stablehand.simulation.scenario import Crowd, PoolPlan
from stablehand.simulation.scenarios import SPOT


def test_a_file_says_only_what_differs_from_the_defaults() -> None:
    scenario = read_scenario(
        {"seconds": 100, "pools": [{"agents": 2, "drawing": {"mode": "join"}}], "crowds": [{"shots_a_second": 1.5}]},
        name="mine",
    )
    assert (scenario.name, scenario.seconds) == ("mine", 100.0)
    assert scenario.pools[0].drawing.mode == "join"
    assert scenario.pools[0].slots == PoolPlan().slots
    assert scenario.crowds == (Crowd(shots_a_second=1.5),)


def test_nested_tables_lists_and_nulls_are_read() -> None:
    scenario = read_scenario(
        {
            "pools": [
                {
                    "agents": 2,
                    "slots": 2,
                    "download_seconds": 20,
                    "price_an_hour": 0.55,
                    "drawing": {"mode": "join", "premium_seats": 1},
                    "interruptions": {"an_hour": 0.5},
                    "growth": {"limits": {"min_agents": 2, "max_agents": 24}},
                }
            ],
            "crowds": [
                {"name": "steady", "shots_a_second": 2, "cost_spread": 0.5, "ends_at": None, "checkpoints": [0, 19]}
            ],
        },
        name="x",
    )
    assert scenario.pools == SPOT.pools
    assert scenario.crowds == SPOT.crowds[:1]


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ([], "scenario"),
        ({"secs": 1}, "secs"),
        ({"seconds": 0}, "seconds"),
        ({"seconds": "long"}, "seconds"),
        ({"pools": {}}, "pools"),
        ({"pools": []}, "pools"),
        ({"pools": [{"slots": 0}]}, "pools[0].slots"),
        ({"pools": [{"agents": 1.5}]}, "pools[0].agents"),
        ({"pools": [{"agents": -1}]}, "pools[0].agents"),
        ({"pools": [{"agents": True}]}, "pools[0].agents"),
        ({"pools": [{"drawing": {"mode": "magic"}}]}, "pools[0].drawing.mode"),
        ({"pools": [{"growth": {}}]}, "pools[0].growth.limits"),
        ({"pools": [{"checkpoints": [0]}]}, "pools[0].checkpoints"),
        ({"crowds": [{}]}, "crowds[0].shots_a_second"),
        ({"crowds": [{"shots_a_second": 1, "premium_share": 2}]}, "crowds[0].premium_share"),
        ({"crowds": [{"shots_a_second": 1, "name": 7}]}, "crowds[0].name"),
        ({"orders": [{"shots": 1, "premium": "yes"}]}, "orders[0].premium"),
        ({"pools": [{"checkpoints": [0, 3]}], "crowds": [{"shots_a_second": 1}]}, "crowds[0]"),
        ({"pools": [{"checkpoints": [0, 3]}], "orders": [{"shots": 1, "checkpoint": 4}]}, "orders[0]"),
    ],
)
def test_what_is_wrong_is_named(values: object, field: str) -> None:
    with pytest.raises(InvalidFields) as refused:
        read_scenario(values, name="x")
    assert list(refused.value.fields) == [field]


def test_everything_wrong_is_named_at_once() -> None:
    with pytest.raises(InvalidFields) as refused:
        read_scenario({"secs": 1, "crowds": [{"shots_a_second": -1}, {"shots_a_second": 1, "accounts": 0}]}, name="x")
    assert set(refused.value.fields) == {"secs", "crowds[0].shots_a_second", "crowds[1].accounts"}
