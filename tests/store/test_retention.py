"""What goes by itself: pictures beyond their tier's retention, and objects that no row speaks of."""

import os
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stablehand.adapters.objects import Objects
from stablehand.domain.retention import ORPHAN_AGE, ORPHANS_FEW, cutoffs, ids_in
from stablehand.services import Limits
from stablehand.services.deliver import upload
from stablehand.services.gallery import delete_image, get_image, list_images, restore_image, star_image
from stablehand.services.orphans import find_orphans
from stablehand.services.purge import purge
from tests.store.house import House, picture_bytes
from tests.store.test_parking import save

DAY = 86_400.0


def keeping(house: House, days: Mapping[str, float | None]) -> None:
    house.services = replace(house.services, limits=Limits(trash_days=10))
    for name, limit in days.items():
        house.services.store.tiers = house.services.store.tiers.changed(name, retention_days=limit)


def draw(house: House, tier: str) -> str:
    before = {image.id for image in list_images(house.services, house.account).items}
    house.order(tier=tier)
    one = house.agent()
    assert one.draw(one.claim_one()).refused == []
    [fresh] = [image.id for image in list_images(house.services, house.account).items if image.id not in before]
    return fresh


def kept(house: House, *, trashed: bool = False) -> set[str]:
    return {image.id for image in list_images(house.services, house.account, trashed=trashed).items}


def test_pictures_go_by_their_tier_first_to_the_trash_then_for_good(house: House) -> None:
    keeping(house, {"premium": None, "normal": 30.0})
    premium, normal, starred = draw(house, "premium"), draw(house, "normal"), draw(house, "normal")
    star_image(house.services, house.account, starred, True)
    house.clock.turn(29 * DAY)
    purge(house.services)
    assert kept(house) == {premium, normal, starred}
    late = draw(house, "normal")
    house.clock.turn(2 * DAY)
    purge(house.services)
    assert kept(house) == {premium, starred, late}
    assert kept(house, trashed=True) == {normal}
    restore_image(house.services, house.account, normal)
    star_image(house.services, house.account, normal, True)
    purge(house.services)
    assert normal in kept(house), "whoever wants it, stars it"
    star_image(house.services, house.account, normal, False)
    purge(house.services)
    house.clock.turn(11 * DAY)
    purge(house.services)
    assert kept(house, trashed=True) == set()
    assert kept(house) == {premium, starred, late}


def test_without_a_setting_everything_is_kept(house: House) -> None:
    image = draw(house, "normal")
    house.clock.turn(20_000 * DAY)
    purge(house.services)
    assert kept(house) == {image}


def test_more_than_one_batch_goes(house: House) -> None:
    keeping(house, {"premium": 1.0})
    for _ in range(5):
        draw(house, "premium")
    house.clock.turn(2 * DAY)
    assert house.services.store.trash_expired(at_most=3) == 3
    assert house.services.store.trash_expired(at_most=3) == 2
    assert house.services.store.trash_expired(at_most=3) == 0


@given(
    days=st.dictionaries(st.sampled_from(["premium", "normal"]), st.none() | st.floats(0, 36_500)),
    age_days=st.floats(0, 40_000),
)
def test_only_what_has_had_its_days_goes(days: dict[str, float | None], age_days: float) -> None:
    now = datetime(2200, 1, 1, tzinfo=UTC)
    moments = cutoffs(now, days)
    for tier in ("premium", "normal"):
        goes = tier in moments and now - timedelta(days=age_days) < moments[tier]
        limit = days.get(tier)
        assert goes == (limit is not None and timedelta(days=age_days) > timedelta(days=limit))


def put(objects: Objects, key: str, age: timedelta) -> None:
    objects.put(key, b"x")
    assert objects.folder is not None
    moment = (datetime.now(UTC) - age).timestamp()
    os.utime(objects.folder / key, (moment, moment))


def make_old(objects: Objects) -> None:
    assert objects.folder is not None
    for path in objects.folder.rglob("*"):
        if path.is_file():
            os.utime(path, (0, 0))


def test_orphans_are_found_and_nothing_else(house: House) -> None:
    objects = house.services.objects
    delivered = draw(house, "normal")
    trashed = draw(house, "normal")
    delete_image(house.services, house.account, trashed)
    house.order(2)
    one = house.agent("two")
    uploaded, running = one.claim(2)
    upload(house.services, one.agent, uploaded.shot_id, uploaded.token, picture_bytes())
    save(one, running)
    make_old(objects)
    spoken_of = set(objects.list())
    assert len(spoken_of) == 2 + 2 + 2 + 1

    shot_id = get_image(house.services, house.account, delivered).job_id + "-0"
    long_ago = ORPHAN_AGE * 2
    orphans = {
        f"images/ab/{shot_id}-1-nobody.webp",
        "thumbnails/ab/nobody-0-1-nobody.webp",
        "uploads/ab/nobody-0-1-nobody.png",
        f"parked/ab/{running.shot_id}-7-nobody",
    }
    for key in orphans:
        put(objects, key, long_ago)
    foreign = {"images/README.txt", "somebody/elses-1-file", "inputs/ab/abcdef"}
    for key in foreign:
        put(objects, key, long_ago)
    put(objects, "images/ab/fresh-0-1-nobody.webp", timedelta(hours=1))

    assert find_orphans(house.services, datetime.now(UTC)) == len(orphans)
    assert find_orphans(house.services, datetime.now(UTC)) == 0, "doomed once"
    purge(house.services)
    assert set(objects.list()) == spoken_of | foreign | {"images/ab/fresh-0-1-nobody.webp"}
    for image in (delivered, trashed):
        assert get_image(house.services, house.account, image)


def test_a_store_that_is_mostly_unknown_is_left_alone(house: House, caplog: pytest.LogCaptureFixture) -> None:
    """Two installations in one bucket must not sweep each other away."""
    objects = house.services.objects
    draw(house, "normal")
    make_old(objects)
    for number in range(ORPHANS_FEW + 1):
        put(objects, f"images/ab/other-{number}-1-installation.png", ORPHAN_AGE * 2)
    before = set(objects.list())
    assert find_orphans(house.services, datetime.now(UTC)) == 0
    purge(house.services)
    assert set(objects.list()) == before
    assert "another installation" in caplog.text


@pytest.mark.parametrize(
    ("key", "ids"),
    [
        ("images/ab/job-0-12-upload.png", ("job-0", "upload")),
        ("parked/ab/job-3-1-state", ("job-3", "state")),
        ("images/job-0-12-upload", ("job-0", "upload")),
        ("elsewhere/ab/job-0-12-upload.png", None),
        ("images/ab/upload.png", None),
        ("images/ab/job-x-upload.png", None),
        ("images", None),
        ("images/ab/-1-", None),
    ],
)
def test_ids_in_keys(key: str, ids: tuple[str, str] | None) -> None:
    assert ids_in(key) == ids


def test_every_key_of_ours_tells_its_ids(house: House) -> None:
    draw(house, "normal")
    house.order()
    one = house.agent("two")
    save(one, one.claim_one())
    keys = list(house.services.objects.list())
    assert len(keys) == 3
    assert all(ids_in(key) is not None for key in keys), Path(keys[0])
