"""An embedded installation moves to PostgreSQL with everything in it, and goes on there."""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from sqlalchemy import inspect, select, text

from stablehand import settings
from stablehand.adapters.bucket import Bucket
from stablehand.domain.errors import BadTransfer
from stablehand.domain.jobs import State
from stablehand.domain.orders import JobOrder
from stablehand.services import Services
from stablehand.services.cancel import cancel
from stablehand.services.gallery import delete_image, image_bytes, list_images, restore_image
from stablehand.services.submit import submit
from stablehand.services.transfer import transfer
from stablehand.store import Store
from stablehand.store.idempotency_row import IdempotencyRow
from stablehand.store.ledger_rows import ChargeRow
from stablehand.store.models import Table
from stablehand.store.outbox_row import OutboxRow
from stablehand.wiring import folders
from tests import commands
from tests.buckets import BucketServer
from tests.store.cluster import Cluster
from tests.store.house import Clock, House, open_services
from tests.store.laws import check_laws
from tests.store.members import DEED, invite, key, session, sign_up


@pytest.fixture
def empty(cluster: Cluster) -> Iterator[str]:
    with cluster.database(empty=True) as url:
        yield url


def quiet(what: str, done: int, of: int) -> None:
    assert 0 <= done <= of, what


def rows_of(store: Store) -> dict[str, Counter[str]]:
    """Every row of every table, as the models see it."""
    found = {}
    with store.reading() as tx:
        for table in Table.metadata.sorted_tables:
            rows = tx.session.execute(select(table)).mappings()
            found[table.name] = Counter(repr(sorted(row.items(), key=lambda item: str(item[0]))) for row in rows)
    return found


def fill(house: House) -> dict[str, str]:
    """Jobs in every state, pictures in the gallery and in the trash, an order under a key; job ids by what they are."""
    hand = house.agent(seats=32)
    jobs = {"succeeded": house.order(count=3).id}
    hand.deliver(*map(hand.upload, hand.claim(3)))
    jobs["failed"] = house.order(count=2).id
    first, second = hand.claim(2)
    hand.fail(first, "final")
    hand.draw(second)
    jobs["cancelled"] = house.order(count=2).id
    cancel(house.services, house.account, jobs["cancelled"])
    jobs["running"] = house.order(count=2).id
    hand.renew(*hand.claim(2))
    hand.upload(hand.claim_one()) if house.order() else None
    order = JobOrder(prompt="ein rotes Haus 🏠 'quoted' %s \\ {}", count=4, seed=2**62)
    jobs["queued"] = submit(house.services, house.account, order, idempotency_key="key").id
    delete_image(house.services, house.account, list_images(house.services, house.account).items[0].id)
    invite(house, "token")
    member = sign_up(house, invitation="token")
    house.services.store.begin_session(session(member, "session", house.clock), DEED)
    house.services.store.add_key(key(member, "key", house.clock), "hash", days=1, deed=DEED)
    return jobs


def moved(house: House, url: str, clock: Clock) -> House:
    """The installation in its new place, with the objects it had."""
    services = open_services(house.services.objects.folder.parent, clock=clock, url=url)  # type: ignore[union-attr]
    return House(replace(services, feed=house.services.feed), clock)


def test_everything_arrives_and_gallery_and_queue_go_on(file_house: House, clock: Clock, empty: str) -> None:
    jobs = fill(file_house)
    before = rows_of(file_house.services.store)
    assert sum(map(len, before.values())) > 40
    target = Store(empty)
    summary = transfer(file_house.services.store, target, objects=file_house.services.objects, tell=quiet)
    target.close()
    assert summary.rows == {name: sum(rows.values()) for name, rows in before.items()}
    assert rows_of(file_house.services.store) == before, "the source is as it was"

    house = moved(file_house, empty, clock)
    assert rows_of(house.services.store) == before
    check_laws(house.services.store)
    assert house.account.id == file_house.account.id
    for state in State:
        assert house.job(jobs[state]) == file_house.job(jobs[state])
        assert house.job(jobs[state]).state is state
    images = list_images(house.services, house.account).items
    assert images == list_images(file_house.services, file_house.account).items
    assert len(images) == 3
    assert image_bytes(house.services, house.account, images[0].id)
    [trashed] = list_images(house.services, house.account, trashed=True).items
    restore_image(house.services, house.account, trashed.id)

    # The order under its key is known; a new one stands behind all that was there; what ran is drawn to its end.
    again = JobOrder(prompt="ein rotes Haus 🏠 'quoted' %s \\ {}", count=4, seed=2**62)
    assert submit(house.services, house.account, again, idempotency_key="key").id == jobs["queued"]
    newest = house.order()
    hand = house.agent(seats=32, incarnation="after the move")
    while leases := hand.claim(4):
        hand.deliver(*map(hand.upload, leases))
    states = check_laws(house.services.store)
    assert State.QUEUED not in states.values()
    assert State.RUNNING not in states.values()
    assert house.job(newest.id).state is State.SUCCEEDED
    with house.services.store.reading() as tx:
        numbers = tx.session.scalars(select(ChargeRow.number).order_by(ChargeRow.number)).all()
        assert len(set(numbers)) == len(numbers)
        assert tx.session.scalar(select(IdempotencyRow.key)) == "key"
    house.services.store.close()


def test_numbers_that_were_given_to_rows_long_gone_are_not_given_again(file_house: House, empty: str) -> None:
    file_house.order()
    with file_house.services.store.writing() as tx:
        last = tx.session.scalar(text("SELECT max(number) FROM outbox"))
        tx.session.execute(text("DELETE FROM outbox"))
    target = Store(empty)
    transfer(file_house.services.store, target, objects=file_house.services.objects, tell=quiet)
    with target.writing() as tx:
        now = tx.now
        row = OutboxRow(account_id="a", job_id="j", kind="k", payload={}, created_at=now, next_try_at=now)
        tx.session.add(row)
        tx.session.flush()
        assert row.number == last + 1
    target.close()


def test_a_target_that_is_not_empty_is_left_alone(file_house: House, cluster: Cluster) -> None:
    file_house.order()
    with cluster.database() as url:
        taken = Store(url)
        taken.owner("somebody")
        before = rows_of(taken)
        with pytest.raises(BadTransfer, match="accounts") as refused:
            transfer(file_house.services.store, taken, objects=file_house.services.objects, tell=quiet)
        assert refused.value.hint
        assert rows_of(taken) == before
        taken.close()


def test_a_transfer_that_breaks_off_leaves_the_target_empty_and_can_be_begun_again(
    file_house: House, empty: str
) -> None:
    fill(file_house)
    target = Store(empty)

    def pull_the_plug(what: str, done: int, of: int) -> None:
        if what == "images" and done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        transfer(file_house.services.store, target, objects=file_house.services.objects, tell=pull_the_plug)
    assert not any(map(len, rows_of(target).values()))
    transfer(file_house.services.store, target, objects=file_house.services.objects, tell=quiet)
    assert rows_of(target) == rows_of(file_house.services.store)
    target.close()


def test_an_old_schema_is_refused(file_house: House, empty: str) -> None:
    with file_house.services.store.writing() as tx:
        tx.session.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    target = Store(empty)
    with pytest.raises(BadTransfer, match="schema"):
        transfer(file_house.services.store, target, objects=file_house.services.objects, tell=quiet)
    assert inspect(target.engine).get_table_names() == []
    target.close()


def run(*arguments: str, **environment: str) -> CompletedProcess[str]:
    return commands.run("transfer", *arguments, **environment)


def same(services: Services, others: Services, account_id: str) -> bool:
    def gallery(of: Services) -> list[tuple[str, bytes]]:
        images = of.store.list_images(account_id, limit=50, cursor=None, trashed=False, words=()).items
        return [(image.id, of.objects.get(image.object_key)) for image in images]

    return gallery(services) == gallery(others) != []


def test_the_command_moves_database_and_pictures_and_says_so(
    file_house: House, empty: str, tmp_path: Path, bucket_server: BucketServer
) -> None:
    fill(file_house)
    address = bucket_server.make()
    bucket = {
        "STABLEHAND_STORAGE__ENDPOINT": str(address.endpoint),
        "STABLEHAND_STORAGE__ACCESS_KEY_ID": str(address.access_key_id),
        "STABLEHAND_STORAGE__SECRET_ACCESS_KEY": str(address.secret_access_key),
        "STABLEHAND_STORAGE__REGION": address.region or "us-east-1",
    }
    table = settings.load(data_dir=tmp_path)
    lock = folders.lock_data_dir(table)
    refused = run("--to", empty, "--data-dir", str(tmp_path))
    lock.close()
    assert refused.returncode == 2
    assert f"process {os.getpid()}" in refused.stderr

    done = run("--to", empty, "--objects", address.url, "--data-dir", str(tmp_path), **bucket)
    assert done.returncode == 0, done.stderr
    assert "shots: 14 of 14" in done.stdout
    assert "storage.database_url and storage.url" in done.stdout
    services = replace(file_house.services, store=Store(empty), objects=Bucket(address))
    assert same(services, file_house.services, file_house.account.id)
    services.store.close()

    again = run("--data-dir", str(tmp_path), STABLEHAND_STORAGE__DATABASE_URL=empty)
    assert again.returncode == 2
    assert "not empty" in again.stderr
    nowhere = run("--data-dir", str(tmp_path))
    assert nowhere.returncode == 2
    assert "--to" in nowhere.stderr
    mistaken = run("--to", "mysql://u:s3cret@h/d", "--data-dir", str(tmp_path))
    assert mistaken.returncode == 2
    assert "storage.database_url" in mistaken.stderr
    assert "s3cret" not in mistaken.stderr
