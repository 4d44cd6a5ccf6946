"""Delivered pictures: checked at the door, found again, thrown away and taken back."""

import io
from dataclasses import replace

import pytest
from PIL import Image as PillowImage

from stablehand.domain.accounts import Account
from stablehand.domain.errors import BadPicture, InvalidFields, NotFound
from stablehand.domain.images import Image
from stablehand.domain.jobs import State
from stablehand.domain.orders import JobOrder
from stablehand.services.deliver import upload
from stablehand.services.gallery import (
    delete_image,
    get_image,
    image_bytes,
    list_images,
    restore_image,
    star_image,
)
from stablehand.services.purge import purge
from stablehand.services.submit import submit
from tests.store.house import House, picture_bytes


def draw(house: House, prompt: str, count: int = 1, **fields: object) -> list[Image]:
    hand = house.agent(seats=64)
    job = submit(house.services, house.account, JobOrder(prompt=prompt, count=count, **fields))  # type: ignore[arg-type]
    hand.deliver(*[hand.upload(lease) for lease in hand.claim(64)])
    return list(house.job(job.id).images)


def prompts(house: House, **fields: object) -> list[str]:
    return [image.recipe.prompt for image in list_images(house.services, house.account, **fields).items]  # type: ignore[arg-type]


def test_the_newest_come_first_and_pages_do_not_shift(house: House) -> None:
    for name in "abc":
        draw(house, name)
    page = list_images(house.services, house.account, limit=2)
    assert [image.recipe.prompt for image in page.items] == ["c", "b"]
    draw(house, "d")
    delete_image(house.services, house.account, page.items[0].id)
    rest = list_images(house.services, house.account, limit=2, cursor=page.next_cursor)
    assert [image.recipe.prompt for image in rest.items] == ["a"]
    assert rest.next_cursor is None


def test_words_are_searched_in_prompts_whatever_their_case_and_literally(house: House) -> None:
    for prompt in ("A red HOUSE", "house, 100% grün", "castle_x"):
        draw(house, prompt)
    assert prompts(house, search="house") == ["house, 100% grün", "A red HOUSE"]
    assert prompts(house, search="house RED") == ["A red HOUSE"]
    assert prompts(house, search="GRÜN") == ["house, 100% grün"]
    assert prompts(house, search="%") == ["house, 100% grün"]
    assert prompts(house, search="e_x") == ["castle_x"]
    assert prompts(house, search="nothing") == []
    assert len(prompts(house, search="  ")) == 3


@pytest.mark.parametrize(
    "fields", [{"cursor": "nonsense"}, {"limit": 0}, {"limit": 999}, {"search": "x" * 201}, {"search": "a " * 17}]
)
def test_bad_questions_are_refused(house: House, fields: dict[str, object]) -> None:
    with pytest.raises(InvalidFields):
        list_images(house.services, house.account, **fields)  # type: ignore[arg-type]


def test_trash_restore_and_purge(house: House) -> None:
    kept, thrown = draw(house, "x", 2)
    services, account = house.services, house.account
    assert delete_image(services, account, thrown.id).deleted_at == house.clock.now
    assert [image.id for image in list_images(services, account).items] == [kept.id]
    assert [image.id for image in list_images(services, account, trashed=True).items] == [thrown.id]
    house.clock.turn(20 * 86400)
    delete_image(services, account, thrown.id)
    assert get_image(services, account, thrown.id).deleted_at != house.clock.now, "thrown away once"
    assert restore_image(services, account, thrown.id).deleted_at is None
    delete_image(services, account, thrown.id)
    house.clock.turn(29 * 86400)
    assert purge(services) == 0
    house.clock.turn(2 * 86400)
    assert purge(services) == 2
    with pytest.raises(NotFound):
        restore_image(services, account, thrown.id)
    assert set(services.objects.list()) == {kept.object_key, kept.thumbnail_key}
    job = house.job(kept.job_id)
    assert [shot.image_id for shot in job.shots] == [kept.id, None]
    assert job.state is State.SUCCEEDED
    assert image_bytes(services, account, kept.id)


def test_an_upload_that_nobody_delivers_is_swept_and_a_delivered_twin_is_not(house: House) -> None:
    house.order(count=2)
    hand = house.agent()
    first, second = hand.claim(2)
    hand.upload(first)
    hand.deliver(hand.upload(first))
    hand.upload(second)
    assert len(list(house.services.objects.list())) == 6
    house.clock.turn(3601)
    assert purge(house.services) == 4
    [image] = list_images(house.services, house.account).items
    assert set(house.services.objects.list()) == {image.object_key, image.thumbnail_key}
    assert image_bytes(house.services, house.account, image.id)


def test_stars(house: House) -> None:
    [image] = draw(house, "x")
    assert not image.starred
    assert star_image(house.services, house.account, image.id, True).starred
    assert get_image(house.services, house.account, image.id).starred
    assert not star_image(house.services, house.account, image.id, False).starred


def test_other_peoples_pictures_do_not_exist(house: House) -> None:
    [image] = draw(house, "x")
    stranger: Account = replace(house.account, id="stranger")
    assert list_images(house.services, stranger).items == ()
    for verb in (get_image, delete_image, restore_image, image_bytes):
        with pytest.raises(NotFound):
            verb(house.services, stranger, image.id)
    with pytest.raises(NotFound):
        star_image(house.services, stranger, image.id, True)


@pytest.mark.parametrize(("kind", "name"), [("PNG", "png"), ("JPEG", "jpeg"), ("WEBP", "webp")])
def test_the_bytes_come_back_as_they_were_and_the_thumbnail_is_small(house: House, kind: str, name: str) -> None:
    house.order(format=name, width=640, height=320)
    hand = house.agent()
    lease = hand.claim_one()
    data = picture_bytes(640, 320, kind, "blue")
    hand.deliver(hand.upload(lease, data))
    [image] = list_images(house.services, house.account).items
    assert image_bytes(house.services, house.account, image.id) == data
    assert (image.width, image.height, image.format, image.size_bytes) == (640, 320, name, len(data))
    with PillowImage.open(io.BytesIO(image_bytes(house.services, house.account, image.id, thumbnail=True))) as small:
        assert (small.format, small.size) == ("WEBP", (320, 160))


def bad_uploads() -> dict[str, bytes]:
    whole = picture_bytes()
    frames = io.BytesIO()
    first, second = PillowImage.new("RGB", (64, 64)), PillowImage.new("RGB", (64, 64), "red")
    first.save(frames, "WEBP", save_all=True, append_images=[second])
    png = picture_bytes(kind="PNG")
    return {
        "empty": b"",
        "text": b"<html>not a picture</html>" * 10,
        "truncated": whole[: len(whole) // 2],
        "truncated png": png[: len(png) // 2],
        "wrong format": picture_bytes(kind="PNG"),
        "gif": picture_bytes(kind="GIF"),
        "wrong size": picture_bytes(128, 64),
        "animated": frames.getvalue(),
        "bomb": picture_bytes(9000, 16, "WEBP"),
    }


@pytest.mark.parametrize("name", sorted(bad_uploads()))
def test_what_is_not_the_ordered_picture_is_refused_and_not_stored(house: House, name: str) -> None:
    house.order()
    hand = house.agent()
    lease = hand.claim_one()
    with pytest.raises(BadPicture):
        upload(house.services, hand.agent, lease.shot_id, lease.token, bad_uploads()[name])
    assert list(house.services.objects.list()) == []
    assert hand.draw(lease).accepted == [lease.shot_id]


def test_a_broken_stopwatch_charges_nothing_absurd(house: House) -> None:
    house.order(count=3)
    hand = house.agent()
    pictures = [hand.upload(lease) for lease in hand.claim(3)]
    for picture, seconds in zip(pictures, (float("nan"), -5.0, 1e12), strict=True):
        hand.deliver(picture.model_copy(update={"device_seconds": seconds}))
    assert house.charges() == [0.0, 0.0, 600.0]
