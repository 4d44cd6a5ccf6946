"""The real thing: the bundled checkpoint, the native engine, a prompt, and a picture that obeys it."""

import io

from PIL import Image as Pictures
from training.judge import judge

from tests.running import ServiceFactory

PROMPT = "a red house in a meadow at sunset, purple mountains"


def test_postcard_draws_what_it_is_asked(make_service: ServiceFactory) -> None:
    service = make_service(COMPUTE__THREADS=2)
    service.start()
    job = service.finished(service.submit(prompt=PROMPT, seed=7)["id"])
    assert job["state"] == "succeeded", job
    (image,) = job["images"]
    assert (image["width"], image["height"], image["format"]) == (256, 256, "webp")
    assert job["recipe"]["checkpoint"] == "postcard"
    data = service.http.get(f"/api/v1/images/{image['id']}/file").content
    seen = judge(Pictures.open(io.BytesIO(data)))
    assert (seen.sky, seen.setting) == ("sunset", "meadow")
