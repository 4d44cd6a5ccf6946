"""Agents at the door: tokens, pools, and what is known of them."""

from datetime import datetime

import pytest

from stablehand.domain.errors import InvalidFields, Unauthorized
from stablehand.protocol import Claim, Device, Hello
from stablehand.services.agents import agent_by_token, drain_agent, hash_token, list_agents, register_agent
from stablehand.services.cancel import cancel
from stablehand.services.catalogue import resident_checkpoints
from stablehand.services.claim import claim
from stablehand.services.expire import expire
from stablehand.services.hello import hello
from stablehand.services.watch import watch
from stablehand.store.models import AgentRow
from tests.store.house import House


def introduction(**fields: object) -> Hello:
    said = {"incarnation": "i", "runtime": "native", "device": Device(kind="cuda", name="H", memory_bytes=5), **fields}
    return Hello(**said)


def test_a_token_opens_and_a_new_one_closes_the_old(house: House) -> None:
    first = register_agent(house.services, "gpu-1", "default", hash_token("old"))
    assert agent_by_token(house.services, "old") == first
    assert first.state == "gone"
    again = register_agent(house.services, "gpu-1", "default", hash_token("new"))
    assert again.id == first.id
    assert agent_by_token(house.services, "new") == first
    for token in ("old", "", hash_token("new")):
        with pytest.raises(Unauthorized):
            agent_by_token(house.services, token)
    assert [agent.name for agent in list_agents(house.services)] == ["gpu-1"]


@pytest.mark.parametrize("name", ["", " ", "a b", "-a", "a/b", "ä", "x" * 64, "a\n"])
def test_bad_names_and_unknown_pools_are_refused(house: House, name: str) -> None:
    with pytest.raises(InvalidFields) as refused:
        register_agent(house.services, name, "no-such-pool", "x")
    assert set(refused.value.fields) == {"name", "pool"}


def test_hello_says_what_the_agent_is(house: House) -> None:
    agent = register_agent(house.services, "one", "default", hash_token("t"))
    welcome = hello(house.services, agent, introduction())
    assert (welcome.agent_id, welcome.lease_seconds) == (agent.id, house.services.limits.lease_seconds)
    assert agent_by_token(house.services, "t").state == "starting"
    hello(house.services, agent, introduction(ready=True, seats=4, resident=["id-alpha"], present=["ff"]))
    known = agent_by_token(house.services, "t")
    assert (known.state, known.seats, known.resident, known.running) == ("ready", 4, ("id-alpha",), 0)
    assert known.device is not None
    assert (known.device.kind, known.device.memory_bytes) == ("cuda", 5)
    assert resident_checkpoints(house.services) == {"id-alpha"}
    house.clock.turn(61)
    assert agent_by_token(house.services, "t").state == "gone"
    assert resident_checkpoints(house.services) == frozenset()


def test_an_agent_of_another_pool_is_refused(house: House) -> None:
    agent = register_agent(house.services, "one", "default", hash_token("t"))
    hello(house.services, agent, introduction(pool="default"))
    with pytest.raises(InvalidFields):
        hello(house.services, agent, introduction(pool="other"))


def test_what_is_in_memory_is_learned_from_every_word(house: House) -> None:
    from stablehand.protocol import Renew
    from stablehand.services.renew import renew

    hand = house.agent()
    renew(house.services, hand.agent, Renew(incarnation=hand.incarnation, shots=[], resident=["id-beta"]))
    assert resident_checkpoints(house.services) == {"id-beta"}


def test_why_a_device_does_not_start_stands_until_it_does(house: House) -> None:
    agent = register_agent(house.services, "one", "default", hash_token("t"))
    hello(house.services, agent, introduction(error="CUDA is not available."))
    assert agent_by_token(house.services, "t").error == "CUDA is not available."
    hello(house.services, agent, introduction(incarnation="next"))
    assert agent_by_token(house.services, "t").error == "CUDA is not available."
    hello(house.services, agent, introduction(incarnation="next", ready=True, seats=1))
    assert agent_by_token(house.services, "t").error == ""


def test_one_heartbeat_renews_every_lease_and_brings_back_all_there_is_to_know(house: House) -> None:
    hand = house.agent()
    jobs = [house.order() for _ in range(4)]
    leases = hand.claim(4)
    cancelled, lost, watched, plain = (next(lease for lease in leases if lease.job_id == job.id) for job in jobs)
    house.clock.turn(house.services.limits.lease_seconds - 1)
    cancel(house.services, house.account, cancelled.job_id)
    hand.release(lost)
    watch(house.services, house.account, watched.job_id)
    drain_agent(house.services, hand.name, "For a test.")
    beat = hand.renew(*leases)
    assert (beat.cancelled, beat.lost, beat.watched, beat.drain) == (
        [cancelled.shot_id],
        [lost.shot_id],
        [watched.shot_id],
        True,
    )
    house.clock.turn(house.services.limits.lease_seconds - 1)
    assert expire(house.services) == 0, "all that it holds were renewed"
    for lease in (watched, plain):
        assert hand.draw(lease).accepted == [lease.shot_id]


def test_an_agents_row_is_written_only_when_it_has_something_new_to_say(house: House) -> None:
    hand = house.agent(seats=4)

    def said(*resident: str) -> Claim:
        return Claim(incarnation=hand.incarnation, seats=4, resident=list(resident), wait_seconds=0)

    def seen_at() -> datetime | None:
        with house.services.store.reading() as tx:
            return tx.session.get_one(AgentRow, hand.agent.id).last_seen_at

    house.order(12)
    claim(house.services, hand.agent, said("id-alpha", "id-beta"))
    began = seen_at()
    house.clock.turn(1)
    claim(house.services, hand.agent, said("id-beta", "id-alpha"))
    assert seen_at() == began, "which checkpoint was used last is nothing to write down"
    claim(house.services, hand.agent, said("id-beta"))
    assert seen_at() == house.clock.now
