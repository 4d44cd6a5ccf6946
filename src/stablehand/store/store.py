"""The one Store class, put together from its nouns."""

import sqlite3
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import make_url
from sqlalchemy.exc import DatabaseError

from stablehand.domain.errors import BadSettings
from stablehand.store.accounts import Accounts
from stablehand.store.agents import Agents
from stablehand.store.catalogue import Catalogue
from stablehand.store.copying import Copying
from stablehand.store.endings import Endings
from stablehand.store.images import Images
from stablehand.store.jobs import Jobs
from stablehand.store.leases import Leases
from stablehand.store.sweeping import Sweeping

#: Name of the database file inside the data directory.
DATABASE_NAME = "stablehand.db"


class Store(Jobs, Leases, Endings, Images, Catalogue, Agents, Accounts, Sweeping, Copying):
    """``url`` is an SQLAlchemy URL (``Store.url_of(path)`` for an SQLite file). ``clock``: tests only."""

    @staticmethod
    def url_of(path: Path) -> str:
        return f"sqlite:///{path}"

    @property
    def path(self) -> Path:
        """The SQLite file."""
        database = make_url(self.url).database
        if not database:
            raise ValueError("an SQLite database in a file is needed")
        return Path(database)

    def migrate(self) -> None:
        """Bring the schema to the newest revision; makes the database when there is none.

        Raises BadSettings as ``check`` does.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        config = _migrations()
        self.check()
        with self._writer, self.engine.connect() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def check(self) -> None:
        """See that this version can work with the database, if need be after a migration.

        Raises:
            BadSettings: the file is no database, or one of a newer version of the program.
        """
        try:
            revision = self.revision()
        except DatabaseError as error:
            if getattr(error.orig, "sqlite_errorcode", None) not in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
                raise
            raise BadSettings(
                f"{self.path} is not a database, or is damaged.",
                hint="Move it away and put back a backup: `stablehand restore FILE`.",
            ) from error
        if revision is not None and not self.knows(revision):
            raise BadSettings(
                f"{self.path} was written by a newer version of Stablehand.",
                hint="Run that version, or restore a backup that this one made.",
            )

    def is_current(self) -> bool:
        """True when every migration has run. Raises when the database cannot be reached."""
        return self.revision() == newest_revision()

    @staticmethod
    def knows(revision: object) -> bool:
        """True for a migration that this version of the program has."""
        return revision in {script.revision for script in ScriptDirectory.from_config(_migrations()).walk_revisions()}

    def revision(self) -> str | None:
        """The migration that the database stands at; None for an empty one."""
        with self.engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision()


def newest_revision() -> str | None:
    """The migration that this version of the program needs."""
    return ScriptDirectory.from_config(_migrations()).get_current_head()


def _migrations() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    return config
