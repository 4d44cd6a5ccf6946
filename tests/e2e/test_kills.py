"""An accepted job survives kill -9 of the agent and of the server: every picture exactly once, charged once."""

import os
import signal
import sqlite3
from collections import Counter

from tests.running import RunningService, ServiceFactory, eventually

COUNT = 24
KILLS = 4


def test_four_agents_killed_and_every_picture_once(make_service: ServiceFactory) -> None:
    service = make_service(COMPUTE__RUNTIME="null", COMPUTE__NULL_SECONDS_PER_STEP=0.03, COMPUTE__SEATS=4)
    service.start()
    job = service.submit(prompt="a red house", count=COUNT, steps=20, width=64, height=64, seed=100)
    killed: set[int] = set()
    for kill in range(KILLS):
        # Each agent is killed with pictures in flight, after some more have arrived.
        wanted = min(kill * 5 + 2, COUNT - 4)
        eventually(lambda: _delivered(service, job["id"]) >= wanted, f"{wanted} pictures")  # noqa: B023
        victim = _agent_at_work(service, killed)
        os.kill(victim, signal.SIGKILL)
        killed.add(victim)
    done = service.finished(job["id"])

    assert done["state"] == "succeeded"
    _every_picture_once(service, done)
    assert len(killed) == KILLS
    attempts = _rows(service, "SELECT sum(losses), sum(errors) FROM shots")[0]
    assert attempts[0] >= KILLS, "each kill lost at least one lease"
    assert attempts[1] == 0, "a loss is no error"


def test_neither_a_killed_worker_nor_a_killed_or_stopped_server_loses_anything(make_service: ServiceFactory) -> None:
    service = make_service(COMPUTE__RUNTIME="null", COMPUTE__NULL_SECONDS_PER_STEP=0.03, COMPUTE__SEATS=4)
    service.start()
    first = service.submit(prompt="one", count=16, steps=30, width=64, height=64, seed=1)
    second = service.submit(prompt="two", count=3, steps=5, width=64, height=64, seed=7)
    eventually(lambda: _delivered(service, first["id"]) >= 2, "some pictures")
    service.kill_worker()
    eventually(lambda: _delivered(service, first["id"]) >= 6, "some more pictures")
    service.kill()
    service.start()
    eventually(lambda: service.get("/api/v1/status")["queue"]["running"] > 0, "more pictures begun")
    service.stop()
    assert _rows(service, "SELECT count(*) FROM shots WHERE state = 'running'") == [(0,)], "every lease was given back"
    service.start()
    for job in (first, second):
        done = service.finished(job["id"])
        assert done["state"] == "succeeded"
        _every_picture_once(service, done)


def _agent_at_work(service: RunningService, killed: set[int]) -> int:
    """A living agent that holds leases."""
    found: list[int] = []

    def look() -> bool:
        pid = service.agent_pid()
        running = service.get("/api/v1/status")["queue"]["running"]
        if pid is not None and pid not in killed and running > 0:
            found.append(pid)
        return bool(found)

    eventually(look, "an agent at work")
    return found[0]


def _delivered(service: RunningService, job_id: str) -> int:
    return len(service.job(job_id)["images"])


def _every_picture_once(service: RunningService, job: dict) -> None:  # type: ignore[type-arg]
    count = job["count"]
    assert [shot["state"] for shot in job["shots"]] == ["succeeded"] * count
    assert sorted(image["index"] for image in job["images"]) == list(range(count))
    assert len({image["id"] for image in job["images"]}) == count
    seeds = {image["seed"] for image in job["images"]}
    assert seeds == {job["recipe"]["seed"] + index for index in range(count)}
    ours = [image for image in service.images({"limit": 10}) if image["job_id"] == job["id"]]
    assert len(ours) == count, "the gallery shows each once"
    files = Counter(service.http.get(f"/api/v1/images/{image['id']}/file").content for image in ours)
    assert len(files) == count, "each is a picture of its own"
    charges = _rows(service, "SELECT shot_id, count(*) FROM charges WHERE job_id = ? GROUP BY shot_id", job["id"])
    assert len(charges) == count, "each is charged"
    assert {number for _, number in charges} == {1}, "and charged once"


def _rows(service: RunningService, sql: str, *values: str) -> list[tuple]:  # type: ignore[type-arg]
    database = sqlite3.connect(f"file:{service.data_dir / 'stablehand.db'}?mode=ro", uri=True)
    try:
        return database.execute(sql, values).fetchall()
    finally:
        database.close()
