"""The state of the whole service, for people."""

from flask import Response
from flask_openapi.blueprint import APIBlueprint

from stablehand import __version__
from stablehand.api.door import Door, blueprint, reply
from stablehand.api.schemas import CalibrationOut, PoolOut, QueueCount, StatusOut
from stablehand.api.views import agent_out, lane_out
from stablehand.domain.agents import AgentState
from stablehand.services.agents import list_agents
from stablehand.services.catalogue import list_checkpoints
from stablehand.services.status import pool_statuses, queue_status, troubled_lanes


def routes(door: Door) -> APIBlueprint:
    api = blueprint("status", "The service as a whole.")

    @api.get("/status", responses={200: StatusOut})
    def read_status() -> Response:
        """Look at the queue and the agents."""
        names = {checkpoint.id: checkpoint.name for checkpoint in list_checkpoints(door.services)}
        agents = [agent for agent in list_agents(door.services) if agent.last_seen_at is not None]
        count = queue_status(door.services)
        calibration = count.calibration
        status = StatusOut(
            version=__version__,
            ready=any(agent.state is AgentState.READY for agent in agents),
            queue=QueueCount(queued=count.queued, running=count.running),
            estimates=calibration
            and CalibrationOut(
                count=calibration.count,
                inside_share=calibration.inside_share,
                median_ratio=calibration.median_ratio,
            ),
            agents=[agent_out(agent, names) for agent in agents],
            pools=[
                PoolOut(name=pool.name, ready=pool.ready, wanted=pool.wanted) for pool in pool_statuses(door.services)
            ],
            lanes=[lane_out(lane) for lane in troubled_lanes(door.services)],
            authentication=door.options.accounts is not None,
        )
        return reply(status)

    return api
