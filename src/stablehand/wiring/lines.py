"""How the processes of an installation hear of each other: through Redis, else the database, else not at all."""

import secrets
import threading
from functools import partial

from limits.errors import StorageError
from limits.storage import storage_from_string
from sqlalchemy import make_url

from stablehand.adapters.broadcast import NoOthers
from stablehand.adapters.broadcast_redis import RedisBroadcast, place_of
from stablehand.adapters.doorbell import InProcessDoorbell
from stablehand.adapters.doorbell_postgres import PostgresDoorbell
from stablehand.adapters.doorbell_redis import BroadcastDoorbell
from stablehand.domain.errors import BadSettings
from stablehand.ports import Broadcast, Doorbell
from stablehand.settings import Settings
from stablehand.store import Store
from stablehand.store.patience import connect

#: how long the database may take to take a ring, and Redis to return a message
PATIENCE_SECONDS = 5.0


def open_broadcast(settings: Settings) -> Broadcast:
    """Not connected yet."""
    url = settings.queue.redis_url
    return RedisBroadcast(url.get_secret_value(), settings.queue.redis_prefix) if url else NoOthers()


def try_out_redis(url: str, prefix: str) -> str:
    """Send a message of our own through Redis and hear it; returns place and version.

    Raises BadSettings for what cannot be done.
    """
    broadcast = RedisBroadcast(url, prefix)
    version = broadcast.version()
    opened, heard = threading.Event(), threading.Event()
    channel = f"doctor-{secrets.token_hex(8)}"
    broadcast.subscribe(channel, lambda _: heard.set())
    broadcast.on_open(opened.set)
    broadcast.start()
    try:
        if opened.wait(PATIENCE_SECONDS):
            broadcast.publish(channel, {})
        if not heard.wait(PATIENCE_SECONDS):
            raise BadSettings(
                f"{place_of(url)} answers, but a message that was sent through it did not arrive.",
                hint=f"Let its user publish and subscribe to the channels {prefix}:* (with ACL SETUSER).",
            )
    finally:
        broadcast.close()
    return f"{place_of(url)}, version {version}"


def try_out_counts(url: str, prefix: str) -> None:
    """Count something in Redis, as processes do that count tries and requests together. Raises BadSettings."""
    storage = storage_from_string(
        url.replace("unix://", "redis+unix://", 1) if url.startswith("unix://") else url,
        key_prefix=f"{prefix}:rates",
        wrap_exceptions=True,
    )
    try:
        storage.incr("doctor", 1)
    except StorageError as error:
        raise BadSettings(
            f"{place_of(url)} answers, but nothing can be counted in it, so each process counts wrong passwords for "
            f"itself: {error}",
            hint=f"Let its user run INCRBY, EXPIRE and scripts on the keys {prefix}:rates:* (with ACL SETUSER).",
        ) from error


def open_doorbell(store: Store, broadcast: Broadcast) -> Doorbell:
    """Not connected yet; it rings in this process at least."""
    if broadcast.reaches_others:
        return BroadcastDoorbell(broadcast)
    if store.is_postgresql:
        url = make_url(store.url).set(drivername="postgresql")
        return PostgresDoorbell(
            url.render_as_string(hide_password=False), store.place, partial(connect, PATIENCE_SECONDS)
        )
    return InProcessDoorbell()
