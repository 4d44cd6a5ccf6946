"""Parked states at the server: whose they are, who is told of them, and when they go."""

from dataclasses import replace

import pytest

from stablehand.domain.agents import Agent
from stablehand.domain.errors import LeaseLost, NotFound, StorageAway
from stablehand.domain.jobs import State
from stablehand.domain.parking import OFFERS_MOST
from stablehand.protocol import Device, Hello, Lease, Park
from stablehand.services import Limits
from stablehand.services.hello import hello
from stablehand.services.park import park, parked
from stablehand.services.purge import purge
from tests.buckets import BucketServer, quick
from tests.store.house import Hand, House


def save(hand: Hand, lease: Lease, data: bytes = b"state", *, step: int = 10, seconds: float = 1.0) -> None:
    message = Park(
        incarnation=hand.incarnation,
        shot_id=lease.shot_id,
        token=lease.token,
        step=step,
        steps=20,
        device_seconds=seconds,
    )
    park(hand.services, hand.agent, message, data)


def fetch(hand: Hand, lease: Lease) -> bytes:
    agent: Agent = hand.agent
    return parked(hand.services, agent, lease.shot_id, lease.token)


def objects(house: House) -> list[str]:
    return list(house.services.objects.list("parked"))


def test_another_agent_is_told_where_to_go_on(house: House) -> None:
    house.order()
    one, two = house.agent("one"), house.agent("two")
    lease = one.claim_one()
    assert lease.resume_from is None
    save(one, lease, b"the state")
    house.clock.turn(100)
    house.services.store.expire(timeout_seconds=600, retry_count=3)
    again = two.claim_one()
    assert again.resume_from == f"/agent/v1/shots/{again.shot_id}/parked?token={again.token}"
    assert again.resumed_progress == 0.5
    assert house.services.feed.progress(again.shot_id) == 0.5, "the board does not fall back"
    assert fetch(two, again) == b"the state"


def test_a_newer_state_replaces_an_older_one(house: House) -> None:
    house.order()
    one = house.agent("one")
    lease = one.claim_one()
    save(one, lease, b"first", step=5)
    save(one, lease, b"second", step=15)
    assert fetch(one, lease) == b"second"
    purge(house.services)
    assert len(objects(house)) == 1


def test_a_zombie_parks_nothing(house: House) -> None:
    house.order()
    one, two = house.agent("one"), house.agent("two")
    stale = one.claim_one()
    save(one, stale, b"mine")
    house.clock.turn(100)
    house.services.store.expire(timeout_seconds=600, retry_count=3)
    with pytest.raises(LeaseLost):
        save(one, stale, b"late")
    lease = two.claim_one()
    with pytest.raises(LeaseLost):
        save(one, stale, b"late")
    with pytest.raises(LeaseLost):
        fetch(one, stale)
    newer = Hand(house.services, "two", 8)
    newer.incarnation = "not this process"
    with pytest.raises(LeaseLost):
        save(newer, lease, b"late")
    assert fetch(two, lease) == b"mine"
    assert len(objects(house)) == 1, "what was refused has left nothing"


def test_only_a_like_bench_is_told(house: House) -> None:
    house.order()
    one = house.agent("one")
    save(one, one.claim_one())
    one.release(leaving=True)
    cuda = house.agent("cuda")
    message = Hello(
        incarnation="gpu", runtime="null", device=Device(kind="cuda", name="GPU"), ready=True, seats=1, version=""
    )
    hello(house.services, cuda.agent, message)
    cuda.incarnation = "gpu"
    lease = cuda.claim_one()
    assert lease.resume_from is None
    assert lease.resumed_progress == 0.0
    cuda.release(lease)
    assert house.agent("like").claim_one().resume_from is not None, "it was kept for who can use it"


def test_the_state_goes_when_its_shot_ends(house: House) -> None:
    kept = house.order(2)
    one = house.agent("one")
    first, second = one.claim(2)
    save(one, first)
    save(one, second)
    one.draw(first)
    purge(house.services)
    assert len(objects(house)) == 1
    with pytest.raises(LeaseLost):
        fetch(one, first)
    one.fail(second, "final")
    purge(house.services)
    assert objects(house) == []
    assert house.job(kept.id).state is State.FAILED


def test_an_error_speaks_against_the_state_and_a_timeout_does_not(house: House) -> None:
    house.order()
    one = house.agent("one")
    lease = one.claim_one()
    save(one, lease)
    one.fail(lease, "retry", code="attempt_timeout")
    house.clock.turn(3600)
    lease = one.hello("second").claim_one()
    assert lease.resume_from is not None
    one.fail(lease, "retry", code="engine_fault")
    house.clock.turn(3600)
    assert one.hello("third").claim_one().resume_from is None


def test_a_state_that_takes_agents_down_is_left_behind(house: House) -> None:
    house.order()
    told = []
    lease = None
    for life in range(4):
        hand = house.agent("one", incarnation=f"life {life}")
        lease = hand.claim_one()
        told.append(lease.resume_from is not None)
        if life == 0:
            save(hand, lease)
        house.services.store.expire_agent(hand.agent.id)
    assert told == [False, True, True, False], "the fourth runs alone and anew"


def test_a_release_keeps_the_state_and_counts_nothing(house: House) -> None:
    house.order()
    one = house.agent("one")
    first = one.claim_one()
    save(one, first, seconds=3.0)
    one.release(first)
    for _ in range(2 * OFFERS_MOST):
        lease = one.claim_one()
        assert lease.resume_from is not None
        assert lease.attempt == first.attempt
        one.release(lease)


def test_damaged_bytes_are_not_handed_out(house: House) -> None:
    house.order()
    one = house.agent("one")
    lease = one.claim_one()
    save(one, lease)
    (key,) = objects(house)
    house.services.objects.put(key, b"something else")
    with pytest.raises(NotFound, match="damaged"):
        fetch(one, lease)
    house.services.objects.delete(key)
    with pytest.raises(NotFound):
        fetch(one, lease)


def test_device_time_counts_all_attempts_that_are_in_the_picture(house: House) -> None:
    house.services = replace(house.services, limits=Limits(timeout_seconds=100.0))
    house.order()
    one = house.agent("one")
    first = one.claim_one()
    one.release(first)
    second = one.claim_one()
    picture = one.upload(second).model_copy(update={"device_seconds": 150.0})
    assert one.deliver(picture).accepted == [second.shot_id]
    assert house.charges() == [150.0], "two attempts may take twice as long as one"
    house.order()
    only = one.claim_one()
    one.deliver(one.upload(only).model_copy(update={"device_seconds": 1e9}))
    assert house.charges()[-1] == 100.0


def test_a_bucket_keeps_states_and_one_that_is_away_costs_no_lease(house: House, bucket_server: BucketServer) -> None:
    address = bucket_server.make()
    house.services = replace(house.services, objects=quick(address))
    house.order()
    one = house.agent("one")
    lease = one.claim_one()
    save(one, lease, b"in the bucket", step=5)
    away = replace(house.services, objects=quick(replace(address, endpoint="http://127.0.0.1:9")))
    gone = Hand(away, "one", 8)
    with pytest.raises(StorageAway):
        save(gone, lease, b"later", step=15)
    with pytest.raises(StorageAway):
        fetch(gone, lease)
    assert one.renew(lease).lost == []
    assert fetch(one, lease) == b"in the bucket"
    one.draw(lease)
    purge(house.services)
    assert objects(house) == []
