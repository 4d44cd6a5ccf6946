"""A full disk fails the job with its reason; the service stays up and works again."""

from stablehand.store import DATABASE_NAME
from tests.running import ServiceFactory
from tests.store.house import migrated_database

#: more than the database and its log need, less than the picture
LARGEST_FILE_BYTES = 1_200_000


def test_a_full_disk_fails_the_job_with_its_reason(make_service: ServiceFactory) -> None:
    service = make_service(COMPUTE__RUNTIME="null")
    service.data_dir.mkdir()
    (service.data_dir / DATABASE_NAME).write_bytes(migrated_database())  # made before files become short
    service.start(file_size_limit=LARGEST_FILE_BYTES)
    large = service.submit(prompt="large", width=1024, height=1024, format="png", steps=1)
    done = service.finished(large["id"])
    assert done["state"] == "failed"
    assert done["shots"][0]["error"]["code"] == "storage_full"
    assert done["shots"][0]["error"]["hint"]
    small = service.finished(service.submit(prompt="small", width=64, height=64, steps=1)["id"])
    assert small["state"] == "succeeded"
    assert [image["job_id"] for image in service.images()] == [small["id"]]
