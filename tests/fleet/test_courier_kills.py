"""A courier that is killed again and again: every notice arrives, in the order of its job, under one id."""

import json
import multiprocessing
import os
import random
import signal
import socket
import time
from pathlib import Path
from typing import Any

from stablehand.bench import notices
from stablehand.bench.receiver import Receiver
from stablehand.domain.notices import KINDS, Notice
from stablehand.services.accounts import owner
from stablehand.services.cancel import cancel
from stablehand.services.courier import Courier
from stablehand.store import DATABASE_NAME, Store
from tests.running import eventually
from tests.store.cluster import Cluster
from tests.store.house import House, migrated_database, open_services

#: couriers that die between a delivery and its note
DEATHS = 6
#: couriers killed whenever it may be
KILLS = 12
JOBS = 20


class SlowFile:
    """A sink that takes its time, so that kills come between its writing and the courier's.

    ``dies_after`` kills its process with that many notices written and the last of them not yet noted by the courier.
    """

    def __init__(self, path: str, dies_after: int | None) -> None:
        self._path = path
        self._left = dies_after

    def take(self, notice: Notice) -> None:
        line = json.dumps({"id": notice.id, "job": notice.job_id, "kind": notice.kind}) + "\n"
        file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(file, line.encode())
        os.close(file)
        time.sleep(0.002)
        if self._left is not None:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


def carry_until_killed(url: str, folder: str, path: str, dies_after: int | None) -> None:
    services = open_services(Path(folder), url=url)
    sink = SlowFile(path, dies_after)
    Courier(services, {kind: [sink] for kind in KINDS}).start()
    time.sleep(600)


def suffer(url: str, folder: Path) -> None:
    """Order, cancel, and kill couriers all the while; then let one finish, and look at what arrived."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.fleet.test_courier_kills"])
    services = open_services(folder, url=url)
    house = House(services, None)  # type: ignore[arg-type]  # the database's own clock
    account = owner(services)
    path = folder / "taken"
    told: list[str] = []

    def courier(dies_after: int | None = None) -> Any:
        arguments = (url, str(folder), str(path), dies_after)
        process = context.Process(target=carry_until_killed, args=arguments, daemon=True)
        process.start()
        return process

    def order() -> None:
        job = house.order()
        cancel(services, account, job.id)
        told.append(job.id)

    chance = random.Random(7)
    for _ in range(DEATHS):
        order()
        courier(dies_after=chance.randrange(1, 3)).join()
    for _ in range(KILLS):
        for _ in range(chance.randrange(3)):
            if len(told) < JOBS:
                order()
        running = courier()
        time.sleep(chance.uniform(0.02, 0.25))
        os.kill(running.pid, signal.SIGKILL)
        running.join()
    last = courier()
    eventually(lambda: services.store.outbox_state().waiting == 0, "all are delivered")
    os.kill(last.pid, signal.SIGKILL)
    last.join()
    assert services.store.outbox_state().dead == 0
    services.store.close()

    taken = [json.loads(line) for line in path.read_text().splitlines()]
    ids = {(line["job"], line["kind"]): set[str]() for line in taken}
    for line in taken:
        ids[line["job"], line["kind"]].add(line["id"])
    assert set(ids) == {(job_id, kind) for job_id in told for kind in ("job_submitted", "job_finished")}
    assert all(len(names) == 1 for names in ids.values()), "one id for ever"
    assert len({name for names in ids.values() for name in names}) == len(ids), "and nobody else's"
    for job_id in told:
        first = list(dict.fromkeys(line["kind"] for line in taken if line["job"] == job_id))
        assert first == ["job_submitted", "job_finished"]
    assert len(taken) >= len(ids) + DEATHS, "each of those deaths came between a delivery and its note"


def test_on_sqlite(tmp_path: Path) -> None:
    (tmp_path / DATABASE_NAME).write_bytes(migrated_database())
    suffer(Store.url_of(tmp_path / DATABASE_NAME), tmp_path)


def test_on_postgresql(tmp_path: Path, cluster: Cluster) -> None:
    with cluster.database() as url:
        suffer(url, tmp_path)


def test_what_a_dying_courier_leaves_unsaid_is_no_forgery() -> None:
    receiver = Receiver(seed=7)
    receiver.secrets["/good"] = "whsec_c2VjcmV0"
    receiver.start()
    host, port = receiver.url.removeprefix("http://").split(":")
    head = "POST /good HTTP/1.1\r\nwebhook-id: a\r\nwebhook-timestamp: 1\r\nwebhook-signature: v1,x\r\n"
    try:
        for body in (b'{"type', b'{"type": 1}'):
            with socket.create_connection((host, int(port))) as line:
                line.sendall(f"{head}Content-Length: 11\r\n\r\n".encode() + body)
                line.shutdown(socket.SHUT_WR)
                while line.recv(4096):
                    pass
    finally:
        receiver.end()
    assert (receiver.ends, receiver.forged) == ({"cut off": 1, "taken": 1}, 1)


def test_webhooks_of_killed_couriers_arrive_under_one_id(cluster: Cluster) -> None:
    with cluster.database(empty=True) as url:
        result = notices.run(40, kills=3, database_url=url)
    assert (result["lost"], result["unknown_ids"], result["forged"], result["dead"]) == (0, 0, 0, 0)
    assert result["arrived_at_good"] >= 40
    assert result["arrived_at_bad"] >= 40
