"""The one Store class, put together from its nouns."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import DatabaseError

from stablehand.domain.errors import BadSettings, StoreUnavailable
from stablehand.store.accounts import Accounts
from stablehand.store.addons import Addons
from stablehand.store.administration import Administration
from stablehand.store.agents import Agents
from stablehand.store.api_keys import ApiKeys
from stablehand.store.audit import Audit
from stablehand.store.breakers import Breakers
from stablehand.store.calls import Calls
from stablehand.store.catalogue import Catalogue
from stablehand.store.claims import Claims
from stablehand.store.connections import WRITES, in_our_words, place_of
from stablehand.store.copying import Copying
from stablehand.store.credentials import CredentialStore
from stablehand.store.deadletters import DeadLetters
from stablehand.store.demands import Demands
from stablehand.store.dispatch_log import DispatchLog
from stablehand.store.dispatches import Dispatches
from stablehand.store.endings import Endings
from stablehand.store.erasing import Erasing
from stablehand.store.idempotency import Idempotency
from stablehand.store.identities import Identities
from stablehand.store.images import Images
from stablehand.store.inputs import Inputs
from stablehand.store.invitations import Invitations
from stablehand.store.jobs import Jobs
from stablehand.store.leading import Leading
from stablehand.store.leases import Leases
from stablehand.store.links import Links
from stablehand.store.mail_choices import MailChoices
from stablehand.store.moves import Moves
from stablehand.store.outbox import Outbox
from stablehand.store.parking import Parking
from stablehand.store.patience import ImpatientConnection
from stablehand.store.quotes import QuoteBook
from stablehand.store.ranks import Ranks
from stablehand.store.sessions import Sessions
from stablehand.store.sweeping import Sweeping
from stablehand.store.tallies import Tallies
from stablehand.store.transferring import Transferring
from stablehand.store.uploads import Uploads
from stablehand.store.usage import Ledger
from stablehand.store.webhooks import Webhooks

#: Name of the database file inside the data directory.
DATABASE_NAME = "stablehand.db"


#: Name under which PostgreSQL lets one process at a time migrate.
_MIGRATING = "stablehand migrations"

_BROKEN_FILE = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)


class Store(
    Jobs,
    QuoteBook,
    Ranks,
    Moves,
    Claims,
    Leases,
    Endings,
    DeadLetters,
    Breakers,
    Demands,
    Images,
    Links,
    Idempotency,
    Uploads,
    Inputs,
    Calls,
    Catalogue,
    Addons,
    Parking,
    Agents,
    Accounts,
    MailChoices,
    Administration,
    Erasing,
    Ledger,
    CredentialStore,
    Sessions,
    ApiKeys,
    Invitations,
    Identities,
    Audit,
    Outbox,
    Dispatches,
    DispatchLog,
    Webhooks,
    Leading,
    Sweeping,
    Tallies,
    Copying,
    Transferring,
):
    """``url``: ``Store.url_of(path)`` for an SQLite file, else ``postgresql://…``. ``clock``: tests only."""

    @staticmethod
    def url_of(path: Path) -> str:
        return f"sqlite:///{path}"

    @property
    def place(self) -> str:
        """The database for people to read: a path, or an address without its password."""
        return place_of(self.url)

    @property
    def path(self) -> Path:
        """The SQLite file."""
        database = self.engine.url.database
        if self.is_postgresql or not database:
            raise ValueError("an SQLite database in a file is needed")
        return Path(database)

    def migrate(self) -> None:
        """Bring the schema to the newest revision; makes the database when there is none (a file, or its tables).

        Of several processes that start together one migrates, the others wait for it.

        Raises:
            BadSettings: as ``check``. StoreUnavailable.
        """
        if not self.is_postgresql:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        self.check()
        with nullcontext() if self.is_postgresql else self._writer, in_our_words(), self._migrating() as connection:
            config = _migrations()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    @contextmanager
    def _migrating(self) -> Iterator[Connection]:
        """A connection in a transaction that nobody else migrates in."""
        with self.engine.connect().execution_options(**{WRITES: True}) as connection:
            if self.is_postgresql:
                line = connection.connection.driver_connection
                assert isinstance(line, ImpatientConnection)
                patience, line.patience_seconds = line.patience_seconds, None  # a large table takes its time
                with connection.begin():
                    connection.execute(text("SET LOCAL statement_timeout = 0"))
                    connection.execute(
                        text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": _MIGRATING}
                    )
                    yield connection
                line.patience_seconds = patience
                return
            # Where a table is copied to change it, dropping the old one must not take its references along. The switch
            # works only outside a transaction, and belongs to the connection.
            driver = connection.connection.driver_connection
            assert isinstance(driver, sqlite3.Connection)
            driver.execute("PRAGMA foreign_keys = OFF")
            try:
                with connection.begin():
                    before = set(connection.exec_driver_sql("PRAGMA foreign_key_check").all())
                    yield connection
                    broken = set(connection.exec_driver_sql("PRAGMA foreign_key_check").all()) - before
                    if broken:
                        raise RuntimeError(f"a migration left rows that refer to nothing: {sorted(broken)[:3]}")
            finally:
                driver.execute("PRAGMA foreign_keys = ON")

    def check(self) -> None:
        """See that this version can work with the database, if need be after a migration.

        Raises:
            BadSettings: it cannot be reached, is no database, or one of a newer version of the program.
        """
        try:
            revision = self.revision()
        except StoreUnavailable as error:
            raise BadSettings(
                f"{self.place} cannot be reached: {error.reason}",
                hint="See that the server runs and lets this user in, and that storage.database_url is right."
                if self.is_postgresql
                else error.hint,
            ) from error
        except DatabaseError as error:
            if getattr(error.orig, "sqlite_errorcode", None) not in _BROKEN_FILE:
                raise
            raise BadSettings(
                f"{self.place} is not a database, or is damaged.",
                hint="Move it away and put back a backup: `stablehand restore FILE`.",
            ) from error
        if revision is not None and not self.knows(revision):
            raise BadSettings(
                f"{self.place} was written by a newer version of Stablehand.",
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
        with in_our_words(), self.engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision()


def newest_revision() -> str | None:
    """The migration that this version of the program needs."""
    return ScriptDirectory.from_config(_migrations()).get_current_head()


def _migrations() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    return config
