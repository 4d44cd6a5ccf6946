"""A full disk and broken weights fail the job with their reason; the service stays up and works again."""

import shutil
from pathlib import Path

import stablehand
from tests.running import ServiceFactory

MEGABYTE = 1_000_000


def test_a_full_disk_fails_the_job_with_its_reason(make_service: ServiceFactory) -> None:
    service = make_service(COMPUTE__RUNTIME="null")
    service.start()
    service.stop()  # the database is made and put in order before files become short
    service.start(file_size_limit=3 * MEGABYTE)
    large = service.submit(prompt="large", width=2048, height=2048, format="png", steps=1)
    done = service.finished(large["id"])
    assert done["state"] == "failed"
    assert done["shots"][0]["error"]["code"] == "storage_full"
    assert done["shots"][0]["error"]["hint"]
    small = service.finished(service.submit(prompt="small", width=64, height=64, steps=1)["id"])
    assert small["state"] == "succeeded"
    assert [image["job_id"] for image in service.images()] == [small["id"]]


def test_broken_weights_fail_the_job_with_their_reason(make_service: ServiceFactory) -> None:
    service = make_service(COMPUTE__RUNTIME="native", COMPUTE__THREADS=2)
    postcard = Path(stablehand.__file__).parent / "builtin" / "checkpoints" / "postcard"
    broken = service.data_dir / "models" / "checkpoints" / "broken"
    shutil.copytree(postcard, broken)
    weights = next((broken / "unet").glob("*.safetensors"))
    # The header stays whole, so the catalogue takes it; the numbers behind it are cut short while the job waits.
    whole = weights.read_bytes()
    service.start()
    weights.write_bytes(whole[: len(whole) // 2])
    failed = service.finished(service.submit(prompt="a house", checkpoint="broken", steps=2)["id"])
    assert failed["state"] == "failed"
    assert failed["shots"][0]["error"]["code"] == "checkpoint_broken"
    assert failed["shots"][0]["error"]["message"]
    drawn = service.finished(service.submit(prompt="a house", checkpoint="postcard", steps=2)["id"])
    assert drawn["state"] == "succeeded"
