"""Many at once: threads of one process, and two processes' worth of connections to one database."""

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import delete, select

from stablehand.adapters.doorbell import InProcessDoorbell
from stablehand.domain.errors import LeaseLost, QueueFull, StablehandError
from stablehand.domain.jobs import State
from stablehand.domain.orders import JobOrder
from stablehand.domain.tiers import SHIPPED
from stablehand.protocol import Claim, Lease
from stablehand.services import Limits, Services
from stablehand.services.accounts import owner
from stablehand.services.agents import hash_token, register_agent
from stablehand.services.cancel import cancel
from stablehand.services.claim import claim
from stablehand.services.expire import expire, expire_agent
from stablehand.services.feed import Feed
from stablehand.services.jobs import wait_for_job
from stablehand.services.purge import purge
from stablehand.services.submit import submit
from stablehand.store import Store
from stablehand.store.models import IS_RUNNING, AccountRow, ShotRow
from tests.store.house import Hand, House, found
from tests.store.laws import check_laws


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


def test_agents_that_race_do_not_pass_an_accounts_limit_together(house: House) -> None:
    house.services.store.tiers = SHIPPED.with_quotas(running=5)
    other = beside(house.services)
    other.store.tiers = house.services.store.tiers
    house.order(count=60)
    hands = [house.agent(f"agent-{index}", seats=16) for index in range(6)]
    for hand in hands[3:]:
        hand.services = other
    claimed: list[Lease] = []
    at_once([lambda hand=hand: claimed.extend(hand.claim(3)) for hand in hands])  # type: ignore[misc]
    other.store.close()
    assert len(claimed) == 5


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


def many(count: int, work: Callable[[], object]) -> list[object]:
    """The same at once; what it refuses with is an answer too."""

    def answer() -> object:
        try:
            return work()
        except StablehandError as error:
            return error

    return at_once([answer] * count)


@pytest.fixture
def other(house: House) -> Iterator[Services]:
    services = beside(house.services)
    yield services
    services.store.close()


def test_racing_orders_do_not_pass_the_accounts_limit(house: House) -> None:
    house.services.store.tiers = SHIPPED.with_quotas(queued=5)
    answers = many(8, lambda: house.order(count=2))
    assert sum(isinstance(answer, QueueFull) for answer in answers) == 6
    assert house.services.store.queue_counts() == (4, 0)
    check_laws(house.services.store)


def test_racing_orders_under_one_key_are_one_job(house: House, other: Services) -> None:
    order = JobOrder(prompt="a red house", count=2)
    places = [house.services, other] * 4
    answers = at_once(
        [lambda s=s: submit(s, house.account, order, idempotency_key="k").id for s in places]  # type: ignore[misc]
    )
    assert len(set(answers)) == 1
    check_laws(house.services.store, accepted={str(answers[0]): 2})


def test_the_last_two_pictures_delivered_together_end_the_job_once(house: House, other: Services) -> None:
    for _ in range(8):
        job = house.order(count=2)
        one, two = house.agent("one"), house.agent("two")
        two.services = other
        pictures = [one.upload(one.claim_one()), two.upload(two.claim_one())]
        at_once([lambda: one.deliver(pictures[0]), lambda: two.deliver(pictures[1])])  # noqa: B023
        assert house.job(job.id).state is State.SUCCEEDED
    check_laws(house.services.store)


def test_a_job_cancelled_while_it_is_claimed_given_back_and_drawn_leaves_nothing_waiting(
    house: House, other: Services
) -> None:
    for number in range(8):
        job = house.order(count=6)
        one, two, three = (house.agent(name) for name in ("one", "two", "three"))
        two.services = other
        mine, theirs = one.claim(2), two.claim(2)
        picture = one.upload(mine[0])
        claimed: list[Lease] = []
        works: list[Callable[[], object]] = [
            lambda: cancel(house.services, house.account, job.id),  # noqa: B023
            lambda: one.deliver(picture),  # noqa: B023
            lambda: one.fail(mine[1]),  # noqa: B023
            lambda: two.release(*theirs),  # noqa: B023
            lambda: claimed.extend(three.claim(2)),  # noqa: B023
        ]
        random.Random(number).shuffle(works)
        at_once(works)
        if claimed:
            assert three.renew(*claimed).cancelled == [lease.shot_id for lease in claimed]
        assert house.job(job.id).state.is_terminal
        check_laws(house.services.store)


def test_a_picture_delivered_as_its_lease_runs_out_is_either_kept_or_drawn_again(house: House, other: Services) -> None:
    for number in range(8):
        job = house.order()
        hand = house.agent(incarnation=f"life {number}")
        picture = hand.upload(hand.claim_one())
        house.clock.turn(31)
        _, delivered = at_once([lambda: expire(other), lambda: hand.deliver(picture)])  # noqa: B023
        state = house.job(job.id).state
        assert (state is State.SUCCEEDED) == (delivered.accepted == [picture.shot_id])  # type: ignore[attr-defined]
        cancel(house.services, house.account, job.id)
        check_laws(house.services.store)


def test_an_agent_replaced_while_it_claims_holds_nothing_afterwards(house: House, other: Services) -> None:
    house.order(count=40)
    for number in range(6):
        hand = house.agent(incarnation=f"old {number}")
        newer = Hand(other, hand.name, hand.seats, incarnation=f"new {number}")
        at_once([lambda: many(3, lambda: hand.claim(2)), newer.hello])  # noqa: B023
        many(2, lambda: newer.claim(1))  # noqa: B023
        with house.services.store.reading() as tx:
            held = tx.session.scalars(select(ShotRow.incarnation).where(IS_RUNNING)).all()
        assert set(held) == {f"new {number}"}
        check_laws(house.services.store)


def test_what_two_servers_make_at_their_start_is_made_once(house: House, other: Services) -> None:
    with house.services.store.writing() as tx:
        tx.session.execute(delete(AccountRow))
    owners = at_once([lambda s=s: owner(s).id for s in [house.services, other] * 3])  # type: ignore[misc]
    assert len(set(owners)) == 1
    agents = at_once(
        [lambda s=s: register_agent(s, "local", "default", hash_token("t")).id for s in [house.services, other] * 3]  # type: ignore[misc]
    )
    assert len(set(agents)) == 1
    scans = [found("alpha"), found("beta"), found("gamma")]
    at_once([lambda s=s: s.store.note_scan(scans) for s in [house.services, other] * 3])  # type: ignore[misc]
    assert len(house.services.store.checkpoints()) == 3


def test_two_servers_that_purge_together_name_each_object_once(house: House, other: Services) -> None:
    house.order(count=6)
    hand = house.agent()
    hand.deliver(*map(hand.upload, hand.claim(6)))
    left = hand.upload(hand.claim_one()) if house.order() else None
    assert left is not None
    for image in house.services.store.list_images(
        house.account.id, limit=9, cursor=None, trashed=False, words=()
    ).items:
        house.services.store.set_trashed(image.id, house.account.id, True)
    house.clock.turn(40 * 86_400)
    at_once([lambda s=s: purge(s) for s in [house.services, other] * 2])  # type: ignore[misc]
    assert list(house.services.objects.list()) == []


def test_a_storm_of_everything_leaves_a_house_in_order(house: House, other: Services) -> None:
    """Six threads do whatever an agent, an account or the upkeep may do, in any order, on few jobs."""
    jobs = [house.order(count=5).id for _ in range(4)]
    lock = threading.Lock()
    accepted = dict.fromkeys(jobs, 5)

    def work(seed: int) -> None:
        dice = random.Random(seed)
        services = (house.services, other)[seed % 2]
        hand = house.agent(f"agent-{seed}", seats=4)
        hand.services = services
        leases: list[Lease] = []
        for _ in range(40):
            act = dice.choice(
                ["claim", "claim", "draw", "draw", "fail", "release", "cancel", "renew", "order", "hello", "die"]
            )
            some = [leases.pop(dice.randrange(len(leases)))] if leases else []
            try:
                if act == "claim":
                    leases += hand.claim(dice.randint(1, 4))
                elif act == "order":
                    job = submit(services, house.account, JobOrder(prompt="x", count=3))
                    with lock:
                        accepted[job.id] = 3
                elif act == "cancel" and dice.random() < 0.3:
                    with lock:
                        job_id = dice.choice(sorted(accepted))
                    cancel(services, house.account, job_id)
                elif act == "renew":
                    hand.renew(*some, *leases)
                elif act == "hello" and dice.random() < 0.3:
                    hand.hello(f"{seed} {dice.random()}")
                elif act == "die" and dice.random() < 0.3:
                    expire_agent(services, hand.agent.id)
                    hand.hello(f"{seed} {dice.random()}")
                elif act == "draw":
                    for lease in some:
                        hand.draw(lease)
                elif act == "fail":
                    for lease in some:
                        hand.fail(lease, dice.choice(["retry", "final"]))
                else:
                    hand.release(*some)
            except LeaseLost:
                pass

    at_once([lambda seed=seed: work(seed) for seed in range(6)])  # type: ignore[misc]
    check_laws(house.services.store, accepted=accepted)
