"""The one Store class, put together from its nouns."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

#: Name of the database file inside the data directory.
DATABASE_NAME = "stablehand.db"


class Store:
    """``url`` is an SQLAlchemy URL (``Store.url_of(path)`` for an SQLite file). ``clock``: tests only."""

    def __init__(self, url: str, *, clock: Callable[[], datetime] | None = None) -> None:
        raise NotImplementedError

    @staticmethod
    def url_of(path: Path) -> str:
        return f"sqlite:///{path}"

    def migrate(self) -> None:
        """Bring the schema to the newest revision; makes the database when there is none."""
        raise NotImplementedError

    def is_current(self) -> bool:
        """True when every migration has run. Raises when the database cannot be reached."""
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError
