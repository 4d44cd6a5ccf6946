"""Backups: made while the server works, refused when damaged, and everything is there afterwards."""

import io
import json
import tarfile
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from stablehand.domain.errors import BadBackup
from stablehand.domain.jobs import State
from stablehand.services.backup import MANIFEST, backup, restore
from stablehand.services.gallery import delete_image, image_bytes, list_images
from stablehand.services.purge import purge
from stablehand.store import DATABASE_NAME
from tests.buckets import BucketServer
from tests.store.house import House, open_services


@pytest.fixture
def house(file_house: House) -> House:
    """A backup holds SQLite's file."""
    return file_house


def fill(house: House, count: int = 3) -> None:
    house.order(count=count)
    hand = house.agent(seats=64)
    hand.deliver(*[hand.upload(lease) for lease in hand.claim(64)])


@pytest.mark.parametrize("name", ["b.tar", "b.tar.gz"])
def test_what_was_backed_up_is_restored(house: House, tmp_path: Path, name: str) -> None:
    fill(house)
    waiting = house.order(count=2)
    hand = house.agent(incarnation="later")
    hand.upload(hand.claim_one())
    file = tmp_path / "backups" / name
    made = backup(house.services, file)
    assert (made.images, made.missing, made.size_bytes) == (3, (), file.stat().st_size)
    assert [path.name for path in file.parent.iterdir()] == [name]
    assert restore(file, tmp_path / "new").images == 3
    services = open_services(tmp_path / "new", clock=house.clock)
    assert services.store.is_current()
    images = list_images(services, house.account).items
    assert images == list_images(house.services, house.account).items
    for image in images:
        assert image_bytes(services, house.account, image.id) == image_bytes(house.services, house.account, image.id)
        assert image_bytes(services, house.account, image.id, thumbnail=True)
    there = House(services, house.clock)
    assert there.job(waiting.id).state is State.RUNNING
    again = there.agent(incarnation="after the restore", seats=8)
    again.deliver(*[again.upload(lease) for lease in again.claim(8)])
    assert there.job(waiting.id).state is State.SUCCEEDED
    services.store.close()


def test_a_backup_is_one_moment_although_the_house_is_busy(house: House, tmp_path: Path) -> None:
    stop = threading.Event()
    first = threading.Event()

    def work() -> None:
        while not stop.is_set():
            fill(house, 2)
            first.set()

    worker = threading.Thread(target=work)
    worker.start()
    first.wait()
    made = backup(house.services, tmp_path / "b.tar")
    stop.set()
    worker.join()
    assert made.missing == ()
    restore(tmp_path / "b.tar", tmp_path / "new")
    services = open_services(tmp_path / "new", clock=house.clock)
    images = list_images(services, house.account, limit=200).items
    assert len(images) == made.images
    for image in images:
        assert image_bytes(services, house.account, image.id)
    services.store.close()


def test_a_picture_that_is_purged_meanwhile_is_not_in_the_backup(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(house)
    thrown = list_images(house.services, house.account).items[0]
    copy_to = house.services.store.copy_to

    def copy_then_purge(file: Path) -> None:
        copy_to(file)
        delete_image(house.services, house.account, thrown.id)
        house.clock.turn(31 * 86400)
        assert purge(house.services) == 2

    monkeypatch.setattr(house.services.store, "copy_to", copy_then_purge)
    made = backup(house.services, tmp_path / "b.tar")
    assert (made.images, made.missing) == (2, ())
    restore(tmp_path / "b.tar", tmp_path / "new")
    services = open_services(tmp_path / "new", clock=house.clock)
    assert thrown.id not in {image.id for image in list_images(services, house.account).items}
    services.store.close()


def test_bytes_that_were_lost_before_are_reported(house: House, tmp_path: Path) -> None:
    fill(house)
    lost = list_images(house.services, house.account).items[0]
    house.services.objects.delete(lost.object_key)
    made = backup(house.services, tmp_path / "b.tar")
    assert (made.images, made.missing) == (2, (lost.id,))


def test_nothing_is_ever_overwritten(house: House, tmp_path: Path) -> None:
    fill(house)
    file = tmp_path / "b.tar"
    backup(house.services, file)
    with pytest.raises(BadBackup, match="exists already"):
        backup(house.services, file)
    with pytest.raises(BadBackup, match="not end in"):
        backup(house.services, tmp_path / "b.zip")
    for place in ("data", "objects"):
        (tmp_path / place).mkdir(exist_ok=True)
        (tmp_path / place / "mine.txt").write_text("mine")
    with pytest.raises(BadBackup, match="not empty"):
        restore(file, tmp_path / "data")
    with pytest.raises(BadBackup, match="not empty"):
        restore(file, tmp_path / "new", objects_dir=tmp_path / "objects")
    assert not (tmp_path / "new").exists()


def repacked(file: Path, change: str) -> bytes:
    """The archive with something wrong in it."""
    out = io.BytesIO()
    with tarfile.open(file) as old, tarfile.open(fileobj=out, mode="w") as new:
        for member in old:
            data = old.extractfile(member).read()  # type: ignore[union-attr]
            if change == "picture" and member.name.startswith("images/"):
                data = data[:-1] + bytes([data[-1] ^ 1])
            if change == "missing" and member.name.startswith("thumbnails/"):
                continue
            if change == "no database" and member.name == DATABASE_NAME:
                continue
            if member.name == MANIFEST:
                values = json.loads(data)
                if change == "no manifest":
                    continue
                if change == "future":
                    values["revision"] = "9999"
                if change == "stranger":
                    values["format"] = "other"
                if change == "no database":
                    del values["sha256"][DATABASE_NAME]
                data = json.dumps(values).encode()
            member.size = len(data)
            new.addfile(member, io.BytesIO(data))
        if change == "extra":
            member = tarfile.TarInfo("../escaped")
            member.size = 1
            new.addfile(member, io.BytesIO(b"x"))
        if change == "link":
            member = tarfile.TarInfo("link")
            member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
            new.addfile(member)
    return out.getvalue()


@pytest.mark.parametrize(
    "change",
    [
        "picture",
        "missing",
        "no database",
        "no manifest",
        "future",
        "stranger",
        "extra",
        "link",
        "cut",
        "text",
        "none",
        "gz",
    ],
)
def test_a_bad_backup_is_refused_and_leaves_nothing(house: House, tmp_path: Path, change: str) -> None:
    fill(house)
    file = tmp_path / "b.tar"
    backup(house.services, file)
    bad = tmp_path / "bad.tar"
    whole = file.read_bytes()
    if change == "cut":
        bad.write_bytes(whole[: len(whole) // 2])
    elif change == "text":
        bad.write_text("hello")
    elif change == "gz":
        backup(house.services, tmp_path / "whole.tar.gz")
        packed = (tmp_path / "whole.tar.gz").read_bytes()
        bad.write_bytes(packed[: len(packed) // 2])
    elif change != "none":
        bad.write_bytes(repacked(file, change))
    with pytest.raises(BadBackup):
        restore(bad, tmp_path / "new")
    assert not (tmp_path / "new").exists()
    assert not (tmp_path / "escaped").exists()


def test_pictures_come_from_a_bucket_and_go_into_one(house: House, tmp_path: Path, bucket_server: BucketServer) -> None:
    house.services = replace(house.services, objects=bucket_server.open())
    fill(house)
    file = tmp_path / "b.tar"
    assert backup(house.services, file).images == 3
    other = bucket_server.open()
    other.put("images/ab/somebody-0-1-elses.png", b"was there before")
    assert restore(file, tmp_path / "new", bucket=other).images == 3
    assert not (tmp_path / "new" / "objects").exists()
    services = replace(open_services(tmp_path / "new", clock=house.clock), objects=other)
    for image in list_images(services, house.account).items:
        assert image_bytes(services, house.account, image.id) == image_bytes(house.services, house.account, image.id)
    services.store.close()
