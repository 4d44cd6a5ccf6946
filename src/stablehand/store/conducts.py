"""Conducts as columns of an agent's row: domain.standings decides, this reads and writes."""

from stablehand.domain.standings import Conduct, Standing, after_picture, is_shut
from stablehand.store.models import AgentRow
from stablehand.store.transactions import ONLY_ROW, Transaction


def conduct_of(agent: AgentRow) -> Conduct:
    return Conduct(
        standing=Standing(agent.standing),
        reason=agent.standing_reason,
        since=agent.standing_since,
        probe_at=agent.probe_at,
        pauses=agent.pauses,
        troubles=tuple(agent.troubles),
    )


def set_conduct(agent: AgentRow, conduct: Conduct) -> None:
    if conduct == conduct_of(agent):
        return
    agent.standing = conduct.standing
    agent.standing_reason = conduct.reason
    agent.standing_since = conduct.since
    agent.probe_at = conduct.probe_at
    agent.pauses = conduct.pauses
    agent.troubles = list(conduct.troubles)


def note_picture(tx: Transaction, agent_id: str, conduct: Conduct) -> None:
    """The agent has delivered. Writes only when its record was not clean: this happens with every picture."""
    if after_picture(conduct) != conduct:
        agent = tx.session.get_one(AgentRow, agent_id, with_for_update=ONLY_ROW, populate_existing=True)
        set_conduct(agent, after_picture(conduct_of(agent)))


def drains(tx: Transaction, agent: AgentRow) -> bool:
    """True while the agent should not ask for work."""
    return agent.draining or is_shut(conduct_of(agent), tx.now)
