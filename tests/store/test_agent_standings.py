"""What an administrator decides about agents, on both stores."""

import pytest

from stablehand.domain.agents import AgentState
from stablehand.domain.errors import LeaseLost, NotFound, Unauthorized
from stablehand.domain.jobs import State
from stablehand.services.agents import (
    drain_agent,
    list_agents,
    pause_agent,
    remove_agent,
    resume_agent,
    running_shots,
)
from tests.store.house import Hand, House


def state(house: House, hand: Hand) -> AgentState:
    return next(agent.state for agent in list_agents(house.services) if agent.name == hand.name)


def test_a_drained_agent_finishes_what_it_holds(house: House) -> None:
    job = house.order(count=2)
    hand = house.agent()
    lease = hand.claim_one()
    drain_agent(house.services, "one", "New cables.")
    assert state(house, hand) is AgentState.DRAINING
    answer = hand.renew(lease)
    assert (answer.drain, answer.lost) == (True, [])
    assert hand.claim(8) == []
    hand.draw(lease)
    assert hand.claim(8) == []
    hand.hello("a new process")
    assert hand.claim(8) == [], "a restart changes nothing"
    place = house.job(job.id).queue
    assert place is not None
    assert "drained" in (place.reason or "")
    resume_agent(house.services, "one")
    hand.draw(hand.claim_one())
    assert house.job(job.id).state is State.SUCCEEDED


def test_a_paused_agents_shots_go_to_others_and_count_nothing(house: House) -> None:
    job = house.order(count=2)
    hand = house.agent()
    leases = hand.claim(2)
    pause_agent(house.services, hand.agent.id, "It smells.")
    assert state(house, hand) is AgentState.PAUSED
    assert sorted(hand.renew(*leases).lost) == sorted(lease.shot_id for lease in leases)
    assert hand.claim(8) == []
    reason = house.job(job.id).queue
    assert reason is not None
    assert "It smells." in (reason.reason or "")
    other = house.agent("two")
    again = other.claim(8)
    assert [lease.attempt for lease in again] == [1, 1]
    with pytest.raises(LeaseLost):
        hand.draw(leases[0])
    assert other.deliver(*[other.upload(lease) for lease in again]).refused == []


def test_a_removed_agent_is_nobody(house: House) -> None:
    job = house.order()
    hand = house.agent()
    hand.claim_one()
    [shots] = running_shots(house.services).values()
    assert [(shot.job_id, shot.checkpoint) for shot in shots] == [(job.id, "alpha")]
    remove_agent(house.services, "one")
    assert list_agents(house.services) == ()
    assert running_shots(house.services) == {}
    with pytest.raises(Unauthorized):
        hand.claim(1)
    with pytest.raises(NotFound):
        remove_agent(house.services, "one")
    [lease] = house.agent("one", incarnation="later").claim(1)
    assert lease.attempt == 1


def test_there_must_be_such_an_agent(house: House) -> None:
    for decide in (drain_agent, pause_agent, resume_agent, remove_agent):
        with pytest.raises(NotFound):
            decide(house.services, "nobody")
