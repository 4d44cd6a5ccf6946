"""What machines ask: is it alive, may the door be opened."""

from flask import Response
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.tag import Tag

from stablehand.api.door import Door, reply
from stablehand.api.schemas import HealthOut, ReadyOut
from stablehand.services.agents import list_agents


def routes(door: Door) -> APIBlueprint:
    api = APIBlueprint("health", __name__, abp_tags=[Tag(name="health", description="For probes and supervisors.")])

    @api.get("/healthz", responses={200: HealthOut})
    def healthz() -> Response:
        """Say that the process is alive."""
        return reply(HealthOut(status="ok"))

    @api.get("/readyz", responses={200: ReadyOut, 503: ReadyOut})
    def readyz() -> Response:
        """Say whether the door may be opened."""
        readiness = door.options.readiness()
        # The agents' table cannot be read while the store is out of reach.
        agents = {agent.name: agent.state.value for agent in list_agents(door.services)} if readiness.stored else {}
        answer = ReadyOut(ready=readiness.ready, checks=readiness.checks, agents=agents)
        return reply(answer, 200 if readiness.ready else 503)

    return api
