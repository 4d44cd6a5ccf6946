"""How a picture was made, and what went otherwise: kept with it, on both databases, whatever an agent says."""

from pathlib import Path

import pytest
from sqlalchemy import event

from stablehand.domain.errors import NotFound
from stablehand.domain.events import ImageAdded, JobChanged
from stablehand.domain.manifests import Manifest, Weights
from stablehand.domain.notes import Note
from stablehand.services.backup import backup, restore
from stablehand.services.gallery import get_image, get_manifest, list_images
from stablehand.services.jobs import list_jobs
from stablehand.services.transfer import transfer
from stablehand.store import Store
from tests.store.cluster import Cluster
from tests.store.house import Clock, House, open_services

MANIFEST = Manifest(
    runtime="native",
    software={"stablehand": "1.0", "torch": "2.13.0"},
    weights=(Weights(role="checkpoint", name="träume 🏠 'quoted' %s", sha256="ab" * 32),),
    device="cuda",
    device_name="a GPU",
    dtypes={"unet": "float16", "vae": "bfloat16"},
    attention=("flash",),
    noise="CPU",
    exact=True,
    bucket=8,
)


def delivered(house: House, **words: object) -> str:
    """A picture of a job of one, drawn with these words; its id."""
    hand = house.agent()
    job = house.order()
    lease = hand.claim_one()
    assert hand.deliver(hand.upload(lease, **words)).accepted == [lease.shot_id]  # type: ignore[arg-type]
    [image] = house.job(job.id).images
    return image.id


def test_a_manifest_is_kept_as_it_was_sent(house: House) -> None:
    image_id = delivered(house, manifest=MANIFEST.as_dict())
    assert get_manifest(house.services, house.account, image_id) == MANIFEST
    assert get_image(house.services, house.account, image_id).notes == ()


def test_an_agent_that_says_nothing_delivers(house: House) -> None:
    assert get_manifest(house.services, house.account, delivered(house)) is None
    with pytest.raises(NotFound):
        get_manifest(house.services, house.account, "gone")


@pytest.mark.parametrize(
    "lie",
    [
        {},
        {"runtime": "x" * 100_000},
        {"runtime": "null", "software": {"torch": {"deep": "nest"}}},
        {"runtime": "null", "device_name": "zero \0"},
        {"runtime": "null", "weights": [{"role": "checkpoint", "name": "x"}] * 10_000},
    ],
    ids=["empty", "long", "deep", "zero", "many"],
)
def test_a_manifest_that_cannot_be_read_costs_the_manifest_not_the_picture(
    house: House, lie: dict[str, object], caplog: pytest.LogCaptureFixture
) -> None:
    image_id = delivered(house, manifest=lie)
    assert get_manifest(house.services, house.account, image_id) is None
    assert "manifest that cannot be read" in caplog.text


def test_notes_stand_on_the_picture_and_are_counted_on_its_job(house: House) -> None:
    hand = house.agent()
    job = house.order(count=3)
    notes: list[list[str]] = [["smaller_batch", "one_by_one"], [], ["tiled_decode", "one_by_one", "of_a_newer_agent"]]
    pictures = [hand.upload(lease, notes=codes) for lease, codes in zip(hand.claim(3), notes, strict=True)]
    with house.services.feed.subscribe() as events:
        hand.deliver(*pictures)
        told = list(iter(lambda: events.get(0), None))
    expected = [(Note.ONE_BY_ONE,), (), (Note.ONE_BY_ONE, Note.TILED_DECODE)]
    counted = {Note.ONE_BY_ONE: 2, Note.TILED_DECODE: 1}
    assert [event.image.notes for event in told if isinstance(event, ImageAdded)] == expected
    assert [event.job.notes for event in told if isinstance(event, JobChanged)] == [counted]
    done = house.job(job.id)
    assert [image.notes for image in done.images] == expected
    assert done.notes == counted
    quiet = house.order()
    listed = {job.id: job.notes for job in list_jobs(house.services, house.account).items}
    assert listed == {job.id: counted, quiet.id: {}}


def test_lists_do_not_read_manifests(house: House) -> None:
    job_of_manifest = delivered(house, manifest=MANIFEST.as_dict())
    asked: list[str] = []

    @event.listens_for(house.services.store.engine, "before_cursor_execute")
    def note(*said: object) -> None:
        asked.append(str(said[2]))

    list_images(house.services, house.account)
    list_jobs(house.services, house.account)
    get_image(house.services, house.account, job_of_manifest)
    event.remove(house.services.store.engine, "before_cursor_execute", note)
    assert any("infotext" in statement for statement in asked)
    assert not any("manifest" in statement for statement in asked)


def test_manifests_and_notes_move_to_postgresql(file_house: House, clock: Clock, cluster: Cluster) -> None:
    image_id = delivered(file_house, manifest=MANIFEST.as_dict(), notes=["tiled_decode"])
    silent = delivered(file_house)
    with cluster.database(empty=True) as url:
        target = Store(url)
        transfer(file_house.services.store, target, objects=file_house.services.objects, tell=lambda *_: None)
        assert target.manifest(image_id, file_house.account.id) == MANIFEST
        assert target.image(image_id, file_house.account.id).notes == (Note.TILED_DECODE,)
        assert target.manifest(silent, file_house.account.id) is None
        target.close()


def test_manifests_and_notes_are_in_a_backup(file_house: House, tmp_path: Path) -> None:
    image_id = delivered(file_house, manifest=MANIFEST.as_dict(), notes=["tiled_decode"])
    backup(file_house.services, tmp_path / "backup.tar")
    restore(tmp_path / "backup.tar", tmp_path / "new")
    services = open_services(tmp_path / "new", clock=file_house.clock)
    assert get_manifest(services, file_house.account, image_id) == MANIFEST
    assert get_image(services, file_house.account, image_id).notes == (Note.TILED_DECODE,)
    services.store.close()
