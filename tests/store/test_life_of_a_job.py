"""The ways of a shot through its life, each against the real database."""

from dataclasses import replace

import pytest

from stablehand.domain.attempts import LAST_RETRY_SECONDS
from stablehand.domain.errors import Conflict, LeaseLost, NotFound, Superseded
from stablehand.domain.jobs import State
from stablehand.services import Limits
from stablehand.services.cancel import cancel
from stablehand.services.expire import expire, expire_agent
from stablehand.services.retry import retry
from tests.store.house import House, found


def states(house: House, job_id: str) -> list[State]:
    return [shot.state for shot in house.job(job_id).shots]


def test_an_order_becomes_pictures(house: House) -> None:
    job = house.order(count=2, seed=7)
    assert job.state is State.QUEUED
    assert [shot.seed for shot in job.shots] == [7, 8]
    agent = house.agent()
    first, second = agent.claim(8)
    assert (first.recipe["seed"], second.recipe["seed"]) == (7, 8)
    assert house.job(job.id).state is State.RUNNING
    agent.renew(first, second, progress=0.25)
    assert house.job(job.id).shots[0].progress == 0.25
    assert agent.draw(first).accepted == [first.shot_id]
    assert house.job(job.id).state is State.RUNNING
    agent.draw(second)
    done = house.job(job.id)
    assert done.state is State.SUCCEEDED
    assert done.finished_at is not None
    assert done.queue is None
    assert [image.seed for image in done.images] == [7, 8]
    assert [shot.image_id for shot in done.shots] == [image.id for image in done.images]
    assert house.services.objects.get(done.images[0].object_key)[:4] == b"RIFF"
    assert done.images[0].infotext == "text"


def test_first_come_first_served_and_premium_before_normal(house: House) -> None:
    normal = house.order(count=2, tier="normal")
    later = house.order(tier="normal")
    premium = house.order(tier="premium")
    agent = house.agent()
    assert [lease.job_id for lease in agent.claim(8)] == [premium.id, normal.id, normal.id, later.id]


def test_an_agent_gets_work_for_its_seats_while_as_many_pictures_are_on_their_way(house: House) -> None:
    house.order(count=10)
    agent = house.agent(seats=3)
    assert len(agent.claim(3)) == 3
    assert len(agent.claim(2)) == 2, "it says that two are drawn; their delivery is still to come"
    assert len(agent.claim(8)) == 1
    assert agent.claim(8) == []


def test_a_double_delivery_is_accepted_and_recorded_once(house: House) -> None:
    job = house.order()
    agent = house.agent()
    lease = agent.claim_one()
    picture, again = agent.upload(lease), agent.upload(lease)
    assert agent.deliver(picture).accepted == [lease.shot_id]
    assert agent.deliver(picture).accepted == [lease.shot_id]
    assert agent.deliver(again).accepted == [lease.shot_id]
    assert len(house.job(job.id).images) == 1
    assert house.charges() == [2.0]


def test_a_zombie_is_refused_and_its_successor_is_not_disturbed(house: House) -> None:
    job = house.order()
    zombie, healthy = house.agent("zombie"), house.agent("healthy")
    old = zombie.claim_one()
    late = zombie.upload(old)
    house.clock.turn(31)
    assert expire(house.services) == 1
    new = healthy.claim_one()
    assert new.token > old.token
    assert zombie.deliver(late).refused == [old.shot_id]
    assert zombie.fail(old).accepted == []
    assert zombie.release(old).accepted == []
    assert zombie.renew(old).lost == [old.shot_id]
    with pytest.raises(LeaseLost):
        zombie.upload(old)
    assert healthy.draw(new).accepted == [new.shot_id]
    assert zombie.deliver(late).refused == [old.shot_id]
    assert house.job(job.id).state is State.SUCCEEDED
    assert house.charges() == [2.0]


def test_late_words_are_refused_also_when_the_same_process_runs_the_shot_again(house: House) -> None:
    house.order()
    agent = house.agent()
    old = agent.claim_one()
    late = agent.upload(old)
    house.clock.turn(6)
    new = agent.claim_one()
    assert (new.shot_id, new.token > old.token) == (old.shot_id, True)
    assert agent.fail(old).accepted == []
    assert agent.release(old).accepted == []
    assert agent.deliver(late).refused == [old.shot_id]
    assert agent.deliver(late.model_copy(update={"token": new.token})).refused == [old.shot_id], (
        "bytes of another token"
    )
    assert agent.renew(old).lost == [old.shot_id]
    assert agent.draw(new).accepted == [new.shot_id]


def test_renewing_keeps_a_lease_for_ever(house: House) -> None:
    house.order()
    agent = house.agent()
    lease = agent.claim_one()
    for _ in range(20):
        house.clock.turn(25)
        assert agent.renew(lease).lost == []
        assert expire(house.services) == 0


def test_an_attempt_that_takes_too_long_is_an_error(house: House) -> None:
    house.services = replace(house.services, limits=Limits(timeout_seconds=40, retry_count=1))
    job = house.order()
    agent = house.agent()
    for _ in range(2):
        lease = agent.claim_one()
        for _ in range(2):
            house.clock.turn(20)
            agent.renew(lease)
        assert expire(house.services) == 1
        assert agent.renew(lease).lost == [lease.shot_id]
        house.clock.turn(LAST_RETRY_SECONDS)
    shot = house.job(job.id).shots[0]
    assert shot.state is State.FAILED
    assert shot.error is not None
    assert shot.error.code == "timeout"


def test_three_losses_then_alone_then_quarantine(house: House) -> None:
    job = house.order()
    agent = house.agent()
    for life in range(3):
        agent.claim_one()
        agent.hello(f"life {life}")
        assert states(house, job.id) == [State.QUEUED]
    others = house.order(count=3)
    alone = agent.claim(8)
    assert [lease.job_id for lease in alone] == [job.id]
    assert agent.claim(8) == [], "nothing joins a shot that runs alone"
    agent.hello("life 4")
    assert states(house, job.id) == [State.QUEUED]
    agent.claim(8)
    agent.hello("life 5")
    shot = house.job(job.id).shots[0]
    assert shot.state is State.FAILED
    assert shot.error is not None
    assert shot.error.code == "quarantined"
    assert house.job(job.id).state is State.FAILED
    assert {lease.job_id for lease in agent.claim(8)} == {others.id}


def test_a_shot_that_must_run_alone_waits_for_an_empty_agent_and_is_not_overtaken(house: House) -> None:
    suspect = house.order()
    agent, other = house.agent("agent"), house.agent("other")
    for life in range(3):
        agent.claim_one()
        agent.hello(f"life {life}")
    premium = house.order(tier="premium")
    assert premium.tier == "premium"
    cancel(house.services, house.account, premium.id)
    busy = house.order(count=2)
    [lease] = other.claim(1)
    assert lease.job_id == suspect.id
    other.release(lease)
    assert busy.id not in {lease.job_id for lease in other.claim(1)}


def test_errors_are_retried_and_then_final(house: House) -> None:
    job = house.order()
    agent = house.agent()
    for attempt in range(1, 5):
        lease = agent.claim_one()
        assert lease.attempt == attempt
        agent.fail(lease)
        assert agent.claim(1) == [], "it waits before it is tried again"
        house.clock.turn(LAST_RETRY_SECONDS)
    shot = house.job(job.id).shots[0]
    assert (shot.state, shot.error and shot.error.code) == (State.FAILED, "oops")
    assert agent.claim(1) == []


def test_a_final_error_is_final_at_once(house: House) -> None:
    job = house.order(count=2)
    agent = house.agent()
    first, second = agent.claim(2)
    agent.fail(first, "final", "checkpoint_broken")
    agent.draw(second)
    done = house.job(job.id)
    assert done.state is State.FAILED
    assert [shot.state for shot in done.shots] == [State.FAILED, State.SUCCEEDED]
    assert len(done.images) == 1


def test_a_sick_agent_gets_no_more_work_until_it_is_reborn(house: House) -> None:
    job = house.order()
    agent = house.agent()
    agent.fail(agent.claim_one(), "agent_sick")
    assert states(house, job.id) == [State.QUEUED]
    assert agent.claim(1) == []
    assert agent.renew().drain
    house.clock.turn(LAST_RETRY_SECONDS)
    [lease] = agent.hello("second").claim(1)
    agent.draw(lease)
    assert states(house, job.id) == [State.SUCCEEDED]


def test_release_counts_nothing(house: House) -> None:
    house.order()
    agent = house.agent()
    for _ in range(6):
        lease = agent.claim_one()
        assert lease.attempt == 1
        assert agent.release(lease).accepted == [lease.shot_id]


def test_an_agent_that_leaves_gets_nothing_more(house: House) -> None:
    job = house.order(count=3)
    agent = house.agent(seats=3)
    known, _unheard = agent.claim(2)
    agent.release(known, leaving=True)
    assert {shot.state for shot in house.job(job.id).shots} == {State.QUEUED}
    with pytest.raises(Superseded):
        agent.claim(3)
    assert len(agent.hello("its next process").claim(3)) == 3


def test_cancel_in_every_state(house: House) -> None:
    job = house.order(count=4)
    agent = house.agent()
    drawn, running, lost = agent.claim(3)
    agent.draw(drawn)
    after = cancel(house.services, house.account, job.id)
    assert after.cancel_requested
    assert [shot.state for shot in after.shots] == [State.SUCCEEDED, State.RUNNING, State.RUNNING, State.CANCELLED]
    assert after.state is State.RUNNING
    assert agent.renew(running).cancelled == [running.shot_id]
    assert agent.renew(running).lost == [running.shot_id]
    house.clock.turn(60)
    assert expire(house.services) == 1
    done = house.job(job.id)
    assert done.state is State.CANCELLED
    assert [shot.state for shot in done.shots] == [State.SUCCEEDED] + [State.CANCELLED] * 3
    assert lost.shot_id == done.shots[2].id
    assert cancel(house.services, house.account, job.id) == done
    assert len(done.images) == 1


def test_a_picture_that_arrives_before_the_cancel_reached_its_agent_is_kept(house: House) -> None:
    job = house.order()
    agent = house.agent()
    lease = agent.claim_one()
    cancel(house.services, house.account, job.id)
    assert agent.draw(lease).accepted == [lease.shot_id]
    assert house.job(job.id).state is State.SUCCEEDED


def test_a_failed_or_released_shot_of_a_cancelled_job_is_cancelled(house: House) -> None:
    for end in ("fail", "release"):
        job = house.order()
        agent = house.agent()
        lease = agent.claim_one()
        cancel(house.services, house.account, job.id)
        getattr(agent, end)(lease)
        assert house.job(job.id).state is State.CANCELLED


def test_a_lost_answer_strands_nothing_when_the_agent_claims_again(house: House) -> None:
    house.order(count=3)
    agent = house.agent(seats=3)
    lost = agent.claim(3)
    assert agent.claim(3) == [], "the answer may still be on its way"
    house.clock.turn(6)
    again = agent.claim(3)
    assert [lease.shot_id for lease in again] == [lease.shot_id for lease in lost]
    assert [lease.attempt for lease in again] == [1, 1, 1]
    assert all(new.token > old.token for new, old in zip(again, lost, strict=True))


def test_a_lost_answer_strands_nothing_when_the_agent_renews_others(house: House) -> None:
    job = house.order(count=2)
    agent = house.agent(seats=2)
    known = agent.claim_one()
    agent.renew(known)
    agent.claim_one()
    agent.renew(known)
    assert states(house, job.id) == [State.RUNNING, State.RUNNING]
    house.clock.turn(6)
    agent.renew(known)
    assert states(house, job.id) == [State.RUNNING, State.QUEUED]


def test_a_lease_that_was_named_once_is_not_taken_by_a_claim(house: House) -> None:
    house.order(count=2)
    agent = house.agent()
    known = agent.claim_one()
    agent.renew(known)
    house.clock.turn(6)
    agent.claim(1)
    assert agent.renew(known).lost == []


def test_a_new_incarnation_takes_over_at_once_and_the_old_one_must_end(house: House) -> None:
    job = house.order()
    old = house.agent()
    lease = old.claim_one()
    old.hello("second")
    assert states(house, job.id) == [State.QUEUED]
    old.incarnation = "first"
    with pytest.raises(Conflict) as refused:
        old.claim(1)
    assert refused.value.code == "superseded"
    with pytest.raises(Conflict):
        old.hello("first")
    old.incarnation = "second"
    assert old.claim_one().token > lease.token


def test_an_unknown_incarnation_is_told_to_say_hello(house: House) -> None:
    agent = house.agent()
    agent.incarnation = "never introduced"
    with pytest.raises(Conflict) as refused:
        agent.claim(1)
    assert refused.value.code == "unknown_incarnation"


def test_a_child_that_was_seen_to_die_loses_its_leases_at_once(house: House) -> None:
    job = house.order(count=2)
    agent = house.agent()
    agent.claim(2)
    assert expire_agent(house.services, agent.agent.id) == 2
    assert states(house, job.id) == [State.QUEUED] * 2
    assert agent.agent.state == "gone"
    assert len(agent.hello("second").claim(2)) == 2


def test_retry_orders_what_is_missing_with_the_same_seeds(house: House) -> None:
    job = house.order(count=5, seed=100)
    agent = house.agent()
    leases = agent.claim(5)
    for index in (0, 3):
        agent.draw(leases[index])
    agent.fail(leases[1], "final")
    with pytest.raises(Conflict):
        retry(house.services, house.account, job.id)
    cancel(house.services, house.account, job.id)
    agent.renew(leases[2], leases[4])
    again = retry(house.services, house.account, job.id)
    assert again.retry_of == job.id
    assert [shot.seed for shot in again.shots] == [101, 102, 104]
    drawn = agent.claim(8)
    assert [lease.recipe["seed"] for lease in drawn] == [101, 102, 104]
    for lease in drawn:
        agent.draw(lease)
    assert [image.recipe.seed for image in house.job(again.id).images] == [101, 102, 104]
    with pytest.raises(Conflict):
        retry(house.services, house.account, again.id)


def test_a_job_whose_checkpoint_is_gone_is_not_retried(house: House) -> None:
    job = house.order(checkpoint="beta")
    cancel(house.services, house.account, job.id)
    house.services.store.note_scan([found("alpha")])
    with pytest.raises(Conflict, match="beta is gone"):
        retry(house.services, house.account, job.id)


def test_other_peoples_jobs_do_not_exist(house: House) -> None:
    job = house.order()
    stranger = type(house.account)(
        id="x", name="x", role="user", tier="normal", tiers=("normal",), created_at=house.clock.now
    )
    for verb in (cancel, retry):
        with pytest.raises(NotFound):
            verb(house.services, stranger, job.id)
