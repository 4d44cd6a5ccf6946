"""migrate: the database's schema."""

import typer

from stablehand.cli.options import Config, DataDir


def migrate(data_dir: DataDir = None, config: Config = None) -> None:
    """Bring the database to this version's schema (serve does it by itself)."""
    from stablehand.settings import load
    from stablehand.wiring import folders, serving

    settings = load(data_dir=data_dir, config=config)
    folders.prepare_data_dir(settings)
    typer.echo(f"{serving.migrate(settings)} is up to date.")
