"""hello: an agent process introduces itself."""

from stablehand.domain.agents import Agent, AgentDevice
from stablehand.domain.errors import InvalidFields
from stablehand.protocol import Hello, Welcome
from stablehand.services import Services
from stablehand.services.announce import announce
from stablehand.store.agents import Introduction


def hello(services: Services, agent: Agent, message: Hello) -> Welcome:
    """Remember what the agent is; leases of an older incarnation of it are lost at once.

    Raises:
        InvalidFields: its pool is not the token's. Superseded: a newer process of this agent runs; it must end.
    """
    if message.pool is not None and message.pool != agent.pool:
        raise InvalidFields({"pool": f"{agent.pool}, the pool that this token is for"})
    changes = services.store.hello(
        agent.id,
        Introduction(
            incarnation=message.incarnation,
            runtime=message.runtime,
            kinds=message.kinds,
            device=AgentDevice(
                kind=message.device.kind,
                name=message.device.name,
                precision=message.device.precision,
                memory_bytes=message.device.memory_bytes,
            ),
            ready=message.ready,
            seats=message.seats,
            present=message.present,
            resident=message.resident,
            version=message.version,
            error=message.error,
        ),
    )
    announce(services, changes)
    return Welcome(
        agent_id=agent.id,
        lease_seconds=services.limits.lease_seconds,
        renew_seconds=services.limits.renew_seconds,
        park_seconds=services.limits.park_seconds,
        stages=services.stages,
    )
