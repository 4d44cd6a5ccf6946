"""agents: who may draw for this server."""

from typing import TYPE_CHECKING, Annotated

import typer

from stablehand.cli.opening import opened
from stablehand.cli.options import Config, DataDir

if TYPE_CHECKING:
    from stablehand.domain.agents import Agent
    from stablehand.services import Services

agents = typer.Typer(help="Agents that may draw for this server.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Its name, or id.")]
Reason = Annotated[str, typer.Option(help="Shown to those who wait.")]


@agents.command()
def add(
    name: Annotated[str, typer.Argument(help="What to call it.")],
    pool: Annotated[str, typer.Option(metavar="P", help="Pool it belongs to.")] = "default",
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """Give an agent a token, printed once; an agent of that name gets a new one."""
    import secrets

    from stablehand.services.agents import hash_token, register_agent

    token = secrets.token_urlsafe(32)
    with opened(data_dir, config) as services:
        _note(services, "agent.added", register_agent(services, name, pool, hash_token(token)), pool=pool)
    typer.echo(token)
    typer.echo(
        "Keep it in a file that only the agent can read: stablehand agent --server URL --token-file FILE", err=True
    )


@agents.command("list")
def list_(data_dir: DataDir = None, config: Config = None) -> None:
    """List agents: name, state, pool, device, what they hold, when they were last seen, why they get no work."""
    from stablehand.services.agents import list_agents

    with opened(data_dir, config) as services:
        found = list_agents(services)
    for agent in found:
        device = agent.device.name if agent.device else "-"
        seen = f"{agent.last_seen_at:%Y-%m-%d %H:%M:%S}" if agent.last_seen_at else "never"
        facts = (agent.name, agent.state.value, agent.pool, device, f"{agent.running}/{agent.seats}", seen)
        typer.echo("  ".join((*facts, agent.reason or agent.error)).rstrip())


@agents.command()
def drain(name: Name, reason: Reason = "", data_dir: DataDir = None, config: Config = None) -> None:
    """Let an agent finish what it holds and give it no more, until it is resumed."""
    from stablehand.services.agents import drain_agent

    with opened(data_dir, config) as services:
        agent = drain_agent(services, name, reason)
        _note(services, "agent.draining", agent, reason=reason)
    typer.echo(f"{agent.name} gets no more work; {agent.running} pictures are left to finish.")


@agents.command()
def pause(name: Name, reason: Reason = "", data_dir: DataDir = None, config: Config = None) -> None:
    """Give an agent nothing, and put what it holds back into the queue, until it is resumed."""
    from stablehand.services.agents import pause_agent

    with opened(data_dir, config) as services:
        agent = pause_agent(services, name, reason)
        _note(services, "agent.paused", agent, reason=reason)
    typer.echo(f"{agent.name} is paused.")


@agents.command()
def resume(name: Name, data_dir: DataDir = None, config: Config = None) -> None:
    """Give an agent work again that was drained or paused, by hand or by itself."""
    from stablehand.services.agents import resume_agent

    with opened(data_dir, config) as services:
        agent = resume_agent(services, name)
        _note(services, "agent.working", agent)
    typer.echo(f"{agent.name} gets work again.")


@agents.command()
def remove(name: Name, data_dir: DataDir = None, config: Config = None) -> None:
    """Void an agent's token and put what it holds back into the queue."""
    from stablehand.services.agents import remove_agent

    with opened(data_dir, config) as services:
        agent = remove_agent(services, name)
        _note(services, "agent.removed", agent)
    typer.echo(f"{agent.name} is removed. `stablehand agents add {agent.name}` makes a new token.")


def _note(services: "Services", action: str, agent: "Agent", **details: str) -> None:
    """Write into the audit log what whoever sits at the machine did."""
    from stablehand.domain.audit import Deed
    from stablehand.services.accounts import note_deed

    told = {"agent": agent.name, **{name: words for name, words in details.items() if words}}
    note_deed(services, Deed(action=action, subject=agent.id, details=told))
