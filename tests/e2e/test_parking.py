"""A killed agent's picture goes on where it was parked, on the real engine, and becomes the same picture."""

import os
import signal

import pytest

from tests.buckets import BucketServer
from tests.running import RunningService, ServiceFactory, eventually

STEPS = 60
ORDER = {
    "prompt": "a red house in a meadow",
    "seed": 7,
    "steps": STEPS,
    "sampler": "Euler a",
    "format": "png",
    "width": 128,
    "height": 128,
}


@pytest.mark.parametrize("kind", ["folder", "bucket"])
def test_sigkill_in_the_middle(make_service: ServiceFactory, bucket_server: BucketServer, kind: str) -> None:
    storage = {}
    if kind == "bucket":
        address = bucket_server.make()
        storage = {
            "STORAGE__URL": address.url,
            "STORAGE__ENDPOINT": address.endpoint or "",
            "STORAGE__REGION": "us-east-1",
            "STORAGE__ACCESS_KEY_ID": address.access_key_id or "",
            "STORAGE__SECRET_ACCESS_KEY": address.secret_access_key or "",
        }
    service = make_service(COMPUTE__THREADS=1, QUEUE__PARK_SECONDS=0.5, **storage)
    service.start()
    whole = service.finished(service.submit(**ORDER)["id"])
    assert whole["state"] == "succeeded", whole

    job = service.submit(**ORDER)
    eventually(lambda: _progress(service, job["id"]) > 0.35, "a good part is done")
    victim = service.agent_pid()
    assert victim is not None
    os.kill(victim, signal.SIGKILL)
    eventually(lambda: _state(service, job["id"]) == "queued", "the loss is noticed")
    seen: list[float] = []

    def goes_on() -> bool:
        state, progress = _look(service, job["id"])
        if state == "running":
            seen.append(progress)
        return state == "succeeded"

    eventually(goes_on, "another agent ends it")
    # Nothing is known yet between its claim and its first word, nor any more once the picture is delivered.
    told = [progress for progress in seen if progress > 0]
    assert told
    assert min(told) > 1 / STEPS, "it never falls back to the first step"
    done = service.job(job["id"])
    assert _bytes(service, done) == _bytes(service, whole), "the same picture, bit for bit"


def test_a_stopped_service_goes_on_after_its_next_start(make_service: ServiceFactory) -> None:
    service = make_service(COMPUTE__THREADS=1, QUEUE__PARK_SECONDS=3600)
    service.start()
    job = service.submit(**ORDER)
    eventually(lambda: _progress(service, job["id"]) > 0.35, "a good part is done")
    service.stop()
    assert len(list((service.data_dir / "objects" / "parked").rglob("*-*"))) == 1
    service.start()
    seen: list[float] = []

    def goes_on() -> bool:
        state, progress = _look(service, job["id"])
        if state == "running":
            seen.append(progress)
        return state == "succeeded"

    eventually(goes_on, "it is drawn to its end")
    assert seen
    assert min(seen[:-1] or seen) > 0.3


def _look(service: RunningService, job_id: str) -> tuple[str, float]:
    """State and progress of the only shot, of one moment."""
    shot = service.job(job_id)["shots"][0]
    return str(shot["state"]), float(shot["progress"])


def _state(service: RunningService, job_id: str) -> str:
    return _look(service, job_id)[0]


def _progress(service: RunningService, job_id: str) -> float:
    return _look(service, job_id)[1]


def _bytes(service: RunningService, job: dict) -> bytes:  # type: ignore[type-arg]
    return bytes(service.http.get(f"/api/v1/images/{job['images'][0]['id']}/file").content)
