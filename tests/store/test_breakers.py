"""Lanes whose checkpoint does not load, and agents that fail everything, on both stores."""

from sqlalchemy import select

from stablehand.domain.attempts import LAST_RETRY_SECONDS
from stablehand.domain.breakers import CRASHES_BEFORE_CONDEMNED, LAST_BAR_SECONDS, BreakerState
from stablehand.domain.jobs import State
from stablehand.domain.standings import LAST_PAUSE_SECONDS, TROUBLES_BEFORE_PAUSE, Standing
from stablehand.services.expire import expire, expire_agent, judge_lanes
from stablehand.store.models import AgentRow, AttemptRow, ShotRow
from tests.store.house import Hand, House, found

BAD, GOOD = "alpha", "beta"


def unloaded(hand: Hand) -> Hand:
    """It has only the good checkpoint in memory."""
    hand.resident = (f"id-{GOOD}",)
    return hand.hello()


def states(house: House, job_id: str) -> set[State]:
    return {shot.state for shot in house.job(job_id).shots}


def counters(house: House, job_id: str) -> list[tuple[int, int]]:
    with house.services.store.reading() as tx:
        query = select(ShotRow.errors, ShotRow.losses).where(ShotRow.job_id == job_id)
        return [(errors, losses) for errors, losses in tx.session.execute(query)]


def standing(house: House, hand: Hand) -> str:
    with house.services.store.reading() as tx:
        return tx.session.scalars(select(AgentRow.standing).where(AgentRow.name == hand.name)).one()


def kinds(house: House) -> list[str]:
    with house.services.store.reading() as tx:
        return list(tx.session.scalars(select(AttemptRow.kind).order_by(AttemptRow.number)))


def test_a_broken_file_fails_what_waits_for_it_and_nothing_else(house: House) -> None:
    agent = house.agent()
    bad = house.order(count=5, checkpoint=BAD)
    good = house.order(count=2, checkpoint=GOOD)
    agent.fail(agent.claim(1)[0], "final", "checkpoint_broken", at_load=True)
    assert states(house, bad.id) == {State.FAILED}
    assert house.job(bad.id).state is State.FAILED
    assert {shot.error and shot.error.code for shot in house.job(bad.id).shots} == {"checkpoint_broken"}
    for lease in agent.claim(8):
        assert lease.job_id == good.id
        agent.draw(lease)
    assert states(house, good.id) == {State.SUCCEEDED}
    # What is ordered while the lane is condemned fails as soon; a changed file is given a chance at once.
    late = house.order(checkpoint=BAD)
    assert agent.claim(8) == []
    judge_lanes(house.services)
    assert states(house, late.id) == {State.FAILED}
    house.services.store.note_scan([found(BAD, stamp="mended"), found(GOOD)])
    mended = house.order(checkpoint=BAD)
    agent.draw(agent.claim_one())
    assert states(house, mended.id) == {State.SUCCEEDED}


def test_a_bad_copy_on_one_agent_leaves_the_work_to_the_other(house: House) -> None:
    bad, good = unloaded(house.agent("bad-copy")), unloaded(house.agent("good-copy"))
    job = house.order(count=3, checkpoint=BAD)
    bad.fail(bad.claim_one(), "final", "checkpoint_broken", at_load=True)
    assert states(house, job.id) == {State.QUEUED}
    assert counters(house, job.id) == [(0, 0)] * 3
    assert bad.claim(8) == []
    [probe] = good.claim(8)
    assert good.claim(8) == [], "one probe until the lane has proved itself"
    good.draw(probe)
    assert len(good.claim(8)) == 2
    assert bad.claim(8) == []
    house.order(checkpoint=BAD)
    assert len(bad.hello("a new process").claim(8)) == 1


def test_what_may_pass_makes_the_lane_wait_with_a_reason(house: House) -> None:
    agent = unloaded(house.agent())
    job = house.order(count=2, checkpoint=BAD)
    for lease in agent.claim(2):
        agent.fail(lease, "retry", "checkpoint_unreadable", at_load=True)
    [lane] = house.services.store.troubled_lanes()
    assert (lane.checkpoint, lane.breaker.state, lane.barred) == (BAD, BreakerState.OPEN, ("one",))
    assert lane.breaker.failures == 1, "two shots of one batch are one failure"
    assert agent.claim(8) == []
    place = house.job(job.id).queue
    assert place is not None
    assert "did not load" in (place.reason or "")
    for _ in range(12):
        house.clock.turn(LAST_BAR_SECONDS)
        agent.renew()
        [probe] = agent.claim(8)
        agent.fail(probe, "retry", "checkpoint_unreadable", at_load=True)
        judge_lanes(house.services)
    assert counters(house, job.id) == [(0, 0)] * 2
    house.clock.turn(LAST_BAR_SECONDS)
    agent.draw(agent.claim_one())
    assert house.services.store.troubled_lanes() == ()
    agent.draw(agent.claim_one())
    assert states(house, job.id) == {State.SUCCEEDED}


def test_dying_while_loading_is_the_lanes_doing(house: House) -> None:
    agent = house.agent()
    bad, good = house.order(checkpoint=BAD), house.order(checkpoint=GOOD)
    for life in range(CRASHES_BEFORE_CONDEMNED):
        leases = agent.claim(8)
        assert {lease.job_id for lease in leases} == {bad.id, good.id}
        agent.renew(*leases, loading=f"id-{BAD}")
        expire_agent(house.services, agent.agent.id)
        assert counters(house, bad.id) == counters(house, good.id) == [(0, 0)]
        agent.hello(f"life {life}")
        house.clock.turn(LAST_BAR_SECONDS)
        agent.renew()
    assert states(house, bad.id) == {State.FAILED}
    assert states(house, good.id) == {State.QUEUED}
    assert house.job(bad.id).shots[0].error.code == "crashed_while_loading"  # type: ignore[union-attr]
    agent.draw(agent.claim_one())
    assert states(house, good.id) == {State.SUCCEEDED}


def test_falling_silent_while_loading_too(house: House) -> None:
    agent = house.agent()
    job = house.order(checkpoint=BAD)
    agent.renew(agent.claim_one(), loading=f"id-{BAD}")
    house.clock.turn(house.services.limits.lease_seconds + 1)
    assert expire(house.services) == 1
    assert counters(house, job.id) == [(0, 0)]
    assert kinds(house) == ["load"]


def test_a_claim_that_waits_does_not_hide_what_is_being_loaded(house: House) -> None:
    agent = house.agent()
    job = house.order(checkpoint=BAD)
    agent.renew(agent.claim_one(), loading=f"id-{BAD}")
    house.clock.turn(house.services.limits.lease_seconds / 2)
    assert agent.claim(1) == [], "it was sent before the loading began"
    expire_agent(house.services, agent.agent.id)
    assert counters(house, job.id) == [(0, 0)]


def test_an_agent_that_fails_everything_is_paused_and_probed(house: House) -> None:
    bad, good = house.agent("bad"), house.agent("good")
    job = house.order(count=TROUBLES_BEFORE_PAUSE + 3)
    for lease in bad.claim(TROUBLES_BEFORE_PAUSE):
        bad.fail(lease)
    assert standing(house, bad) == Standing.PAUSED
    assert bad.claim(8) == []
    assert bad.renew().drain
    assert len(good.claim(8)) == 3
    house.clock.turn(LAST_PAUSE_SECONDS)
    bad.renew()
    [probe] = bad.claim(8)
    bad.fail(probe)
    assert bad.claim(8) == []
    house.clock.turn(LAST_PAUSE_SECONDS)
    bad.renew()
    [probe] = bad.claim(8)
    bad.draw(probe)
    assert standing(house, bad) == Standing.WORKING
    assert len(bad.claim(8)) > 1
    assert job.id


def test_a_bad_checkpoint_is_not_held_against_the_agent(house: House) -> None:
    agent = house.agent()
    house.order(count=8, checkpoint=BAD)
    for lease in agent.claim(8):
        agent.fail(lease, "final", "checkpoint_broken", at_load=True)
    assert standing(house, agent) == Standing.WORKING


def test_a_sick_device_counts_against_no_shot_until_three_agents_fell_to_it(house: House) -> None:
    job = house.order()
    for name in ("one", "two", "three"):
        assert counters(house, job.id) == [(0, 0)]
        agent = house.agent(name)
        agent.fail(agent.claim_one(), "agent_sick", "device_lost")
        house.clock.turn(LAST_RETRY_SECONDS)
    [shot] = house.job(job.id).shots
    assert (shot.state, shot.error and shot.error.code) == (State.FAILED, "quarantined")
    assert kinds(house) == ["sick"] * 3
