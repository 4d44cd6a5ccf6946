"""How the processes of an installation hear of each other: through Redis, else the database, else not at all."""

from functools import partial

from sqlalchemy import make_url

from stablehand.adapters.broadcast import NoOthers
from stablehand.adapters.broadcast_redis import RedisBroadcast
from stablehand.adapters.doorbell import InProcessDoorbell
from stablehand.adapters.doorbell_postgres import PostgresDoorbell
from stablehand.adapters.doorbell_redis import BroadcastDoorbell
from stablehand.ports import Broadcast, Doorbell
from stablehand.settings import Settings
from stablehand.store import Store
from stablehand.store.patience import connect

#: how long the database may take to take a ring
PATIENCE_SECONDS = 5.0


def open_broadcast(settings: Settings) -> Broadcast:
    """Not connected yet."""
    url = settings.queue.redis_url
    return RedisBroadcast(url.get_secret_value(), settings.queue.redis_prefix) if url else NoOthers()


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
