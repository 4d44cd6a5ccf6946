"""The use cases over the configured data directory, for commands that do one thing and end."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stablehand.services import Services


@contextmanager
def opened(data_dir: Path | None, config: Path | None) -> "Iterator[Services]":
    """Works beside a running server: what changes is found by it within seconds."""
    from stablehand.settings import load
    from stablehand.wiring import folders, serving

    settings = load(data_dir=data_dir, config=config)
    folders.prepare_data_dir(settings)
    serving.migrate(settings)
    services = serving.open_services(settings)
    try:
        yield services
    finally:
        services.store.close()
