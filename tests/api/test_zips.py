"""A ZIP of very many pictures from a real server: whole for those who open it, never whole in the server's memory."""

import secrets
import shutil
import sqlite3
import subprocess
from pathlib import Path
from zipfile import ZipFile

import psutil
import pytest

from stablehand.adapters.objects import OBJECTS_FOLDER
from stablehand.store import DATABASE_NAME
from tests.running import RunningService
from tests.store.house import Clock, House, open_services

PICTURES = 2_000
PICTURE_BYTES = 120_000  #: which is 240 MB in all
MEMORY_BYTES = 100_000_000


@pytest.fixture
def stocked(tmp_path: Path) -> tuple[RunningService, str]:
    """A server that is not running yet, and the id of a job of its owner's that has all those pictures."""
    data = tmp_path / "data"
    data.mkdir()
    house = House(open_services(data, clock=Clock()), Clock())
    job_id = house.order().id
    hand = house.agent()
    hand.deliver(hand.upload(hand.claim(1)[0]))
    [image] = house.job(job_id).images
    house.services.store.close()
    (data / OBJECTS_FOLDER / image.object_key).write_bytes(secrets.token_bytes(PICTURE_BYTES))
    with sqlite3.connect(data / DATABASE_NAME) as database:
        for table in ("shots", "images"):
            _multiply(database, table)
    database.close()
    return RunningService(data, COMPUTE__RUNTIME="null"), job_id


def _multiply(database: sqlite3.Connection, table: str) -> None:
    """The one row that is there, as often as there shall be pictures."""
    database.row_factory = sqlite3.Row
    row = dict(database.execute(f"SELECT * FROM {table}").fetchone())
    names = ", ".join(f'"{name}"' for name in row)
    marks = ", ".join(f":{name}" for name in row)
    copies = []
    for index in range(1, PICTURES):
        copy = row | {"id": f"{table}-{index}", "index": index, "image_id": f"images-{index}"}
        copy |= {"number": None, "shot_id": f"shots-{index}", "size_bytes": PICTURE_BYTES}
        copies.append({name: copy[name] for name in row})
    database.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", copies)


def test_two_thousand_pictures_take_no_more_memory_than_a_few(
    stocked: tuple[RunningService, str], tmp_path: Path
) -> None:
    service, job_id = stocked
    file = tmp_path / "pictures.zip"
    service.start()
    try:
        assert service.http.get("/api/v1/images?limit=1").status_code == 200
        alive = [psutil.Process(pid) for pid in service.seen if psutil.pid_exists(pid)]
        servers = [process for process in alive if "agent" not in process.cmdline()]
        assert servers
        before = most = sum(server.memory_info().rss for server in servers)
        with service.http.stream("GET", f"/api/v1/jobs/{job_id}/zip") as answer, file.open("wb") as out:
            assert answer.status_code == 200
            for chunk in answer.iter_raw(4 * 1_048_576):
                out.write(chunk)
                most = max(most, sum(server.memory_info().rss for server in servers))
    finally:
        service.end()
    assert file.stat().st_size > PICTURES * PICTURE_BYTES
    assert most - before < MEMORY_BYTES
    with ZipFile(file) as archive:
        assert len(archive.namelist()) == PICTURES + 1
        assert archive.testzip() is None
    unzip = shutil.which("unzip")
    if unzip is not None:
        subprocess.run([unzip, "-tq", file], check=True)
