"""`stablehand agent`: the process that owns one device."""

from pathlib import Path
from typing import Annotated

import typer

from stablehand.agent.settings import AgentSettings


def agent(
    *,
    server: Annotated[str, typer.Option(help="Base URL of the server.")],
    token_file: Annotated[
        Path, typer.Option(help="File with this agent's token.", exists=True, dir_okay=False, readable=True)
    ],
    runtime: Annotated[str, typer.Option(help="native draws; null makes quick gradients.")] = "native",
    pool: Annotated[str | None, typer.Option(help="Pool it belongs to; must be its token's.")] = None,
    models_dir: Annotated[Path | None, typer.Option(help="Folder with checkpoints/ and the like.")] = None,
    precision: Annotated[str, typer.Option(help="auto, fp32, bf16 or fp16.")] = "auto",
    seats: Annotated[int | None, typer.Option(min=1, max=256, help="Pictures at once; default: what fits.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads of the device; default: all.")] = None,
    grace_seconds: Annotated[float, typer.Option(min=0.0, help="After SIGTERM: time for pictures to end.")] = 5.0,
    null_seconds_per_step: Annotated[
        float, typer.Option(min=0.0, help="How long the null runtime takes.", envvar="STABLEHAND_NULL_SECONDS_PER_STEP")
    ] = 0.002,
    parent_pid: Annotated[int | None, typer.Option(hidden=True)] = None,
) -> None:
    """Claim work from a server and draw it on this machine's device."""
    from stablehand import wiring
    from stablehand.agent.loop import run_agent

    token = token_file.read_text().strip()
    if not token:
        raise typer.BadParameter(f"{token_file} is empty; make a token with `stablehand agents add NAME`.")
    try:
        make_runtime = wiring.make_runtime(
            runtime,
            models_dir=models_dir,
            precision=precision,
            seats=seats,
            threads=threads,
            null_seconds_per_step=null_seconds_per_step,
        )
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    settings = AgentSettings(
        server=server,
        token=token,
        runtime=runtime,
        pool=pool,
        grace_seconds=grace_seconds,
        parent_pid=parent_pid,
    )
    raise typer.Exit(run_agent(settings, make_runtime))
