"""outbox: notices that could not be delivered."""

from typing import Annotated

import typer

from stablehand.cli.options import Config, DataDir

outbox = typer.Typer(help="Notices that could not be delivered.", no_args_is_help=True)


@outbox.command(name="list")
def show(
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many at most.")] = 50,
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """List notices that were given up, the newest first, one JSON object a line."""
    import json
    from dataclasses import asdict

    from stablehand.services.courier import list_dead_notices, outbox_state
    from stablehand.services.webhooks import dispatch_counts
    from stablehand.settings import load
    from stablehand.wiring import serving

    services = serving.open_services(load(data_dir=data_dir, config=config))
    try:
        for notice in list_dead_notices(services, limit=limit).items:
            typer.echo(json.dumps(asdict(notice), default=str))
        state = outbox_state(services)
        counts = dispatch_counts(services)
    finally:
        services.store.close()
    typer.echo(f"{state.dead} dead, {state.waiting} waiting, the oldest for {state.lag_seconds:.0f} s.", err=True)
    for one in counts:
        typer.echo(f"To destinations by {one.channel}: {one.count} {one.state.value}.", err=True)


@outbox.command()
def dispatches(
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many at most.")] = 50,
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """List what was given up on its way to webhooks and mailboxes, the newest first, one JSON object a line."""
    import json
    from dataclasses import asdict

    from stablehand.cli.opening import opened
    from stablehand.services.webhooks import list_dead_dispatches

    with opened(data_dir, config) as services:
        for account_id, one in list_dead_dispatches(services, limit=limit).items:
            typer.echo(json.dumps({"account_id": account_id, **asdict(one)}, default=str))


@outbox.command()
def redeliver(
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="What to try anew.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Try all of them anew.")] = False,
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """Try notices and dispatches anew that were given up; the courier of the running server sees to it."""
    from stablehand.services.courier import redeliver as try_anew
    from stablehand.services.webhooks import redeliver_dead_of_all
    from stablehand.settings import load
    from stablehand.wiring import serving

    if bool(ids) == every:
        raise typer.BadParameter("Name notices by their ids, or say --all.")
    services = serving.open_services(load(data_dir=data_dir, config=config))
    try:
        chosen = None if every else ids
        revived = try_anew(services, chosen) + redeliver_dead_of_all(services, chosen)
    finally:
        services.store.close()
    typer.echo(f"{revived} will be tried anew.")
