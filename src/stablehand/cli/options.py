"""Options that several commands share, with one meaning."""

from pathlib import Path
from typing import Annotated

import typer

DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        metavar="DIR",
        help="Where everything is kept. Default: ./data in a clone, else the user data directory.",
        file_okay=False,
    ),
]
Config = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="YAML settings. Default: stablehand.yaml in the data directory."),
]
