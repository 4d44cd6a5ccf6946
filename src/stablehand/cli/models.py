"""models: the weights on this machine."""

from pathlib import Path
from typing import Annotated

import typer

from stablehand.cli.options import Config, DataDir

models = typer.Typer(help="The weights on this machine.", no_args_is_help=True)


@models.command("add")
def add(
    source: Annotated[str, typer.Argument(help="A file, an https address, or hf:owner/name[/file].")],
    name: Annotated[str | None, typer.Option(help="What to call it. Default: as its source does.")] = None,
    sha256: Annotated[str | None, typer.Option(help="What a single file must hash to.")] = None,
    max_gigabytes: Annotated[float, typer.Option(min=0.001, help="Refuse what is larger.")] = 32.0,
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """Bring weights into the models folder; what breaks off is gone on with the next time."""
    import os

    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    from stablehand.services.fetch import Order, fetch
    from stablehand.settings import load

    settings = load(data_dir=data_dir, config=config)
    order = Order(
        source=source,
        name=name,
        sha256=sha256,
        most_bytes=int(max_gigabytes * 1e9),
        endpoint=settings.models.hub,
        token=os.environ.get("HF_TOKEN") or None,
    )
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, transient=True) as bars:
        tasks: dict[str, object] = {}

        def tell(file: str, done: int, total: int | None) -> None:
            if file not in tasks:
                tasks[file] = bars.add_task(file, total=total)
            bars.update(tasks[file], completed=done, total=total)  # type: ignore[arg-type]

        place = fetch(settings.models_dir, order, tell)
    typer.echo(f"{place}")


@models.command("list")
def list_models(data_dir: DataDir = None, config: Config = None) -> None:
    """List what lies in the models folder, and what of it cannot be used."""
    from stablehand.services.fetch import survey
    from stablehand.settings import load

    settings = load(data_dir=data_dir, config=config)
    for found in survey(settings.models_dir):
        size = f"{found.size_bytes / 1e9:.2f} GB" if found.size_bytes else ""
        typer.echo(f"{found.path}\t{found.what}\t{size}".rstrip())


@models.command("remove")
def remove(
    path: Annotated[str, typer.Argument(help="As `stablehand models list` shows it.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """Delete weights from the models folder."""
    from stablehand.services.fetch import remove as delete
    from stablehand.settings import load

    settings = load(data_dir=data_dir, config=config)
    if not yes:
        typer.confirm(f"Delete {Path(settings.models_dir) / path}?", abort=True)
    typer.echo(f"{delete(settings.models_dir, path)} is gone.")
