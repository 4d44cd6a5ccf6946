"""Many at once: threads of one process, and two processes' worth of connections to one file."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from stablehand.adapters.doorbell import InProcessDoorbell
from stablehand.domain.jobs import State
from stablehand.protocol import Claim, Lease
from stablehand.services import Limits, Services
from stablehand.services.claim import claim
from stablehand.services.feed import Feed
from stablehand.services.jobs import wait_for_job
from stablehand.store import Store
from tests.store.house import Hand, House


def beside(services: Services) -> Services:
    """The same database through connections of its own, as another process would have."""
    return Services(
        store=Store(services.store.url, clock=services.store._clock),
        objects=services.objects,
        doorbell=InProcessDoorbell(),
        feed=Feed(),
    )


def at_once(works: list[Callable[[], object]]) -> list[object]:
    start = threading.Barrier(len(works))

    def run(work: Callable[[], object]) -> object:
        start.wait()
        return work()

    with ThreadPoolExecutor(len(works)) as pool:
        return [future.result() for future in [pool.submit(run, work) for work in works]]


def test_racing_agents_get_each_shot_exactly_once(house: House) -> None:
    house.order(count=120)
    other = beside(house.services)
    hands = [house.agent(f"agent-{index}", seats=256) for index in range(6)]
    for hand in hands[3:]:
        hand.services = other
    claimed: list[Lease] = []

    def drain(hand: Hand) -> None:
        while leases := hand.claim(7):
            claimed.extend(leases)

    at_once([lambda hand=hand: drain(hand) for hand in hands])  # type: ignore[misc]
    other.store.close()
    assert len(claimed) == 120
    assert len({lease.shot_id for lease in claimed}) == 120


def test_two_racing_deliveries_of_one_picture_leave_one_image(house: House) -> None:
    job = house.order(count=2)
    other = beside(house.services)
    one = house.agent()
    two = Hand(other, one.name, one.seats)
    first, second = one.claim(2)
    pictures = [one.upload(first), one.upload(first), one.upload(second), one.upload(second)]
    answers = at_once([lambda p=p, h=h: h.deliver(p) for p, h in zip(pictures, [one, two] * 2, strict=True)])  # type: ignore[misc]
    other.store.close()
    assert all(answer.accepted for answer in answers)  # type: ignore[attr-defined]
    done = house.job(job.id)
    assert done.state is State.SUCCEEDED
    assert len(done.images) == 2


def test_a_waiting_claim_is_woken_by_the_doorbell(house: House) -> None:
    hand = house.agent()
    rung = threading.Event()
    wait = house.services.doorbell.wait

    def waiting(topic: str, timeout_seconds: float, since: int | None = None) -> bool:
        rung.set()
        return wait(topic, timeout_seconds, since)

    house.services.doorbell.wait = waiting  # type: ignore[method-assign]

    def ask() -> list[Lease]:
        message = Claim(incarnation=hand.incarnation, seats=1, wait_seconds=20)
        return claim(house.services, hand.agent, message).leases

    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(ask)
        rung.wait()
        job = house.order()
        assert [lease.job_id for lease in answer.result()] == [job.id]


def test_a_slow_poll_heals_a_doorbell_that_never_rings(house: House) -> None:
    house.services = replace(house.services, limits=Limits(poll_seconds=0.2))
    hand = house.agent()
    house.services.doorbell.ring = lambda topic: None  # type: ignore[method-assign]
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(
            claim, house.services, hand.agent, Claim(incarnation=hand.incarnation, seats=1, wait_seconds=20)
        )
        job = house.order()
        [lease] = answer.result().leases
        waiter = pool.submit(wait_for_job, house.services, house.account, job.id, 20)
        hand.draw(lease)
        assert waiter.result().state is State.SUCCEEDED


def test_readers_do_not_wait_for_a_writer(house: House) -> None:
    job = house.order()
    with house.services.store.writing() as tx, ThreadPoolExecutor(1) as pool:
        assert tx.now == house.clock.now
        assert pool.submit(house.job, job.id).result(timeout=30).id == job.id
