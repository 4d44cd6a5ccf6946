"""agent: the process that owns one device."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from stablehand.cli.options import Config, DataDir

Runtime = Literal["native", "null"]
Precision = Literal["auto", "fp32", "bf16", "fp16"]


def agent(
    *,
    server: Annotated[str, typer.Option(help="Base URL of the server.")],
    token_file: Annotated[
        Path, typer.Option(help="File with this agent's token.", exists=True, dir_okay=False, readable=True)
    ],
    runtime: Annotated[Runtime | None, typer.Option(help="native draws; null makes quick gradients.")] = None,
    pool: Annotated[str | None, typer.Option(help="Pool it belongs to; must be its token's.")] = None,
    models_dir: Annotated[Path | None, typer.Option(help="Folder with checkpoints/ and the like.")] = None,
    precision: Annotated[Precision | None, typer.Option(help="What the engine computes in.")] = None,
    seats: Annotated[int | None, typer.Option(help="Pictures at once. Default: what fits.")] = None,
    threads: Annotated[int | None, typer.Option(help="CPU threads of the engine. Default: all.")] = None,
    grace_seconds: Annotated[float, typer.Option(min=0.0, help="After SIGTERM: time for pictures to end.")] = 5.0,
    data_dir: DataDir = None,
    config: Config = None,
    parent_pid: Annotated[int | None, typer.Option(hidden=True)] = None,
) -> None:
    """Claim work from a server and draw it on this machine's device."""
    from stablehand.agent.loop import run_agent
    from stablehand.agent.settings import AgentSettings
    from stablehand.agent.weights import WeightsCache
    from stablehand.cli import logs
    from stablehand.settings import load
    from stablehand.wiring import runtimes

    token = token_file.read_text(encoding="utf-8").strip()
    if not token:
        raise typer.BadParameter(f"{token_file} is empty. Make a token with `stablehand agents add NAME`.")
    compute = _given(runtime=runtime, precision=precision, seats=seats, threads=threads)
    settings = load(
        data_dir=data_dir, config=config, command_line={"compute": compute, "models": _given(location=models_dir)}
    )
    logs.set_up(settings.observability, settings.mask)
    told = AgentSettings(
        server=server,
        token=token,
        runtime=settings.compute.runtime,
        pool=pool,
        grace_seconds=grace_seconds,
        parent_pid=parent_pid,
    )
    cache = WeightsCache(server, token, settings.data_dir / "weights", int(settings.models.cache_gigabytes * 1e9))
    raise typer.Exit(run_agent(told, runtimes.runtime_factory(settings, cache.fetch)))


def _given(**options: Any) -> dict[str, Any]:
    """The options that were given; the others leave the settings alone."""
    return {name: value for name, value in options.items() if value is not None}
