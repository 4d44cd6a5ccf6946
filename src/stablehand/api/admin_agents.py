"""The administrator's view of agents: who there is, what they hold, and whether they get work."""

from flask import Response, request
from flask_openapi.blueprint import APIBlueprint

from stablehand.api.admin_schemas import AdminAgentOut, AdminAgentPage, AgentPatch, RunningShotOut
from stablehand.api.door import BODY_ERRORS, Door, blueprint, reply
from stablehand.api.etags import CHANGED, expected_versions, reply_tagged
from stablehand.api.schemas import ById, PageQuery
from stablehand.api.views import agent_out
from stablehand.domain.agents import Agent, RunningShot
from stablehand.domain.audit import Deed
from stablehand.domain.pages import page_of
from stablehand.domain.standings import Standing
from stablehand.domain.versions import agent_version
from stablehand.services.accounts import note_deed
from stablehand.services.agents import decide_agent, get_agent, list_agents, remove_agent, running_shots
from stablehand.services.catalogue import list_checkpoints


def routes(door: Door) -> APIBlueprint:
    api = blueprint("admin-agents", "Agents, for the administrator.")

    def whole(agent: Agent, shots: list[RunningShot]) -> AdminAgentOut:
        names = {checkpoint.id: checkpoint.name for checkpoint in list_checkpoints(door.services)}
        return AdminAgentOut(
            **agent_out(agent, names).model_dump(),
            id=agent.id,
            memory_bytes=agent.device.memory_bytes if agent.device else 0,
            version=agent.version,
            shots=[
                RunningShotOut(
                    job_id=shot.job_id,
                    index=shot.index,
                    checkpoint=shot.checkpoint,
                    progress=shot.progress,
                    since=shot.since,
                )
                for shot in shots
            ],
            since=agent.since,
            last_seen_at=agent.last_seen_at,
            created_at=agent.created_at,
        )

    @api.get("/admin/agents", responses={200: AdminAgentPage})
    def browse_agents(query: PageQuery) -> Response:
        """List agents with what they hold."""
        door.check_admin()
        page = page_of("agents", list_agents(door.services), limit=query.limit, cursor=query.cursor)
        shots = running_shots(door.services)
        items = [whole(agent, shots.get(agent.id, [])) for agent in page.items]
        return reply(AdminAgentPage(items=items, next_cursor=page.next_cursor))

    def tagged(agent: Agent) -> Response:
        return reply_tagged(whole(agent, running_shots(door.services).get(agent.id, [])), agent_version(agent))

    @api.get("/admin/agents/<id>", responses={200: AdminAgentOut})
    def read_agent(path: ById) -> Response:
        """Look at an agent, by name or id."""
        door.check_admin()
        return tagged(get_agent(door.services, path.id))

    @api.patch("/admin/agents/<id>", responses={200: AdminAgentOut, **BODY_ERRORS, **CHANGED})
    def patch_agent(path: ById, body: AgentPatch) -> Response:
        """Drain, pause or resume an agent, by name or id."""
        door.check_admin()
        standing, expected = Standing(body.standing), expected_versions()
        agent = decide_agent(door.services, path.id, standing, body.reason, expected=expected)
        _note(door, f"agent.{body.standing}", agent, {"reason": body.reason} if body.reason else {})
        return tagged(agent)

    @api.delete("/admin/agents/<id>", responses={200: AdminAgentOut, **CHANGED})
    def forget_agent(path: ById) -> Response:
        """Remove an agent: its token is void, what it holds goes back to the queue."""
        door.check_admin()
        agent = remove_agent(door.services, path.id, expected=expected_versions())
        _note(door, "agent.removed", agent, {})
        return reply(whole(agent, []))

    return api


def _note(door: Door, action: str, agent: Agent, details: dict[str, str]) -> None:
    deed = Deed(
        action=action,
        account_id=door.account.id,
        subject=agent.id,
        address=request.remote_addr or "",
        details={"agent": agent.name, **details},
    )
    note_deed(door.services, deed)
