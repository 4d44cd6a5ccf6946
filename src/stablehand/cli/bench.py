"""`stablehand bench`: measurements that print one JSON object each."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

bench = typer.Typer(help="Measure this machine.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]


def _tell(result: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(result))
        return
    width = 2 + max(map(len, result), default=0)
    for name, value in result.items():
        typer.echo(f"{name:<{width}}{value}")


@bench.command()
def engine(
    *,
    as_json: AsJson = False,
    checkpoint: Annotated[
        Path | None, typer.Option(help="A diffusers folder; default: Postcard.", exists=True, file_okay=False)
    ] = None,
    clients: Annotated[int, typer.Option(min=1, help="How many ask at the same time.")] = 16,
    requests_per_client: Annotated[int, typer.Option(min=1, help="Pictures each of them asks for.")] = 2,
    size: Annotated[int, typer.Option(min=64, help="Pixels a side.")] = 256,
    precision: Annotated[str, typer.Option(help="auto, fp32, bf16 or fp16.")] = "auto",
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads; default: all.")] = None,
    seed: Annotated[int, typer.Option(help="Of the mix of requests.")] = 0,
    full_size: Annotated[
        bool, typer.Option(help="Also networks of published size with random weights (5 GB of memory on a CPU).")
    ] = True,
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
        full_size=full_size,
    )
    _tell(result, as_json=as_json)


@bench.command()
def sheet(
    out: Annotated[Path, typer.Argument(help="Picture file to write.", dir_okay=False)],
    *,
    as_json: AsJson = False,
    checkpoint: Annotated[
        Path | None, typer.Option(help="A file or a diffusers folder; default: Postcard.", exists=True)
    ] = None,
    schedules: Annotated[str, typer.Option(help="Labels, separated by commas.")] = "Automatic",
    prompt: Annotated[str | None, typer.Option(help="Default: one that Postcard knows.")] = None,
    seed: Annotated[int, typer.Option(min=0)] = 7,
    steps: Annotated[int, typer.Option(min=1, max=150)] = 20,
    guidance: Annotated[float, typer.Option(min=0, max=30)] = 7.0,
    size: Annotated[int, typer.Option(min=64, help="Pixels a side.")] = 256,
    precision: Annotated[str, typer.Option(help="auto, fp32, bf16 or fp16.")] = "auto",
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads; default: all.")] = None,
) -> None:
    """One prompt and seed drawn by every sampler, on one sheet to look at."""
    from stablehand.bench import sheet as drawn
    from stablehand.domain.samplers import SCHEDULES, find_schedule

    labels = [find_schedule(name) for name in schedules.split(",")]
    known = [label for label in labels if label is not None]
    if len(known) != len(labels):
        raise typer.BadParameter("one of: " + ", ".join(entry.name for entry in SCHEDULES), param_hint="--schedules")
    result = drawn.run(
        out,
        checkpoint=checkpoint,
        schedules=known,
        prompt=prompt or drawn.PROMPT,
        seed=seed,
        steps=steps,
        cfg_scale=guidance,
        size=size,
        precision=precision,
        threads=threads,
    )
    _tell(result, as_json=as_json)


@bench.command()
def memory(
    *,
    as_json: AsJson = False,
    pictures: Annotated[int, typer.Option(min=1, help="Pictures to draw.")] = 2_000,
    checkpoints: Annotated[int, typer.Option(min=1, help="Checkpoints that they are drawn with.")] = 5,
    slots: Annotated[int, typer.Option(min=1, help="Checkpoints that fit into memory.")] = 2,
    precision: Annotated[str, typer.Option(help="auto, fp32, bf16 or fp16.")] = "auto",
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads; default: all.")] = None,
    seed: Annotated[int, typer.Option(help="Of the mix of pictures.")] = 0,
) -> None:
    """Pictures of mixed sizes and kinds, by more checkpoints than fit into memory: does it grow?"""
    from stablehand.bench import memory as measured

    result = measured.run(
        pictures=pictures,
        checkpoints=checkpoints,
        slots=slots,
        precision=precision,
        threads=threads,
        seed=seed,
        say=lambda line: typer.echo(line, err=True),
    )
    _tell(result, as_json=as_json)


@bench.command()
def chaos(
    *,
    as_json: AsJson = False,
    store: Annotated[Literal["postgresql", "sqlite"], typer.Option(help="What the queue lies in.")] = "postgresql",
    shots: Annotated[int, typer.Option(min=20, help="Pictures to order.")] = 1_000,
    kills: Annotated[int, typer.Option(min=0, help="Processes to kill (SIGKILL).")] = 20,
    database_stops: Annotated[int, typer.Option(min=0, help="Times the database is unplugged.")] = 2,
    freezes: Annotated[int, typer.Option(min=0, help="Agents held still until their leases are over.")] = 2,
    agents: Annotated[int, typer.Option(min=2, help="Agents that draw.")] = 4,
    webs: Annotated[int, typer.Option(min=1, help="Web processes.")] = 2,
    lease_seconds: Annotated[float, typer.Option(min=3.0, help="Length of a lease.")] = 4.0,
    seconds_per_step: Annotated[float, typer.Option(min=0.0, help="How long agents take for a step.")] = 0.002,
    seed: Annotated[int, typer.Option(help="Of the plan.")] = 0,
) -> None:
    """Kill real processes while they work, and count what was lost or happened twice. Ends with 1 if anything was."""
    from stablehand.bench import chaos as measured

    plan = measured.Plan(
        store=store,
        shots=shots,
        kills=kills,
        database_stops=database_stops if store == "postgresql" else 0,
        freezes=freezes,
        agents=agents,
        webs=webs,
        lease_seconds=lease_seconds,
        seconds_per_step=seconds_per_step,
        seed=seed,
    )
    result = measured.run(plan, say=lambda line: typer.echo(line, err=True))
    _tell(result, as_json=as_json)
    if not result["clean"]:
        raise typer.Exit(1)


@bench.command()
def queue(
    *,
    as_json: AsJson = False,
    depths: Annotated[str, typer.Option(help="Queued shots, separated by commas.")] = "1000,50000,500000",
    stores: Annotated[
        str, typer.Option(help="sqlite, postgresql or both, separated by a comma.")
    ] = "sqlite,postgresql",
    shapes: Annotated[str, typer.Option(help="Agents x shots that each claims at once.")] = "1x1,4x8,8x8",
    seconds: Annotated[float, typer.Option(min=0.2, help="How long each measurement lasts.")] = 5.0,
    database_url: Annotated[
        str | None, typer.Option(help="An empty PostgreSQL to measure; default: one is started for it.")
    ] = None,
) -> None:
    """Claims and deliveries a second through the Store, beside a bare loop of two statements."""
    from stablehand.bench import queue as measured

    result = measured.run(
        depths=[int(depth) for depth in depths.split(",")],
        seconds=seconds,
        stores=stores.split(","),
        shapes=[
            (int(agents), int(leases)) for agents, _, leases in (shape.partition("x") for shape in shapes.split(","))
        ],
        database_url=database_url,
    )
    if as_json:
        typer.echo(json.dumps(result))
        return
    for row in result["rows"]:
        typer.echo("  ".join(f"{name} {value}" for name, value in row.items()))
    for row in result["submit_to_claim"]:
        typer.echo("  ".join(f"{name} {value}" for name, value in row.items()))


@bench.command()
def hog(
    *,
    as_json: AsJson = False,
    lights: Annotated[int, typer.Option(min=1, help="Accounts that order single pictures now and then.")] = 20,
    shots: Annotated[int, typer.Option(min=1000, help="Pictures that the hog has queued.")] = 5_000,
    seconds: Annotated[float, typer.Option(min=5, help="How long each of the two phases lasts.")] = 60.0,
    seed: Annotated[int, typer.Option(help="Of the light accounts' orders.")] = 0,
) -> None:
    """How long light accounts wait beside one with thousands of queued pictures, through a real server."""
    from stablehand.bench import hog as measured

    say = lambda line: typer.echo(line, err=True)  # noqa: E731
    result = measured.run(lights=lights, hog_shots=shots, seconds=seconds, seed=seed, say=say)
    _tell(result, as_json=as_json)


@bench.command()
def quotes(
    *,
    as_json: AsJson = False,
    runtime: Annotated[Literal["null", "native"], typer.Option(help="What draws.")] = "null",
    jobs: Annotated[int, typer.Option(min=10, help="Mixed orders.")] = 120,
    pause_seconds: Annotated[float, typer.Option(min=0.0, help="Between two of them, on average.")] = 1.5,
    depth: Annotated[int, typer.Option(min=0, help="Queued shots beside which a quote is timed; 0: none.")] = 100_000,
    seed: Annotated[int, typer.Option(help="Of the orders.")] = 0,
) -> None:
    """How good quotes are, by mixed orders through a real server; and what one costs beside a long queue."""
    from stablehand.bench import quotes as measured

    say = lambda line: typer.echo(line, err=True)  # noqa: E731
    result = measured.run(runtime=runtime, jobs=jobs, pause_seconds=pause_seconds, depth=depth, seed=seed, say=say)
    _tell(result, as_json=as_json)


@bench.command()
def dialect(
    *,
    as_json: AsJson = False,
    pictures: Annotated[int, typer.Option(min=1, help="Pictures by each route.")] = 200,
    seed: Annotated[int, typer.Option(help="Of the order in which the routes take turns.")] = 0,
) -> None:
    """What a picture through A1111's dialect takes over one by the native route."""
    from stablehand.bench import dialect as measured

    result = measured.run(pictures=pictures, seed=seed)
    _tell(result, as_json=as_json)


@bench.command("notices")
def notices_(
    *,
    as_json: AsJson = False,
    notices: Annotated[int, typer.Option(min=1, help="How many, to each of two receivers.")] = 10_000,
    kills: Annotated[int, typer.Option(min=0, help="How many couriers are killed meanwhile.")] = 100,
    database_url: Annotated[
        str | None, typer.Option(help="An empty PostgreSQL database; default: an SQLite file.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of chance.")] = 7,
) -> None:
    """Webhooks to a receiver that fails, stalls, redirects and hangs up, by couriers that are killed: is any lost?"""
    from stablehand.bench import notices as measured

    result = measured.run(notices, kills, database_url=database_url, seed=seed)
    _tell(result, as_json=as_json)
    raise typer.Exit(1 if result["lost"] or result["unknown_ids"] or result["forged"] or result["dead"] else 0)
