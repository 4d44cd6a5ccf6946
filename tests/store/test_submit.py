"""Orders at the door: checked whole, stored whole or not at all, and never twice under one key."""

import threading
from dataclasses import replace

import pytest
from sqlalchemy import func, select

from stablehand.domain.errors import IdempotencyConflict, InvalidFields, NoPool, QueueFull
from stablehand.domain.jobs import Job, State
from stablehand.domain.orders import JobOrder
from stablehand.domain.pools import Pool
from stablehand.domain.tiers import SHIPPED
from stablehand.services.cancel import cancel
from stablehand.services.jobs import list_jobs
from stablehand.services.submit import submit
from stablehand.store.models import ShotRow
from stablehand.store.outbox_row import OutboxRow
from tests.store.house import House, found


def count(house: House, table: type[ShotRow] | type[OutboxRow]) -> int:
    with house.services.store.reading() as tx:
        return tx.session.scalar(select(func.count()).select_from(table)) or 0


def test_every_wrong_field_is_named_at_once_and_nothing_is_stored(house: House) -> None:
    order = JobOrder(prompt="", steps=0, width=100, sampler="?", checkpoint="gamma", tier="royal", count=10**9)
    with pytest.raises(InvalidFields) as refused:
        submit(house.services, house.account, order)
    assert set(refused.value.fields) == {"prompt", "steps", "width", "sampler", "checkpoint", "tier", "count"}
    assert list_jobs(house.services, house.account).items == ()
    assert count(house, ShotRow) == count(house, OutboxRow) == 0


def test_defaults_come_from_the_checkpoint(house: House) -> None:
    recipe = house.order(checkpoint="BETA").recipe
    assert (recipe.checkpoint, recipe.checkpoint_id, recipe.width, recipe.height) == ("beta", "id-beta", 64, 64)
    assert house.order().recipe.checkpoint == "alpha"
    assert house.order(checkpoint="id-beta").recipe.checkpoint == "beta"


def test_an_open_seed_is_fixed_at_submit(house: House) -> None:
    first, second = house.order(count=3), house.order(count=3, seed=-1)
    assert [shot.seed - first.recipe.seed for shot in first.shots] == [0, 1, 2]
    assert 0 <= first.recipe.seed < 2**32
    assert first.recipe.seed != second.recipe.seed


def test_the_tier_is_the_best_the_account_may_use(house: House) -> None:
    assert house.order().tier == "premium"
    plain = replace(house.account, role="user", tiers=("normal",))
    assert submit(house.services, plain, JobOrder(prompt="x")).tier == "normal"
    with pytest.raises(InvalidFields) as refused:
        submit(house.services, plain, JobOrder(prompt="x", tier="premium"))
    assert list(refused.value.fields) == ["tier"]


def test_a_thousand_pictures_are_one_order(house: House) -> None:
    job = house.order(count=1000)
    assert [shot.index for shot in job.shots] == list(range(1000))
    assert count(house, ShotRow) == 1000


def test_the_queue_of_an_account_is_bounded(house: House) -> None:
    house.services.store.tiers = SHIPPED.with_quotas(queued=5)
    job = house.order(count=3)
    with pytest.raises(QueueFull):
        house.order(count=3)
    house.order(count=2)
    cancel(house.services, house.account, job.id)
    house.order(count=3)


def test_a_checkpoint_that_no_pool_runs_is_refused(house: House) -> None:
    house.services = replace(house.services, pools=(Pool("static", frozenset({"Alpha"})),))
    assert house.order(checkpoint="alpha").state is State.QUEUED
    with pytest.raises(NoPool):
        house.order(checkpoint="beta")


def test_the_same_key_is_the_same_job_and_another_order_is_a_conflict(house: House) -> None:
    def send(prompt: str, key: str) -> Job:
        return submit(house.services, house.account, JobOrder(prompt=prompt), idempotency_key=key)

    first = send("a", "k")
    assert send("a", "k") == first
    assert send("a", "other").id != first.id
    with pytest.raises(IdempotencyConflict):
        send("b", "k")
    house.clock.turn(25 * 3600)
    assert send("b", "k").id != first.id


def test_a_known_key_is_answered_even_if_the_order_could_not_be_placed_now(house: House) -> None:
    order = JobOrder(prompt="a", checkpoint="beta")
    job = submit(house.services, house.account, order, idempotency_key="k")
    house.services.store.note_scan([found("alpha")])
    with pytest.raises(InvalidFields):
        submit(house.services, house.account, order)
    assert submit(house.services, house.account, order, idempotency_key="k").id == job.id


@pytest.mark.parametrize("key", ["", "x" * 256, "a\nb", "ü"])
def test_bad_keys_are_refused(house: House, key: str) -> None:
    with pytest.raises(InvalidFields):
        submit(house.services, house.account, JobOrder(prompt="a"), idempotency_key=key)


def test_many_threads_with_one_key_make_one_job(house: House) -> None:
    jobs: list[str] = []
    start = threading.Barrier(8)

    def send() -> None:
        start.wait()
        jobs.append(submit(house.services, house.account, JobOrder(prompt="a", count=3), idempotency_key="k").id)

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(jobs) == 8
    assert len(set(jobs)) == 1
    assert count(house, ShotRow) == 3


def test_lists_are_paged_newest_first_and_filtered(house: House) -> None:
    jobs = [house.order().id for _ in range(5)]
    cancel(house.services, house.account, jobs[1])
    page = list_jobs(house.services, house.account, limit=2)
    assert [job.id for job in page.items] == [jobs[4], jobs[3]]
    house.order()
    rest = list_jobs(house.services, house.account, limit=3, cursor=page.next_cursor)
    assert [job.id for job in rest.items] == [jobs[2], jobs[1], jobs[0]]
    assert rest.next_cursor is None
    finished = list_jobs(house.services, house.account, state="finished")
    assert [job.id for job in finished.items] == [jobs[1]]
    assert jobs[1] not in {job.id for job in list_jobs(house.services, house.account, state="active").items}
    for bad in ({"cursor": "x"}, {"state": "asleep"}, {"limit": 0}):
        with pytest.raises(InvalidFields):
            list_jobs(house.services, house.account, **bad)
