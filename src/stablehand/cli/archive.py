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
    if settings.storage.database_url is not None:
        raise BadSettings(
            "This installation's database is PostgreSQL, which has tools of its own for this.",
            hint="Use `pg_dump --format=custom --file=FILE DATABASE`, then copy the objects; nothing changes an object "
            "once it is written, so this order loses no picture.",
        )
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
    from stablehand.domain.errors import BadSettings
    from stablehand.services.backup import restore as unpack
    from stablehand.settings import load
    from stablehand.wiring import serving
    from stablehand.wiring.objects import open_objects

    settings = load(data_dir=data_dir, config=config)
    if settings.storage.database_url is not None:
        raise BadSettings(
            "storage.database_url names PostgreSQL, but a backup file holds SQLite's database.",
            hint="Restore with that setting empty, then move it over: `stablehand transfer --to URL`. What pg_dump "
            "wrote comes back with pg_restore.",
        )
    bucket = None if settings.storage.url is None else open_objects(settings)
    summary = unpack(file, settings.data_dir, objects_dir=settings.objects_dir, bucket=bucket)
    serving.migrate(settings)
    typer.echo(f"{settings.data_dir}: {summary.images} pictures restored.")
