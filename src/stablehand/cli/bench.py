"""`stablehand bench`: measurements that print one JSON object each."""

import json
from pathlib import Path
from typing import Annotated

import typer

bench = typer.Typer(help="Measure this machine.", no_args_is_help=True)


@bench.callback()
def about() -> None:
    """Keeps `engine` a subcommand while it is the only one."""


@bench.command()
def engine(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
    checkpoint: Annotated[
        Path | None, typer.Option(help="A diffusers folder; default: Postcard.", exists=True, file_okay=False)
    ] = None,
    clients: Annotated[int, typer.Option(min=1, help="How many ask at the same time.")] = 16,
    requests_per_client: Annotated[int, typer.Option(min=1, help="Pictures each of them asks for.")] = 2,
    size: Annotated[int, typer.Option(min=64, help="Pixels a side.")] = 256,
    precision: Annotated[str, typer.Option(help="auto, fp32, bf16 or fp16.")] = "auto",
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads; default: all.")] = None,
    seed: Annotated[int, typer.Option(help="Of the mix of requests.")] = 0,
) -> None:
    """Mixed requests of many clients by our engine, and one after another by diffusers' own pipeline."""
    from stablehand.bench import engine as measured

    result = measured.run(
        checkpoint=checkpoint or measured.POSTCARD,
        clients=clients,
        requests_per_client=requests_per_client,
        size=size,
        precision=precision,
        threads=threads,
        seed=seed,
    )
    if as_json:
        typer.echo(json.dumps(result))
        return
    for name, value in result.items():
        typer.echo(f"{name:<36}{value}")
