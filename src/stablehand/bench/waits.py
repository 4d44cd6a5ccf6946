"""From an order to its claim: how long an idle agent's long poll takes to hear of work, with a doorbell and without."""

import random
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from stablehand.adapters.broadcast import NoOthers
from stablehand.adapters.doorbell import InProcessDoorbell
from stablehand.adapters.objects import Objects
from stablehand.domain.accounts import Account
from stablehand.domain.agents import Agent
from stablehand.domain.orders import JobOrder
from stablehand.domain.pools import DEFAULT_POOL
from stablehand.ports import Doorbell
from stablehand.protocol import Claim, Device, Held, Hello, Release, Renew
from stablehand.services import Services
from stablehand.services.accounts import owner
from stablehand.services.agents import register_agent
from stablehand.services.cancel import cancel
from stablehand.services.claim import claim
from stablehand.services.feed import Feed
from stablehand.services.hello import hello
from stablehand.services.identity import new_id
from stablehand.services.release import release
from stablehand.services.renew import renew
from stablehand.services.submit import submit
from stablehand.store import Store
from stablehand.wiring.lines import open_doorbell

#: Between two orders, in seconds: at random, so that orders meet the slow poll at any moment of its pause.
PAUSE_SECONDS = (0.05, 0.6)


def submit_to_claim(url: str, orders: int) -> dict[str, Any]:
    """Two servers on one database, one takes orders and one serves an agent; milliseconds from submit to claim."""
    with_bell = _measure(url, orders, cut=False)
    without = _measure(url, max(3, orders // 2), cut=True)
    return {
        "with_doorbell_p50_ms": round(_at(with_bell, 0.5), 1),
        "with_doorbell_p95_ms": round(_at(with_bell, 0.95), 1),
        "without_p50_ms": round(_at(without, 0.5), 1),
        "without_p95_ms": round(_at(without, 0.95), 1),
    }


def _measure(url: str, orders: int, *, cut: bool) -> list[float]:
    """``cut``: the two servers do not hear each other, so that only the slow poll is left."""
    stores = [Store(url, connections=4) for _ in range(2)]
    bells: list[Doorbell]
    if cut:
        bells = [InProcessDoorbell(), InProcessDoorbell()]
    elif stores[0].is_postgresql:
        bells = [open_doorbell(store, NoOthers()) for store in stores]
    else:
        bells = [InProcessDoorbell()] * 2  # SQLite serves one process
    for bell in dict.fromkeys(bells):
        bell.start()
    try:
        with tempfile.TemporaryDirectory() as folder:
            orderer, server = (
                Services(store=store, objects=Objects(Path(folder)), doorbell=bell, feed=Feed())
                for store, bell in zip(stores, bells, strict=True)
            )
            return _orders(orderer, server, orders)
    finally:
        for bell in dict.fromkeys(bells):
            bell.close()
        for store in stores:
            store.close()


def _orders(orderer: Services, server: Services, orders: int) -> list[float]:
    account = owner(orderer)
    agent = register_agent(server, "bench-waits", DEFAULT_POOL.name, new_id())
    incarnation = new_id()
    device = Device(kind="cpu", name="bench")
    hello(server, agent, Hello(incarnation=incarnation, runtime="null", device=device, ready=True, seats=10**6))
    claimed: dict[str, float] = {}
    arrived = threading.Condition()
    ending = threading.Event()
    agent_thread = threading.Thread(target=_serve, args=(server, agent, incarnation, claimed, arrived, ending))
    agent_thread.start()
    dice = random.Random(0)
    took = []
    for _ in range(orders):
        time.sleep(dice.uniform(*PAUSE_SECONDS))
        job = _order(orderer, account)
        accepted = time.perf_counter()
        with arrived:
            arrived.wait_for(lambda job=job: job in claimed, timeout=30)  # type: ignore[misc]
        took.append(1000 * max(0.0, claimed[job] - accepted))
    ending.set()
    last = _order(orderer, account)  # wakes the agent
    agent_thread.join(30)
    for job in {*claimed, last}:  # nobody delivers them: nothing must be left for whoever measures next
        cancel(orderer, account, job)
    release(server, agent, Release(incarnation=incarnation, shots=[], leaving=True))
    return took


def _order(services: Services, account: Account) -> str:
    return submit(services, account, JobOrder(prompt="a red house")).id


def _serve(  # noqa: PLR0917  threads hand them over in order
    services: Services,
    agent: Agent,
    incarnation: str,
    claimed: dict[str, float],
    arrived: threading.Condition,
    ending: threading.Event,
) -> None:
    message = Claim(incarnation=incarnation, seats=4, wait_seconds=5)
    while not ending.is_set():
        leases = claim(services, agent, message).leases
        with arrived:
            claimed |= {lease.job_id: time.perf_counter() for lease in leases}
            arrived.notify_all()
        if leases:  # else they would count as lost on their way, and come again
            held = [Held(shot_id=lease.shot_id, token=lease.token) for lease in leases]
            renew(services, agent, Renew(incarnation=incarnation, shots=held))


def _at(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
