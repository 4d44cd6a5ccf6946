"""Upkeep: the thread that expires, purges, scans and hashes while the server runs."""

from pathlib import Path

from stablehand.services import Services


class Upkeep:
    """``start`` it once, after the migrations; ``stop`` waits for the piece of work in hand."""

    def __init__(self, services: Services, models_dir: Path) -> None:
        raise NotImplementedError

    def start(self) -> None:
        raise NotImplementedError

    def stop(self) -> None:
        raise NotImplementedError
