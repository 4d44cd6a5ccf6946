"""What there is: settings, routes, commands, the version. The reference pages are written from here."""

from pathlib import Path
from typing import Annotated

import typer


def version() -> None:
    """Print the version."""
    from stablehand import __version__

    typer.echo(__version__)


def settings() -> None:
    """List every setting: key, environment variable, default and meaning."""
    from stablehand.settings import rows

    for key, variable, default, meaning in rows():
        typer.echo(f"{key} ({variable}) = {default or '(none)'}\n    {meaning}")


def openapi() -> None:
    """Print the API's OpenAPI document."""
    import json

    from stablehand.cli.reference import document

    typer.echo(json.dumps(document(), indent=2, ensure_ascii=False))


def reference(folder: Annotated[Path, typer.Argument(help="Folder for the pages.", file_okay=False)]) -> None:
    """Write the reference pages from the code."""
    from stablehand.cli.reference import pages

    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")
