"""The only place that chooses parts: which store, which objects, which runtime, and the order of start and end."""

import fcntl
import os
import secrets
import threading
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from typing import IO

import structlog
from flask import Flask

from stablehand import __version__
from stablehand.adapters.doorbell import Doorbell
from stablehand.adapters.objects import Objects
from stablehand.agent.child import AgentChild, write_token
from stablehand.api import Options, Readiness, create_app
from stablehand.domain.errors import BadSettings
from stablehand.domain.limits import Limits
from stablehand.domain.pools import DEFAULT_POOL
from stablehand.ports import Runtime, RuntimeFactory
from stablehand.services import Services
from stablehand.services.agents import hash_token, register_agent
from stablehand.services.catalogue import scan
from stablehand.services.expire import expire_agent
from stablehand.services.feed import Feed
from stablehand.services.upkeep import Upkeep
from stablehand.settings import Settings
from stablehand.store import Store

STATIC_DIR = Path(__file__).parent / "static"

#: name of the agent that ``serve`` keeps
CHILD_NAME = "local"
#: pictures that the null runtime draws at once unless compute.seats says otherwise
NULL_SEATS = 8
#: how long the child may go on with running pictures after the server was told to end, and how long it may take at most
CHILD_GRACE_SECONDS = 1.0
CHILD_STOP_SECONDS = 3.0

SECRET_KEY_MIN_CHARACTERS = 32

log = structlog.get_logger("stablehand")


def check_exposure(settings: Settings) -> None:
    """Refuse to open a door that nothing guards. Raises BadSettings."""
    if settings.api.authentication:
        raise BadSettings(
            "api.authentication is true, but this version has no accounts to sign in with yet.",
            hint="Set it to false and serve on 127.0.0.1 only, behind something that asks who comes if need be.",
        )
    if not is_loopback(settings.api.host):
        raise BadSettings(
            f"Serving on {settings.api.host} without authentication would give everybody who can reach this machine "
            "the owner's account.",
            hint="Use --host 127.0.0.1 (the default). From elsewhere, reach it through an SSH tunnel: "
            f"ssh -L {settings.api.port or 7868}:127.0.0.1:{settings.api.port or 7868} THIS-MACHINE.",
        )


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def prepare_data_dir(settings: Settings) -> None:
    """Make the folders that everything else relies on. Raises BadSettings when that cannot be done."""
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        for folder in ("checkpoints", "vae", "embeddings", "loras", "upscalers", "tokenizers"):
            (settings.models_dir / folder).mkdir(parents=True, exist_ok=True)
        settings.objects_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadSettings(
            f"The folder {error.filename} cannot be made: {error.strerror}.",
            hint="Choose a folder that this user may write to: --data-dir DIR.",
        ) from error


def lock_data_dir(settings: Settings) -> IO[str]:
    """Hold the data directory for this process and those it forks, until the file is closed or they have ended.

    Raises BadSettings when another server holds it.
    """
    path = settings.data_dir / "stablehand.lock"
    file = path.open("a+", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.seek(0)
        holder = file.read().strip()
        file.close()
        raise BadSettings(
            f"Another Stablehand uses the data directory {settings.data_dir}"
            + (f" (process {holder})." if holder else "."),
            hint="End that one first, or give this one a directory of its own: --data-dir DIR.",
        ) from error
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file


def secret_key(settings: Settings) -> str:
    """The configured key, or the one kept in the data directory, made there on first use (mode 0600).

    Raises BadSettings when it is too short to sign with.
    """
    if settings.auth.secret_key is not None:
        key, where = settings.auth.secret_key.get_secret_value(), "auth.secret_key"
    else:
        path = settings.data_dir / "secret_key"
        if not path.exists():
            write_token(path, secrets.token_urlsafe(48))
        key, where = path.read_text(encoding="utf-8").strip(), str(path)
    if len(key) < SECRET_KEY_MIN_CHARACTERS:
        raise BadSettings(
            f"The key in {where} is shorter than {SECRET_KEY_MIN_CHARACTERS} characters.",
            hint="Make one with: python -c 'import secrets; print(secrets.token_urlsafe(48))'",
        )
    return key


def open_services(settings: Settings) -> Services:
    """The use cases over this machine's database and objects. Opens no connection and starts no thread yet."""
    return Services(
        store=Store(Store.url_of(settings.database_path)),
        objects=Objects(settings.objects_dir),
        doorbell=Doorbell(),
        feed=Feed(),
        limits=Limits(
            lease_seconds=settings.queue.lease_seconds,
            timeout_seconds=settings.queue.timeout,
            retry_count=settings.queue.retry_count,
            max_size_shots=settings.queue.max_size,
            trash_days=settings.storage.trash_days,
        ),
        default_checkpoint=settings.models.default_model,
        version=__version__,
    )


def migrate(settings: Settings) -> None:
    """Bring the database to the newest schema; makes it when there is none."""
    store = Store(Store.url_of(settings.database_path))
    try:
        store.migrate()
    finally:
        store.close()


def options(
    settings: Settings, *, readiness: Callable[[], Readiness], on_hello: Callable[[str], None] = lambda _: None
) -> Options:
    """What the doors are told of the settings."""
    return Options(
        secret_key=secret_key(settings),
        readiness=readiness,
        on_hello=on_hello,
        static_dir=STATIC_DIR,
        public_url=settings.api.public_url,
        allowed_hosts=tuple(settings.api.allowed_hosts),
        cors_origins=tuple(settings.api.cors_origins),
        trusted_proxies=settings.api.trusted_proxies,
        max_body_bytes=settings.api.max_body_bytes,
        save_format=settings.storage.save_format,
        quality=settings.storage.quality,
        log_requests=settings.observability.log_requests,
        metrics=settings.observability.metrics,
    )


def runtime_factory(settings: Settings) -> RuntimeFactory:
    """How an agent on this machine makes its runtime; nothing heavy is imported before it does."""

    def native() -> Runtime:
        from stablehand.runtimes.native import NativeRuntime  # noqa: PLC0415 - loads torch

        return NativeRuntime(
            models_dir=settings.models_dir,
            precision=settings.compute.precision,
            seats=settings.compute.seats,
            threads=settings.compute.threads,
        )

    def null() -> Runtime:
        from stablehand.runtimes.null import NullRuntime  # noqa: PLC0415 - the native one is the usual one

        return NullRuntime(
            seconds_per_step=settings.compute.null_seconds_per_step, seats=settings.compute.seats or NULL_SEATS
        )

    return null if settings.compute.runtime == "null" else native


class Serving:
    """One serving process: the application, its upkeep, and the agent that belongs to it."""

    def __init__(
        self, settings: Settings, *, server_url: str, with_agent: bool, child_arguments: tuple[str, ...]
    ) -> None:
        self._settings = settings
        self._server_url = server_url
        self._with_agent = with_agent
        self._child_arguments = child_arguments
        self._child_said_hello = threading.Event()

    def start(self) -> Flask:
        """Everything but the child, which wants a server that answers. Call it in the process that serves."""
        self._services = open_services(self._settings)
        found = scan(self._services, self._settings.models_dir)
        for path, problem in found.problems:
            log.warning("checkpoint left out", path=path, problem=problem)
        self._upkeep = Upkeep(self._services, self._settings.models_dir)
        self._upkeep.start()
        self._child = self._make_child() if self._with_agent else None
        app = create_app(self._services, options(self._settings, readiness=self._readiness, on_hello=self._note_hello))
        self._live = app.extensions["live"]
        self._live.start()
        return app

    def start_child(self) -> None:
        if self._child is not None:
            self._child.start()

    def stop(self) -> None:
        """End what start() began; the child first, while its last words can still be heard."""
        if self._child is not None:
            self._child.stop()
            expire_agent(self._services, self._child_id)
        self._live.stop()
        self._upkeep.stop()

    def _make_child(self) -> AgentChild:
        token = secrets.token_urlsafe(32)
        agent = register_agent(self._services, CHILD_NAME, DEFAULT_POOL.name, hash_token(token))
        self._child_id = agent.id
        # Whatever an earlier child still holds is lost: it ended with its parent.
        expire_agent(self._services, agent.id)
        token_file = self._settings.data_dir / "agent.token"
        write_token(token_file, token)
        return AgentChild(
            self._server_url,
            token_file,
            arguments=("--grace-seconds", str(CHILD_GRACE_SECONDS), *self._child_arguments),
            on_death=self._child_died,
            stop_seconds=CHILD_STOP_SECONDS,
        )

    def _child_died(self, exit_code: int) -> None:
        del exit_code  # the child's keeper has logged it
        expire_agent(self._services, self._child_id)

    def _note_hello(self, agent_id: str) -> None:
        if self._child is not None and agent_id == self._child_id:
            self._child_said_hello.set()
            self._child.said_hello()

    def _readiness(self) -> Readiness:
        checks = {}
        try:
            current = self._services.store.is_current()
        except Exception as error:
            log.error("the store cannot be reached", exc_info=error)
            return Readiness(ready=False, stored=False, checks={"store": "cannot be reached; see the log"})
        checks["store"] = "ok"
        checks["migrations"] = "ok" if current else "missing; run `stablehand migrate`"
        if self._with_agent:
            checks["agent"] = "ok" if self._child_said_hello.is_set() else "has not said hello yet"
        return Readiness(ready=all(word == "ok" for word in checks.values()), stored=current, checks=checks)
