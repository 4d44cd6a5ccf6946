"""Notices to a receiver that misbehaves, by couriers that are killed: is any of them lost, and who is held up?"""

import multiprocessing
import os
import random
import signal
import tempfile
import time
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from sqlalchemy import func, insert, select

from stablehand.adapters.doorbell import InProcessDoorbell
from stablehand.adapters.objects import Objects
from stablehand.adapters.outside import Rules
from stablehand.bench.receiver import Receiver
from stablehand.domain.notices import KINDS
from stablehand.domain.webhooks import WebhookLimits
from stablehand.services import Services
from stablehand.services.accounts import owner
from stablehand.services.courier import Courier
from stablehand.services.dispatch import Carriage, DispatchSink
from stablehand.services.feed import Feed
from stablehand.services.links import Addresses
from stablehand.services.webhook_channel import WebhookChannel
from stablehand.services.webhooks import add_webhook, dispatch_counts
from stablehand.store import Store
from stablehand.store.dispatch_rows import DispatchTryRow
from stablehand.store.outbox_row import OutboxRow
from stablehand.store.settling import notice_values

SERVER_KEY = "a key for a measurement and for nothing else"
#: instead of three days; as many tries as ever one needs that fails by chance
PAUSES_SECONDS = (0.2, 0.5, 1.0) + (2.0,) * 27
TRY_SECONDS = 1.0
#: a courier lives for so long before it is killed
LIFE_SECONDS = (0.1, 1.5)
#: after the last kill; a second more for each notice
PATIENCE_SECONDS = 120.0


def run(notices: int = 10_000, kills: int = 100, *, database_url: str | None = None, seed: int = 7) -> dict[str, Any]:
    """``notices`` to a good and to a bad receiver each, by couriers of which ``kills`` are killed (SIGKILL).

    ``database_url``: an empty database; default: an SQLite file.
    """
    with tempfile.TemporaryDirectory() as folder:
        url = database_url or Store.url_of(Path(folder) / "notices.db")
        store = Store(url)
        store.migrate()
        store.close()
        services = _services(url, folder)
        receiver = Receiver(seed)
        receiver.start()
        try:
            told = _write_notices(services, receiver, notices)
            seconds = _carry(services, kills, random.Random(seed), (url, folder), patience=PATIENCE_SECONDS + notices)
            return {
                "notices": notices,
                "kills": kills,
                "seconds": round(seconds, 1),
                **_result(services, receiver, told),
            }
        finally:
            receiver.end()
            services.store.close()


def _write_notices(services: Services, receiver: Receiver, count: int) -> set[str]:
    """Returns their ids."""
    account = owner(services)
    for path in ("/good", "/bad"):
        _, receiver.secrets[path] = add_webhook(
            services, account, SERVER_KEY, url=receiver.url + path, types=["quota.reached"]
        )
    with services.store.writing() as tx:
        rows = [
            notice_values(tx.now - timedelta(seconds=1), account.id, "", "quota_reached", {"number": number})
            for number in range(count)
        ]
        tx.session.execute(insert(OutboxRow), rows)
        return {row["id"] for row in rows}


def _carry(services: Services, kills: int, chance: random.Random, place: tuple[str, str], *, patience: float) -> float:
    """Returns the seconds that it took in all."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["stablehand.bench.notices"])
    began = time.monotonic()
    for _ in range(kills):
        courier = context.Process(target=_carry_until_killed, args=place, daemon=True)
        courier.start()
        time.sleep(chance.uniform(*LIFE_SECONDS))
        _kill(courier)
    last = context.Process(target=_carry_until_killed, args=place, daemon=True)
    last.start()
    until = time.monotonic() + patience
    while time.monotonic() < until and not _is_done(services):
        time.sleep(0.2)
    _kill(last)
    return time.monotonic() - began


def _result(services: Services, receiver: Receiver, told: set[str]) -> dict[str, Any]:
    with services.store.reading() as tx:
        tries = tx.session.scalar(select(func.count()).select_from(DispatchTryRow)) or 0
    good, bad = receiver.taken["/good"], receiver.taken["/bad"]
    times = [at for arrived in receiver.arrived_at.values() for at in arrived.values()]
    return {
        "store": "postgresql" if services.store.is_postgresql else "sqlite",
        "lost": sum(taken[one] == 0 for one in told for taken in (good, bad)),
        "unknown_ids": len((good.keys() | bad.keys()) - told),
        "forged": receiver.forged,
        "dead": sum(one.count for one in dispatch_counts(services) if one.state.value == "dead"),
        "arrived_at_good": good.total(),
        "arrived_at_bad": bad.total(),
        "tries_written_down": tries,
        "bad_receiver": dict(sorted(receiver.ends.items())),
        "good_had_all_after_seconds": round(max(receiver.arrived_at["/good"].values()) - min(times), 1),
        "bad_had_all_after_seconds": round(max(receiver.arrived_at["/bad"].values()) - min(times), 1),
    }


def _is_done(services: Services) -> bool:
    waiting = sum(one.count for one in dispatch_counts(services) if one.state.value == "waiting")
    return waiting == 0 and services.store.outbox_state().waiting == 0


def _carry_until_killed(url: str, folder: str) -> None:
    services = _services(url, folder)
    channel = WebhookChannel(
        services, SERVER_KEY, Addresses(SERVER_KEY, "http://127.0.0.1"), answer_seconds=TRY_SECONDS
    )
    channel.pauses_seconds = PAUSES_SECONDS
    sink = DispatchSink(services, [channel])
    Courier(services, dict.fromkeys(KINDS, (sink,)), Carriage(services, [channel])).start()
    signal.pause()


def _kill(process: Any) -> None:
    os.kill(process.pid, signal.SIGKILL)
    process.join()


def _services(url: str, folder: str) -> Services:
    return Services(
        store=Store(url),
        objects=Objects(Path(folder) / "objects"),
        doorbell=InProcessDoorbell(),
        feed=Feed(),
        fetching=Rules(networks=(ip_network("127.0.0.1/32"),)),
        webhooks=WebhookLimits(http=True),
    )
