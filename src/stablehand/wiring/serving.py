"""The serving process: its parts, and the order in which they start and end."""

import secrets
import threading
from collections.abc import Callable
from pathlib import Path

import structlog
from flask import Flask

from stablehand.adapters.doorbell import InProcessDoorbell
from stablehand.agent.child import AgentChild, write_token
from stablehand.api import Options, Readiness, create_app
from stablehand.domain.limits import Limits
from stablehand.domain.pools import DEFAULT_POOL
from stablehand.services import Services
from stablehand.services.agents import hash_token, register_agent
from stablehand.services.catalogue import scan
from stablehand.services.expire import expire_agent
from stablehand.services.feed import Feed
from stablehand.services.upkeep import Upkeep
from stablehand.settings import Settings
from stablehand.store import Store
from stablehand.wiring.folders import secret_key
from stablehand.wiring.objects import open_objects, pictures_origin

STATIC_DIR = Path(__file__).parents[1] / "static"

#: name of the agent that ``serve`` keeps
CHILD_NAME = "local"
#: how long the child may go on with running pictures after the server was told to end, and how long it may take at most
CHILD_GRACE_SECONDS = 1.0
CHILD_STOP_SECONDS = 3.0

log = structlog.get_logger("stablehand")


def open_store(settings: Settings) -> Store:
    """The database that the settings name; not connected to yet."""
    url = settings.storage.database_url
    return Store(
        url.get_secret_value() if url else Store.url_of(settings.database_path),
        connections=settings.storage.database_connections,
    )


def open_services(settings: Settings) -> Services:
    """The use cases over this machine's database and objects. Opens no connection and starts no thread yet."""
    return Services(
        store=open_store(settings),
        objects=open_objects(settings),
        doorbell=InProcessDoorbell(),
        feed=Feed(),
        limits=Limits(
            lease_seconds=settings.queue.lease_seconds,
            timeout_seconds=settings.queue.timeout,
            retry_count=settings.queue.retry_count,
            park_seconds=settings.queue.park_seconds,
            max_size_shots=settings.queue.max_size,
            trash_days=settings.storage.trash_days,
        ),
        default_checkpoint=settings.models.default_model,
        public_url=settings.storage.public_url,
        presigned_uploads=settings.storage.presigned_uploads,
    )


def migrate(settings: Settings) -> str:
    """Bring the database to the newest schema; makes it when there is none. Returns where it is, for people to read."""
    store = open_store(settings)
    try:
        store.migrate()
        return store.place
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
        pictures_origin=pictures_origin(settings),
    )


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
        # Once before the door opens, so that the first order finds its checkpoint; upkeep goes on with it.
        scan(self._services, self._settings.models_dir)
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
