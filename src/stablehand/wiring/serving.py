"""The serving process: its parts, and the order in which they start and end."""

import hashlib
import secrets
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from ipaddress import ip_network
from pathlib import Path
from typing import Literal

import structlog
from flask import Flask

from stablehand.adapters.hub import is_source
from stablehand.adapters.notices_file import NoticesFile
from stablehand.adapters.outside import Rules
from stablehand.agent.child import AgentChild, write_token
from stablehand.api import AccountOptions, Options, Rates, Readiness, create_app
from stablehand.domain.limits import Limits
from stablehand.domain.notices import KINDS
from stablehand.domain.pools import DEFAULT_POOL, Pool
from stablehand.domain.prices import Prices
from stablehand.domain.tiers import Tiers
from stablehand.domain.webhooks import WebhookLimits
from stablehand.ports import Channel, PictureChecker, Sink
from stablehand.services import Services
from stablehand.services.agents import hash_token, register_agent
from stablehand.services.board import Board
from stablehand.services.courier import Courier, LiveSink, Sinks
from stablehand.services.default_model import DefaultModel
from stablehand.services.dispatch import Carriage, DispatchSink
from stablehand.services.expire import expire_agent
from stablehand.services.feed import Feed
from stablehand.services.invitations import claim_token
from stablehand.services.links import Addresses
from stablehand.services.post import Post
from stablehand.services.upkeep import Upkeep, scan_first
from stablehand.services.webhook_channel import WebhookChannel
from stablehand.settings import Settings
from stablehand.store import Store
from stablehand.wiring.folders import secret_key
from stablehand.wiring.lines import open_broadcast, open_doorbell
from stablehand.wiring.mail import mail_channel, open_mailer
from stablehand.wiring.objects import open_objects, pictures_origin
from stablehand.wiring.provider import provider_options
from stablehand.wiring.reloading import SettingsWatch
from stablehand.wiring.safety import open_blocklist, open_checker

STATIC_DIR = Path(__file__).parents[1] / "static"

#: what a process is for; all but the first share a database server with others
Role = Literal["all", "web", "live", "courier"]
#: roles with the page, the API and the agents' doors; with sockets; with a courier. Health and metrics have all.
WITH_API, WITH_LIVE, WITH_COURIER = ("all", "web"), ("all", "web", "live"), ("all", "courier")

#: name of the agent that ``serve`` keeps
CHILD_NAME = "local"
#: how long the child may go on with running pictures after the server was told to end, and how long it may take at most
CHILD_GRACE_SECONDS = 1.0
CHILD_STOP_SECONDS = 3.0

log = structlog.get_logger("stablehand")


def open_store(settings: Settings) -> Store:
    """The database that the settings name; not connected to yet."""
    url = settings.storage.database_url
    store = Store(
        url.get_secret_value() if url else Store.url_of(settings.database_path),
        connections=settings.storage.database_connections,
        timeout_seconds=settings.storage.database_timeout,
    )
    store.tiers, store.prices = settings.tiers_in_force, settings.costs.in_force
    return store


def open_services(settings: Settings, *, checker: PictureChecker | None = None) -> Services:
    """The use cases over this machine's database and objects. Opens no connection and starts no thread yet.

    ``checker``: for those that take pictures in. Raises BadSettings.
    """
    store = open_store(settings)
    broadcast = open_broadcast(settings)
    return Services(
        store=store,
        objects=open_objects(settings),
        doorbell=open_doorbell(store, broadcast),
        feed=Feed(Board(broadcast)),
        broadcast=broadcast,
        limits=Limits(
            lease_seconds=settings.queue.lease_seconds,
            timeout_seconds=settings.queue.timeout,
            retry_count=settings.queue.retry_count,
            park_seconds=settings.queue.park_seconds,
            premium_seats=settings.queue.premium_seats,
            trash_days=settings.storage.trash_days,
        ),
        pools=pools(settings),
        default_checkpoint=settings.models.default_model,
        default_vae=settings.models.vae,
        models_dir=settings.models_dir,
        public_url=settings.storage.public_url,
        presigned_uploads=settings.storage.presigned_uploads,
        fetching=Rules(networks=tuple(map(ip_network, settings.safety.fetch_networks))),
        webhooks=WebhookLimits(
            http=settings.webhooks.http, most=settings.webhooks.most, log_days=settings.webhooks.log_days
        ),
        blocklist=open_blocklist(settings),
        checker=checker,
    )


def pools(settings: Settings) -> tuple[Pool, ...]:
    """The pools that the settings name; one dynamic pool when they name none."""
    named = settings.compute.pools
    if not named:
        return (DEFAULT_POOL,)
    return tuple(
        Pool(name, None if checkpoints is None else frozenset(checkpoints)) for name, checkpoints in named.items()
    )


def child_pool(settings: Settings) -> str:
    """Where the agent belongs that ``serve`` keeps: a pool that runs any checkpoint, else the first one."""
    known = pools(settings)
    return next((pool for pool in known if pool.checkpoints is None), known[0]).name


def migrate(settings: Settings) -> str:
    """Bring the database to the newest schema; makes it when there is none. Returns where it is, for people to read."""
    store = open_store(settings)
    try:
        store.migrate()
        return store.place
    finally:
        store.close()


def channels(settings: Settings, services: Services, base: str) -> tuple[Channel, ...]:
    """The ways out of the house; ``ports.Channel`` says how one is added. ``base``: where people reach the server."""
    key = secret_key(settings)
    return (WebhookChannel(services, key, Addresses(key, base)), mail_channel(settings, services))


def sinks(settings: Settings, services: Services, ways_out: Sequence[Channel]) -> Sinks:
    """Where each kind of notice goes. What waits for a broken disk must not keep the others waiting: it comes last."""
    places: list[Sink] = [DispatchSink(services, ways_out), LiveSink(services.feed)]
    if settings.queue.notices_file is not None:
        places.append(NoticesFile(settings.queue.notices_file.expanduser().absolute()))
    return dict.fromkeys(KINDS, places)


def options(
    settings: Settings,
    *,
    readiness: Callable[[], Readiness],
    on_hello: Callable[[str], None] = lambda _: None,
    role: Role = "all",
    courier_tally: Callable[[], Mapping[tuple[str, str], int]] = dict,
    dispatch_tally: Callable[[], Mapping[tuple[str, str], int]] = dict,
) -> Options:
    """What the doors are told of the settings, and of what this process is for."""
    return Options(
        serves_api=role in WITH_API,
        serves_live=role in WITH_LIVE,
        others_unheard=role != "all" and settings.queue.redis_url is None,
        courier_tally=courier_tally,
        dispatch_tally=dispatch_tally,
        secret_key=secret_key(settings),
        readiness=readiness,
        on_hello=on_hello,
        static_dir=STATIC_DIR,
        accounts=_accounts(settings),
        rates=_rates(settings) if settings.api.authentication else Rates(),
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
        dialect_wait_seconds=settings.api.dialect_wait_seconds,
        dialect_hang_up_cancels=settings.api.dialect_hang_up == "cancel",
    )


def _accounts(settings: Settings) -> AccountOptions | None:
    if not settings.api.authentication:
        return None
    return AccountOptions(
        post=Post(open_mailer(settings)).send,
        sign_up=settings.auth.sign_up,
        session_days=settings.auth.session_days,
        password_length=settings.auth.password_length,
        argon2_memory_kib=settings.auth.argon2_memory_kib,
        argon2_rounds=settings.auth.argon2_rounds,
        provider=provider_options(settings.auth),
    )


def _rates(settings: Settings) -> Rates:
    redis = settings.queue.redis_url
    return Rates(
        requests_per_address=settings.api.requests_per_address,
        requests_per_account=settings.api.requests_per_account,
        attempts_per_address=settings.auth.attempts_per_address,
        attempts_per_account=settings.auth.attempts_per_account,
        letters_per_address=settings.auth.letters_per_address,
        letters_per_mailbox=settings.auth.letters_per_mailbox,
        redis_url=None if redis is None else redis.get_secret_value(),
        redis_prefix=settings.queue.redis_prefix,
    )


class Serving:
    """One serving process: the application, its upkeep, and the agent that belongs to it."""

    def __init__(
        self,
        settings: Settings,
        *,
        server_url: str,
        with_agent: bool,
        child_arguments: tuple[str, ...],
        role: Role = "all",
        reread: tuple[Path, Callable[[], Settings]] | None = None,
    ) -> None:
        """``reread``: the settings file to watch, and what reads all settings again."""
        self._settings = settings
        self._reread = reread
        self._watch: SettingsWatch | None = None
        self._server_url = server_url
        self._role = role
        self._with_agent = with_agent and role == "all"
        self._child_arguments = child_arguments
        self._child_said_hello = threading.Event()
        self._default_model: DefaultModel | None = None

    def start(self) -> Flask:
        """Everything but the child, which wants a server that answers. Call it in the process that serves."""
        services = self._services = open_services(self._settings, checker=open_checker(self._settings))
        self._courier = self._make_courier() if self._role in WITH_COURIER else None
        self._upkeep = Upkeep(services, self._settings.models_dir) if self._role in WITH_API else None
        wanted = self._settings.models.default_model
        if self._role in WITH_API and wanted is not None and is_source(wanted):
            self._default_model = DefaultModel(self._settings.models_dir, wanted, self._settings.models.hub)
        app = create_app(
            services,
            options(
                self._settings,
                readiness=self._readiness,
                on_hello=self._note_hello,
                role=self._role,
                courier_tally=lambda: self._courier.tally if self._courier else {},
                dispatch_tally=lambda: self._courier.dispatch_tally if self._courier else {},
            ),
        )
        self._live = app.extensions["live"]
        # Everybody who hears of other processes is there by now.
        services.broadcast.start()
        services.doorbell.start()
        services.feed.board.start()
        self._live.start()
        if self._upkeep is not None:
            # Once before the door opens, so that the first order finds its checkpoint; upkeep goes on with it.
            scan_first(services, self._settings.models_dir)
            self._upkeep.start()
        if self._default_model is not None:
            self._default_model.start()
        if self._courier is not None:
            self._courier.start()
        if self._reread is not None:
            path, read = self._reread
            self._watch = SettingsWatch(self._settings, read, path, self._put_in_force)
            self._watch.start()
        self._child = self._make_child() if self._with_agent else None
        if self._role in WITH_LIVE and self._role != "all" and not services.broadcast.reaches_others:
            log.warning(
                "queue.redis_url is not set: events of other processes do not come here, so pages fetch them by polling"
            )
        return app

    def claim_path(self) -> str | None:
        """What follows the address in a link that claims the built-in owner; None when nobody need claim it."""
        if not self._settings.api.authentication or self._role not in WITH_API:
            return None
        token = claim_token(self._services)
        return None if token is None else f"/claim#{token}"

    def start_child(self) -> None:
        if self._child is not None:
            self._child.start()

    def stop(self) -> None:
        """End what start() began; the child first, while its last words can still be heard."""
        if self._child is not None:
            self._child.stop()
            expire_agent(self._services, self._child_id)
        if self._watch is not None:
            self._watch.stop()
        if self._courier is not None:
            self._courier.stop()
        self._live.stop()
        if self._upkeep is not None:
            self._upkeep.stop()
        if self._default_model is not None:
            self._default_model.stop()
        self._services.feed.board.close()
        self._services.doorbell.close()
        self._services.broadcast.close()

    def _put_in_force(self, tiers: Tiers, prices: Prices) -> None:
        store = self._services.store
        store.prices = prices
        if tiers != store.tiers:
            store.tiers = tiers
            store.adopt_tiers()

    def _make_courier(self) -> Courier:
        ways_out = channels(self._settings, self._services, self._settings.api.public_url or self._server_url)
        places = sinks(self._settings, self._services, ways_out)
        return Courier(self._services, places, Carriage(self._services, ways_out))

    def _make_child(self) -> AgentChild:
        token = secrets.token_urlsafe(32)
        agent = register_agent(self._services, self._child_name(), child_pool(self._settings), hash_token(token))
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

    def _child_name(self) -> str:
        """Of several processes over one database server each keeps its own agent."""
        if not self._services.store.is_postgresql:
            return CHILD_NAME
        place = hashlib.sha256(str(self._settings.data_dir).encode()).hexdigest()[:6]
        return f"{CHILD_NAME}-{socket.gethostname()}-{place}"

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
        ready = all(word == "ok" for word in checks.values())
        # What follows is told and closes no door: others carry meanwhile, and hints may be lost.
        if self._default_model is not None:
            checks["default_model"] = self._settings.mask(self._default_model.word)
        if self._courier is not None:
            checks["courier"] = "leads" if self._courier.leads else "stands by"
        if self._services.broadcast.reaches_others:
            checks["redis"] = "ok" if self._services.broadcast.is_open else "away"
        return Readiness(ready=ready, stored=current, checks=checks)
