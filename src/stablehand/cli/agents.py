"""agents: who may draw for this server."""

from typing import Annotated

import typer

from stablehand.cli.options import Config, DataDir

agents = typer.Typer(help="Agents that may draw for this server.", no_args_is_help=True)


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
    from stablehand.settings import load
    from stablehand.wiring import folders, serving

    settings = load(data_dir=data_dir, config=config)
    folders.prepare_data_dir(settings)
    serving.migrate(settings)
    services = serving.open_services(settings)
    token = secrets.token_urlsafe(32)
    register_agent(services, name, pool, hash_token(token))
    typer.echo(token)
    typer.echo(
        "Keep it in a file that only the agent can read: stablehand agent --server URL --token-file FILE", err=True
    )
    services.store.close()
