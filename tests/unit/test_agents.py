from datetime import UTC, datetime, timedelta

import pytest

from stablehand.domain.agents import GONE_AFTER, AgentState, state_of, waiting_reason

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def state(**said: object) -> AgentState:
    known = {"incarnation": "i", "ready": True, "draining": False, "last_seen_at": NOW, **said}
    return state_of(**known, now=NOW + timedelta(seconds=1))  # type: ignore[arg-type]


def test_states() -> None:
    assert state() is AgentState.READY
    assert state(ready=False) is AgentState.STARTING
    assert state(draining=True) is AgentState.DRAINING
    assert state(incarnation=None) is AgentState.GONE
    assert state(last_seen_at=None) is AgentState.GONE
    assert state(last_seen_at=NOW - GONE_AFTER) is AgentState.GONE


def test_the_reason_names_what_is_nearest_to_working() -> None:
    assert waiting_reason([AgentState.GONE, AgentState.READY]) is None
    sentences = [
        waiting_reason(states)
        for states in (
            [],
            [AgentState.GONE],
            [AgentState.DRAINING, AgentState.GONE],
            [AgentState.STARTING, AgentState.DRAINING],
        )
    ]
    assert sentences[0] == sentences[1]
    assert len(set(sentences)) == 3
    assert all(sentence and sentence.endswith(".") for sentence in sentences)
    assert "stablehand agent" in str(sentences[0])


def test_a_device_that_does_not_start_is_named_until_another_is_ready() -> None:
    assert waiting_reason([AgentState.GONE], errors=["", "no driver."]) == "The agent cannot start: no driver."
    assert waiting_reason([AgentState.STARTING], errors=["no driver."]) == "The agent cannot start: no driver."
    assert waiting_reason([AgentState.READY], errors=["no driver."]) is None


@pytest.mark.parametrize("state", [AgentState.PAUSED, AgentState.DRAINING])
def test_who_waits_is_told_why_the_agents_rest(state: AgentState) -> None:
    assert str(waiting_reason([state], reasons=["", "New cables."])).endswith(" New cables.")
    assert str(waiting_reason([state])).endswith(".")
