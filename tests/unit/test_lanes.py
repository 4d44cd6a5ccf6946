import math
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stablehand.domain.busy import BUSY_SHARE_MAX, capped, learn_busy_share
from stablehand.domain.lanes import LaneView, choose_lane, choose_ranked, is_covered, needs_help, switch_bias

TAU = 15.0


def lane(checkpoint_id: str, urgency: float, **given: float | bool) -> LaneView:
    values = {"work_seconds": 10.0, "load_seconds": 5.0, "holders": 0, "is_open": True, **given}
    values.setdefault("queued_seconds", values["work_seconds"])
    return LaneView(checkpoint_id=checkpoint_id, urgency=urgency, **values)  # type: ignore[arg-type]


@st.composite
def lane_views(draw: st.DrawFn, checkpoint_id: str) -> LaneView:
    work = draw(st.sampled_from([0.0, 1.0, 8.0, 40.0]))
    return LaneView(
        checkpoint_id=checkpoint_id,
        urgency=draw(st.sampled_from([0.0, 0.2, 0.5, 1.0, 3.0]) if work else st.just(0.0)),
        work_seconds=work,
        queued_seconds=work * draw(st.sampled_from([1.0, 10.0])),
        load_seconds=draw(st.sampled_from([0.0, 1.0, 5.0, 20.0])),
        holders=draw(st.integers(0, 3)),
        is_open=draw(st.booleans()),
    )


pools = st.integers(0, 8).flatmap(lambda count: st.tuples(*(lane_views(f"c{index}") for index in range(count))))
residents = st.frozensets(st.sampled_from([f"c{index}" for index in range(8)]), max_size=4)
shares = st.none() | st.floats(0, 1)
idle_loads = st.sampled_from([0.0, 1.0, 4.0, math.inf])


def chosen(lanes: tuple[LaneView, ...], resident: frozenset[str], share: float | None, loads: float) -> str | None:
    return choose_lane(lanes, resident=resident, busy_share=share, premium_deadline_seconds=TAU, idle_loads=loads)


@given(pools, residents, shares, idle_loads, st.randoms(use_true_random=False))
def test_the_order_of_the_lanes_decides_nothing(
    lanes: tuple[LaneView, ...],
    resident: frozenset[str],
    share: float | None,
    loads: float,
    random: Random,
) -> None:
    shuffled = list(lanes)
    random.shuffle(shuffled)
    assert chosen(lanes, resident, share, loads) == chosen(tuple(shuffled), resident, share, loads)


@given(pools, residents, shares, idle_loads)
def test_only_open_lanes_with_work_are_served(
    lanes: tuple[LaneView, ...], resident: frozenset[str], share: float | None, loads: float
) -> None:
    served = chosen(lanes, resident, share, loads)
    assert served is None or any(
        view.checkpoint_id == served and view.is_open and view.queued_seconds > 0 for view in lanes
    )


@given(pools, residents, shares, idle_loads)
def test_an_agent_waits_only_when_nothing_is_resident_and_holders_will_be_done_sooner(
    lanes: tuple[LaneView, ...], resident: frozenset[str], share: float | None, loads: float
) -> None:
    """Work conserving: None exactly when no open lane with work is resident, and each other one is covered by live
    holders both by counted work and by the rule of idle agents."""
    waiting = [view for view in lanes if view.is_open and view.queued_seconds > 0]
    may_wait = all(
        view.checkpoint_id not in resident and is_covered(view) and not needs_help(view, idle_loads=loads)
        for view in waiting
    )
    assert (chosen(lanes, resident, share, loads) is None) == may_wait


@given(pools, residents, shares, idle_loads)
def test_it_loads_only_for_enough_urgency_or_for_want_of_work(
    lanes: tuple[LaneView, ...], resident: frozenset[str], share: float | None, loads: float
) -> None:
    served = next((view for view in lanes if view.checkpoint_id == chosen(lanes, resident, share, loads)), None)
    at_hand = [v for v in lanes if v.checkpoint_id in resident and v.is_open and v.queued_seconds > 0]
    if served is None or not at_hand:
        return
    best = max(view.urgency for view in at_hand)
    if served.checkpoint_id in resident:
        assert served.urgency == best
    else:
        bias = switch_bias(served.load_seconds, busy_share=share, premium_deadline_seconds=TAU)
        assert served.urgency > best + bias
        assert not is_covered(served)


@given(pools, residents, shares, idle_loads)
def test_a_ranked_pool_is_answered_alike(
    lanes: tuple[LaneView, ...], resident: frozenset[str], share: float | None, loads: float
) -> None:
    waiting = [view for view in lanes if view.is_open and view.queued_seconds > 0]
    ranked = sorted(waiting, key=lambda view: (-view.urgency, -view.work_seconds, view.checkpoint_id))
    assert chosen(lanes, resident, share, loads) == choose_ranked(
        [view for view in waiting if view.checkpoint_id in resident],
        (view for view in ranked if view.checkpoint_id not in resident),
        busy_share=share,
        premium_deadline_seconds=TAU,
        idle_loads=loads,
    )


@given(st.integers(2, 6), st.floats(0, BUSY_SHARE_MAX), st.floats(0.5, 20), st.floats(0.1, 5), st.floats(0, 2))
def test_no_lane_starves_and_none_is_loaded_too_often(
    count: int, share: float, load_seconds: float, draw_seconds: float, head_start: float
) -> None:
    """One agent with one slot, lanes that always have work. Every lane is served within a bounded time, and between two
    loads of a checkpoint lies at least the dwell S · ρ / (1 − ρ)."""
    now = 0.0
    served_at = {f"c{index}": -head_start * index for index in range(count)}
    loaded_at: dict[str, float] = {}
    resident = "c0"
    longest = 0.0
    dwell = load_seconds * share / (1 - share)
    for _ in range(400):
        views = [lane(name, (now - at) / TAU, load_seconds=load_seconds) for name, at in served_at.items()]
        picked = choose_lane(views, resident={resident}, busy_share=share, premium_deadline_seconds=TAU)
        assert picked is not None
        if picked != resident:
            assert now - loaded_at.get(picked, -math.inf) > dwell * (1 - 1e-6)
            loaded_at[picked] = now
            now, resident = now + load_seconds, picked
        longest = max(longest, now - served_at[picked])
        served_at[picked] = now
        now += draw_seconds
    assert longest <= count * (load_seconds + dwell + 2 * draw_seconds + head_start)


def test_an_idle_fleet_follows_urgency_and_a_full_one_stays() -> None:
    lanes = [lane("a", 0.5), lane("b", 0.6)]
    assert choose_lane(lanes, resident={"a"}, busy_share=0.0, premium_deadline_seconds=TAU) == "b"
    assert choose_lane(lanes, resident={"a"}, busy_share=0.9, premium_deadline_seconds=TAU) == "a"


def test_what_a_holder_will_have_done_sooner_is_left_to_it() -> None:
    covered = lane("b", 9.0, holders=2, work_seconds=9.0)
    assert choose_lane([covered], resident=(), busy_share=0.5, premium_deadline_seconds=TAU) is None
    assert choose_lane([replace(covered, work_seconds=10.0)], resident=(), busy_share=0.5, premium_deadline_seconds=TAU)


def test_an_idle_agent_helps_where_one_account_waits_with_very_much() -> None:
    hog = lane("b", 0.1, holders=1, work_seconds=4.0, queued_seconds=9000.0)
    assert choose_lane([hog], resident=(), busy_share=0.5, premium_deadline_seconds=TAU) == "b"
    assert choose_lane([hog], resident=(), busy_share=0.5, premium_deadline_seconds=TAU, idle_loads=math.inf) is None


@given(st.none() | st.floats(0, 1), st.floats(0, 100), st.floats(0, 1000), st.floats(0, 1000))
def test_the_busy_share_stays_a_share(previous: float | None, drawing: float, agents: float, elapsed: float) -> None:
    share = learn_busy_share(previous, drawing_seconds=drawing, agent_seconds=agents, elapsed_seconds=elapsed)
    assert share is None or 0 <= share <= 1
    assert 0 <= capped(share) <= BUSY_SHARE_MAX


def test_the_busy_share_follows_what_agents_do() -> None:
    share = None
    for _ in range(100):
        share = learn_busy_share(share, drawing_seconds=6, agent_seconds=8, elapsed_seconds=2)
    assert share == pytest.approx(0.75)
    for _ in range(100):
        share = learn_busy_share(share, drawing_seconds=2, agent_seconds=8, elapsed_seconds=2)
    assert share == pytest.approx(0.25, abs=0.01)
    assert learn_busy_share(share, drawing_seconds=0, agent_seconds=0, elapsed_seconds=9) == share
