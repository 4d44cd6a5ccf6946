"""backup and restore: the database and all pictures in one file."""

from pathlib import Path
from typing import Annotated

import typer

from stablehand.cli.options import Config, DataDir


def backup(
    file: Annotated[Path, typer.Argument(help="File to write, ending in .tar or .tar.gz.", dir_okay=False)],
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """Write the database and all pictures to one file, also while the server runs."""
    from stablehand.domain.errors import BadSettings
    from stablehand.services.backup import backup as write
    from stablehand.settings import load
    from stablehand.wiring import serving

    settings = load(data_dir=data_dir, config=config)
    if not settings.database_path.is_file():
        raise BadSettings(
            f"There is no database in {settings.data_dir}.", hint="Name the directory with --data-dir DIR."
        )
    services = serving.open_services(settings)
    try:
        summary = write(services, file)
    finally:
        services.store.close()
    typer.echo(f"{file}: {summary.images} pictures, {summary.size_bytes / 1e6:.1f} MB.")
    if summary.missing:
        typer.echo(f"The bytes of these pictures are gone: {', '.join(summary.missing)}", err=True)


def restore(
    file: Annotated[Path, typer.Argument(help="A file that backup wrote.", exists=True, dir_okay=False)],
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """Unpack a backup into an empty data directory."""
    from stablehand.services.backup import restore as unpack
    from stablehand.settings import load
    from stablehand.wiring import serving

    settings = load(data_dir=data_dir, config=config)
    summary = unpack(file, settings.data_dir, objects_dir=settings.objects_dir)
    serving.migrate(settings)
    typer.echo(f"{settings.data_dir}: {summary.images} pictures restored.")
