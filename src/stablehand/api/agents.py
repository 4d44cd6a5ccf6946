"""The agents' doors under ``/agent/v1``: each message of the protocol is one route and one use case.

Agents bring a bearer token and nothing else: no cookie counts here, and Host and Origin are not looked at.
"""

from collections.abc import Callable
from typing import TypeVar

from flask import Blueprint, Response, request
from pydantic import BaseModel, ValidationError

from stablehand import protocol
from stablehand.api import weights
from stablehand.api.door import Door, reply
from stablehand.api.errors import fields_of
from stablehand.api.metrics import Metrics
from stablehand.api.reading import read_bytes, read_object
from stablehand.domain.agents import Agent
from stablehand.domain.errors import InvalidFields, Unauthorized
from stablehand.services import Services
from stablehand.services.agents import agent_by_token
from stablehand.services.claim import claim
from stablehand.services.deliver import deliver, stage, upload
from stablehand.services.fail import fail
from stablehand.services.hello import hello
from stablehand.services.inputs import leased_input
from stablehand.services.park import MAX_PARKED_BYTES, park, parked
from stablehand.services.preview import preview
from stablehand.services.release import release
from stablehand.services.renew import renew

Asked = TypeVar("Asked", bound=BaseModel)
Answered = TypeVar("Answered", bound=BaseModel)


def routes(door: Door, metrics: Metrics) -> Blueprint:
    api = Blueprint("agents", __name__, url_prefix="/agent/v1")

    def route(
        name: str, message: type[Asked], verb: Callable[[Services, Agent, Asked], Answered], **options: object
    ) -> None:
        def view() -> Response:
            agent = _agent(door)
            request.max_content_length = MESSAGE_LIMIT_BYTES
            try:
                asked = message.model_validate(read_object(request))
            except ValidationError as error:
                raise InvalidFields(fields_of(error)) from error
            return reply(verb(door.services, agent, asked))

        api.add_url_rule(f"/{name}", name, view, methods=["POST"], **options)  # type: ignore[arg-type]

    def claim_within_budget(services: Services, agent: Agent, message: protocol.Claim) -> protocol.Leases:
        if not message.wait_seconds:
            return claim(services, agent, message)
        with door.claims.hold(agent.id):
            return claim(services, agent, message)

    def hello_and_tell(services: Services, agent: Agent, message: protocol.Hello) -> protocol.Welcome:
        welcome = hello(services, agent, message)
        door.options.on_hello(agent.id)
        return welcome

    def deliver_and_count(services: Services, agent: Agent, message: protocol.Deliver) -> protocol.Delivered:
        answer = deliver(services, agent, message)
        metrics.count_deliveries(message, answer)
        return answer

    def fail_and_count(services: Services, agent: Agent, message: protocol.Fail) -> protocol.Done:
        metrics.count_failures(message)
        return fail(services, agent, message)

    route("hello", protocol.Hello, hello_and_tell)
    route("claim", protocol.Claim, claim_within_budget)
    route("renew", protocol.Renew, renew)
    route("stage", protocol.Stage, stage)
    route("deliver", protocol.Deliver, deliver_and_count)
    route("fail", protocol.Fail, fail_and_count)
    route("release", protocol.Release, release)
    route("preview", protocol.Preview, preview)

    weights.add_routes(api, door, lambda: _agent(door))

    @api.put("/shots/<shot_id>/picture")
    def picture(shot_id: str) -> Response:
        agent = _agent(door)
        request.max_content_length = door.options.max_picture_bytes
        return reply(upload(door.services, agent, shot_id, _token(), read_bytes(request)))

    @api.post("/park")
    def park_state() -> Response:
        agent = _agent(door)
        try:
            message = protocol.Park.model_validate(request.args.to_dict())
        except ValidationError as error:
            raise InvalidFields(fields_of(error)) from error
        request.max_content_length = MAX_PARKED_BYTES
        return reply(park(door.services, agent, message, read_bytes(request)))

    @api.get("/shots/<shot_id>/parked")
    def parked_state(shot_id: str) -> Response:
        agent = _agent(door)
        data = parked(door.services, agent, shot_id, _token())
        return Response(data, mimetype="application/octet-stream")

    @api.get("/inputs/<input_id>")
    def input_file(input_id: str) -> Response:
        agent = _agent(door)
        shot_id = request.args.get("shot_id", "")
        return Response(leased_input(door.services, agent, shot_id, _token(), input_id), mimetype="image/png")

    return api


def _token() -> int:
    """The fencing token in the query. Raises InvalidFields."""
    token = request.args.get("token", type=int)
    if token is None:
        raise InvalidFields({"token": "the fencing token of the shot's lease"})
    return token


#: a delivery of a full house of pictures, or a preview, stays far below
MESSAGE_LIMIT_BYTES = 4 * 1_048_576

#: route -> query parameters it knows
QUERY_NAMES = {
    "agents.picture": frozenset({"token"}),
    "agents.input_file": frozenset({"shot_id", "token"}),
    "agents.parked_state": frozenset({"token"}),
    "agents.park_state": frozenset(protocol.Park.model_fields),
}


def _agent(door: Door) -> Agent:
    """Who the bearer token belongs to. Raises Unauthorized."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthorized(
            "An agent must send its token.",
            hint="Send the header `Authorization: Bearer TOKEN`; see `stablehand agents`.",
        )
    return agent_by_token(door.services, token.strip())
