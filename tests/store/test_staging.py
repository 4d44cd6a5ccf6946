"""Pictures that agents put into the bucket themselves: nothing counts before the server has looked at its own copy."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from stablehand.adapters.bucket import Bucket
from stablehand.domain.errors import BadPicture, LeaseLost, StorageAway
from stablehand.protocol import Deliver, Delivered, Lease, Picture, Stage, Staged
from stablehand.services.deliver import deliver, stage
from stablehand.services.gallery import image_bytes, list_images
from stablehand.services.purge import purge
from tests.buckets import BucketServer, quick
from tests.store.house import Clock, Hand, House, open_services, picture_bytes


@pytest.fixture
def house(tmp_path: Path, bucket_server: BucketServer) -> Iterator[House]:
    clock = Clock()
    services = replace(open_services(tmp_path, clock=clock), objects=bucket_server.open())
    yield House(services, clock)
    services.store.close()


def ask(hand: Hand, lease: Lease, data: bytes, *, size_bytes: int | None = None) -> Staged:
    message = Stage(
        incarnation=hand.incarnation,
        shot_id=lease.shot_id,
        token=lease.token,
        size_bytes=size_bytes or len(data),
        sha256=hashlib.sha256(data).hexdigest(),
    )
    return stage(hand.services, hand.agent, message)


def put(staged: Staged, data: bytes) -> int:
    assert staged.url is not None
    return httpx.put(staged.url, content=data, headers=staged.headers, trust_env=False).status_code


def send(hand: Hand, lease: Lease, staged: Staged) -> Delivered:
    recipe = lease.recipe
    picture = Picture(
        shot_id=lease.shot_id,
        token=lease.token,
        upload=staged.upload,
        width=recipe["width"],
        height=recipe["height"],
        format=recipe["format"],
        seed=recipe["seed"],
        infotext="text",
        device_seconds=1.0,
    )
    return deliver(hand.services, hand.agent, Deliver(incarnation=hand.incarnation, pictures=[picture]))


def keys(house: House) -> list[str]:
    return sorted(house.services.objects.list())


def test_a_staged_picture_is_delivered_under_a_key_of_its_own(house: House) -> None:
    house.order()
    one = house.agent()
    lease, data = one.claim_one(), picture_bytes()
    staged = ask(one, lease, data)
    assert put(staged, data) == 200
    assert send(one, lease, staged) == Delivered(accepted=[lease.shot_id], refused=[])
    [image] = list_images(house.services, house.account).items
    assert image_bytes(house.services, house.account, image.id) == data
    assert image_bytes(house.services, house.account, image.id, thumbnail=True)
    assert put(staged, b"something else, by the same link") == 200
    assert image_bytes(house.services, house.account, image.id) == data, "the link leads nowhere that counts"
    assert send(one, lease, staged).accepted == [lease.shot_id], "said again, it is accepted again"
    purge(house.services)
    assert [key.partition("/")[0] for key in keys(house)] == ["images", "thumbnails"]


@pytest.mark.parametrize(
    "kind", ["nothing", "other bytes", "longer", "no picture", "other size", "other format", "a page, so it says"]
)
def test_what_is_not_the_picture_is_asked_for_again(house: House, kind: str) -> None:
    house.order()
    one = house.agent()
    lease, data = one.claim_one(), picture_bytes()
    sent = {
        "no picture": b"GIF89a, or so it says",
        "other size": picture_bytes(32, 32),
        "other format": picture_bytes(kind="PNG"),
    }.get(kind, data)
    staged = ask(one, lease, sent)
    if kind == "other bytes":
        put(staged, bytes(len(data)))
    elif kind == "longer":
        put(staged, data + b"tail")
    elif kind == "a page, so it says":
        put(staged.model_copy(update={"headers": {"Content-Type": "text/html"}}), sent)
    elif kind != "nothing":
        put(staged, sent)
    assert send(one, lease, staged) == Delivered(accepted=[], refused=[], missing=[lease.shot_id])
    purge(house.services)
    assert keys(house) == []
    assert one.draw(lease).accepted == [lease.shot_id], "through the server it still can"


def test_a_zombie_gets_no_link_and_what_it_staged_is_swept(house: House) -> None:
    house.order()
    one, two = house.agent("one"), house.agent("two")
    lease, data = one.claim_one(), picture_bytes()
    staged = ask(one, lease, data)
    put(staged, data)
    house.clock.turn(100)
    house.services.store.expire(timeout_seconds=600, retry_count=3)
    with pytest.raises(LeaseLost):
        ask(one, lease, data)
    assert send(one, lease, staged).refused == [lease.shot_id]
    assert two.draw(two.claim_one()).accepted == [lease.shot_id]
    house.clock.turn(3600 * 2)
    purge(house.services)
    assert len(keys(house)) == 2, "file and thumbnail of the one that counts"


def test_a_link_that_is_never_used_leaves_nothing(house: House) -> None:
    house.order()
    one = house.agent()
    ask(one, one.claim_one(), picture_bytes())
    house.clock.turn(3600 * 2)
    assert purge(house.services) == 3, "what could have been there is looked for"
    assert keys(house) == []


def test_a_picture_beyond_all_bounds_gets_no_link(house: House) -> None:
    house.order()
    one = house.agent()
    with pytest.raises(BadPicture):
        ask(one, one.claim_one(), b"x", size_bytes=2**40)


def test_a_store_that_is_away_is_waited_for(house: House, bucket_server: BucketServer) -> None:
    house.order()
    one = house.agent()
    lease, data = one.claim_one(), picture_bytes()
    staged = ask(one, lease, data)
    put(staged, data)
    real = house.services.objects
    assert isinstance(real, Bucket)
    gone = quick(replace(bucket_server.make(), endpoint="http://127.0.0.1:9"))
    one.services = replace(house.services, objects=gone)
    with pytest.raises(StorageAway):
        send(one, lease, staged)
    one.services = house.services
    assert send(one, lease, staged).accepted == [lease.shot_id]


def test_no_links_for_a_folder_nor_where_they_are_not_wanted(house: House, tmp_path: Path) -> None:
    house.order()
    one = house.agent()
    lease = one.claim_one()
    one.services = replace(house.services, presigned_uploads=False)
    assert not one.services.stages
    assert ask(one, lease, b"x").url is None
    (tmp_path / "other").mkdir()
    folder = open_services(tmp_path / "other")
    assert not folder.stages
    folder.store.close()
