import math
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stablehand.domain.busy import BUSY_SHARE_MAX, capped, counted_share, learn_busy_share
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


class Knobs(NamedTuple):
    busy_share: float | None
    idle_share: float
    agents: int | None


every_knob = st.builds(
    Knobs, st.none() | st.floats(0, 1), st.sampled_from([0.0, 0.5, 1.0, math.inf]), st.none() | st.integers(1, 8)
)


def chosen(lanes: Sequence[LaneView], resident: frozenset[str], knobs: Knobs) -> str | None:
    return choose_lane(
        lanes,
        resident=resident,
        busy_share=knobs.busy_share,
        premium_deadline_seconds=TAU,
        agents=knobs.agents,
        idle_share=knobs.idle_share,
    )


def waiting_in(lanes: Sequence[LaneView]) -> list[LaneView]:
    return [view for view in lanes if view.is_open and view.queued_seconds > 0]


@given(pools, residents, every_knob, st.randoms(use_true_random=False))
def test_the_order_of_the_lanes_decides_nothing(
    lanes: tuple[LaneView, ...], resident: frozenset[str], knobs: Knobs, random: Random
) -> None:
    shuffled = random.sample(lanes, len(lanes))
    assert chosen(lanes, resident, knobs) == chosen(shuffled, resident, knobs)


@given(pools, residents, every_knob)
def test_only_open_lanes_with_work_are_served(
    lanes: tuple[LaneView, ...], resident: frozenset[str], knobs: Knobs
) -> None:
    served = chosen(lanes, resident, knobs)
    assert served is None or served in {view.checkpoint_id for view in waiting_in(lanes)}


@given(pools, residents, every_knob)
def test_an_agent_waits_only_when_nothing_is_resident_and_holders_will_be_done_sooner(
    lanes: tuple[LaneView, ...], resident: frozenset[str], knobs: Knobs
) -> None:
    """Work conserving: None exactly when no open lane with work is resident, and each other one has live holders who
    will have done what counts before this agent could begin, and need no help of an idle agent either."""
    may_wait = all(
        view.checkpoint_id not in resident
        and is_covered(view)
        and not needs_help(view, busy_share=knobs.busy_share, agents=knobs.agents, idle_share=knobs.idle_share)
        for view in waiting_in(lanes)
    )
    assert (chosen(lanes, resident, knobs) is None) == may_wait


@given(pools, residents, every_knob)
def test_it_loads_only_for_enough_urgency_or_for_want_of_work(
    lanes: tuple[LaneView, ...], resident: frozenset[str], knobs: Knobs
) -> None:
    answer = chosen(lanes, resident, knobs)
    served = next((view for view in lanes if view.checkpoint_id == answer), None)
    at_hand = [view for view in waiting_in(lanes) if view.checkpoint_id in resident]
    if served is None or not at_hand:
        return
    best = max(view.urgency for view in at_hand)
    if served.checkpoint_id in resident:
        assert served.urgency == best
    else:
        bias = switch_bias(served.load_seconds, busy_share=knobs.busy_share, premium_deadline_seconds=TAU)
        assert served.urgency > best + bias
        assert not is_covered(served)


@given(pools, residents, every_knob)
def test_a_ranked_pool_is_answered_alike(lanes: tuple[LaneView, ...], resident: frozenset[str], knobs: Knobs) -> None:
    waiting = waiting_in(lanes)
    ranked = sorted(waiting, key=lambda view: (-view.urgency, -view.work_seconds, view.checkpoint_id))
    assert chosen(lanes, resident, knobs) == choose_ranked(
        [view for view in waiting if view.checkpoint_id in resident],
        (view for view in ranked if view.checkpoint_id not in resident),
        busy_share=knobs.busy_share,
        premium_deadline_seconds=TAU,
        agents=knobs.agents,
        idle_share=knobs.idle_share,
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


def test_an_idle_agent_helps_with_a_large_order_as_far_as_the_others_leave_agents_spare() -> None:
    hog = lane("b", 0.1, holders=2, work_seconds=4.0, queued_seconds=9000.0)

    def help_at(share: float, **given: float) -> str | None:
        return choose_lane(
            [hog],
            resident=(),
            busy_share=share,
            premium_deadline_seconds=TAU,
            **{"agents": 8, **given},  # type: ignore[arg-type]
        )

    assert help_at(0.0) == help_at(0.75) == "b"
    assert help_at(0.8) is None
    assert help_at(0.8, idle_share=math.inf) == "b"
    assert help_at(0.0, idle_share=0.0) is None
    assert choose_lane([hog], resident=(), busy_share=0.9, premium_deadline_seconds=TAU) == "b"
    small = replace(hog, queued_seconds=9.0)
    assert choose_lane([small], resident=(), busy_share=0.0, premium_deadline_seconds=TAU, agents=8) is None


def test_who_draws_for_one_large_order_is_hardly_busy() -> None:
    assert counted_share(16.0, 1600.0) == 0.01
    assert counted_share(16.0, 16.0) == 1.0
    assert counted_share(0.0, 0.0) == 1.0


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
