"""hello: an agent process introduces itself."""

from stablehand.domain.agents import Agent
from stablehand.protocol import Hello, Welcome
from stablehand.services import Services


def hello(services: Services, agent: Agent, message: Hello) -> Welcome:
    """Remember what the agent is; leases of an older incarnation of it are lost at once.

    Raises:
        InvalidFields: its pool is not the token's. Superseded: a newer process of this agent runs; it must end.
    """
    raise NotImplementedError
