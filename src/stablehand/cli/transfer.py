"""transfer: from the data directory's database to PostgreSQL."""

from typing import Annotated

import typer

from stablehand.cli.options import Config, DataDir


def transfer(
    *,
    to: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="An empty PostgreSQL, as postgresql://USER:PASSWORD@HOST/NAME. Default: storage.database_url.",
        ),
    ] = None,
    objects: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Copy the pictures too, to s3://BUCKET/PREFIX. Default: they stay."),
    ] = None,
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """Move an embedded installation's database to PostgreSQL; the old one stays as it is."""
    from stablehand.domain.errors import BadSettings
    from stablehand.services.transfer import transfer as move
    from stablehand.settings import load
    from stablehand.wiring import folders, serving
    from stablehand.wiring.objects import open_objects

    settings = load(data_dir=data_dir, config=config)
    embedded = settings.with_storage(database_url=None)
    if not settings.database_path.is_file():
        raise BadSettings(
            f"There is no database in {settings.data_dir}.", hint="Name the directory with --data-dir DIR."
        )
    fleet = settings if to is None else settings.with_storage(database_url=to)
    if fleet.storage.database_url is None:
        raise BadSettings("Where to?", hint="Give --to postgresql://USER:PASSWORD@HOST/NAME.")
    bucket = None
    if objects is not None:
        fleet = fleet.with_storage(url=objects)
        bucket = open_objects(fleet)
    shown: dict[str, int] = {}

    def tell(what: str, done: int, of: int) -> None:
        # The beginning, the end, and each tenth in between: a line each, for terminals and logs alike.
        tenth = 10 if done == of else done * 10 // of
        if of and shown.get(what, -1) < tenth:
            shown[what] = tenth
            typer.echo(f"{what}: {done} of {of}")

    # A server holds this lock for as long as it lives; with it in our hand, none runs and none starts.
    lock = folders.lock_data_dir(settings)
    source, target = serving.open_store(embedded), serving.open_store(fleet)
    try:
        summary = move(source, target, objects=open_objects(embedded), objects_to=bucket, tell=tell)
        place = target.place
    finally:
        source.close()
        target.close()
        lock.close()
    typer.echo(f"{sum(summary.rows.values())} rows are in {place}, counted on both sides.")
    if bucket is not None:
        typer.echo(f"{summary.objects} objects are in {bucket.place}.")
    typer.echo("Set storage.database_url" + (" and storage.url" if bucket else "") + " so that serve uses them.")
    typer.echo(f"{settings.database_path} is as it was; put it away once you are content.")
