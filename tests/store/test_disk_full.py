"""A full disk: said in our words, nothing half-written, and the house goes on when there is room again."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import event

from stablehand.domain.errors import StorageFull
from stablehand.domain.jobs import State
from stablehand.domain.waiting import STORAGE_FULL
from stablehand.services.jobs import get_job, list_jobs
from tests.store.house import House

WRITE_TOO_MUCH = """
import resource, signal, sys
from pathlib import Path
from stablehand.adapters.objects import Objects
from stablehand.domain.errors import StorageFull
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
objects = Objects(Path(sys.argv[1]))
objects.put("a/small", b"x")
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    objects.put("a/large", bytes(5000))
except StorageFull as error:
    print(error.code, error.hint != "", sorted(objects.list()))
"""


def test_objects_say_that_no_more_fits_and_keep_what_is_there(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WRITE_TOO_MUCH, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")},
    )
    assert done.stdout.strip() == "storage_full True ['a/small']"


def test_a_full_database_refuses_orders_whole_and_takes_them_again_later(file_house: House) -> None:
    house = file_house
    first = house.order()
    engine = house.services.store.engine
    limit = 0

    @event.listens_for(engine, "begin")
    def bound(connection) -> None:  # type: ignore[no-untyped-def]
        connection.exec_driver_sql(f"PRAGMA max_page_count = {limit or 1_000_000}")

    with engine.connect() as connection:
        limit = connection.exec_driver_sql("PRAGMA page_count").scalar_one() + 2
    with pytest.raises(StorageFull):
        house.order(count=1000)
    assert [job.id for job in house.services.store.list_jobs(
        house.account.id, limit=10, cursor=None, states=(), progress=lambda shot_id: 0.0, include=()
    ).items] == [first.id]  # fmt: skip
    limit = 0
    job = house.order(count=1000)
    assert job.state is State.QUEUED
    assert house.services.store.queue_counts() == (1001, 0)


def test_with_no_room_for_pictures_nothing_is_begun_and_who_waits_is_told_why(
    file_house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    services, account = file_house.services, file_house.account
    services.space.ask_again_seconds = 0.0
    hand = file_house.agent()
    file_house.order()
    drawn = hand.claim_one()

    def refuse(key: str, data: bytes, *, content_type: str = "") -> None:
        raise StorageFull("The disk that holds the pictures is full.", hint="Free some space.")

    with monkeypatch.context() as full:
        full.setattr(services.objects, "put", refuse)
        waiting = file_house.order()
        assert get_job(services, account, waiting.id).queue == waiting.queue, "nobody has noticed yet"
        with pytest.raises(StorageFull):
            hand.upload(drawn)
        assert hand.claim(4) == []
        page = list_jobs(services, account, state="queued")
        for job in (get_job(services, account, waiting.id), *page.items):
            assert job.queue is not None
            assert (job.queue.reason, job.queue.eta_seconds) == (STORAGE_FULL, None)
        running = next(job for job in list_jobs(services, account).items if job.id != waiting.id)
        assert running.queue is not None
        assert running.queue.reason is None, "it is drawn already, and offered again"
    (lease,) = hand.claim(4)
    assert (lease.job_id, get_job(services, account, waiting.id).state) == (waiting.id, State.RUNNING)
    assert hand.draw(drawn).accepted == [drawn.shot_id]
    assert not list(services.objects.list("probes"))
