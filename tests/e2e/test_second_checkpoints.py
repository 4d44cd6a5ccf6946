"""A refiner and pictures to start from, through the API of a real service, drawn by the native engine, offline."""

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pictures

from tests.engine.families import make_networks, write_file
from tests.engine.kinds import INPUTS
from tests.engine.published import single_file
from tests.running import RunningService

ORDER = {
    "prompt": "a red house",
    "checkpoint": "base",
    "width": 64,
    "height": 64,
    "steps": 4,
    "seed": 5,
    "format": "png",
}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """With an SDXL checkpoint, one of nine channels, and a refiner, each a tiny single file."""
    service = RunningService(tmp_path_factory.mktemp("second") / "data", COMPUTE__THREADS=1)
    folder = service.data_dir / "models" / "checkpoints"
    for name, family, channels in (("base", "sdxl", 4), ("holes", "sdxl", 9), ("second", "sdxl-refiner", 4)):
        networks = make_networks(family, channels=channels)
        write_file(folder / f"{name}.safetensors", single_file(networks, family))
    service.start()
    yield service
    service.end()


def drawn(service: RunningService, **changes: Any) -> tuple[dict[str, Any], Any]:
    """The job, and its picture's pixels."""
    job = service.finished(service.submit(**{**ORDER, "format": "png", **changes})["id"])
    assert job["state"] == "succeeded", job
    data = service.http.get(f"/api/v1/images/{job['images'][0]['id']}/file").content
    return job, np.asarray(Pictures.open(io.BytesIO(data))).astype(int)


def uploaded(service: RunningService, name: str) -> str:
    answer = service.http.post("/api/v1/inputs", content=INPUTS[name])
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def test_a_refiner_takes_over(service: RunningService) -> None:
    families = {item["name"]: item["family"] for item in service.get("/api/v1/checkpoints")["items"]}
    assert (families["base"], families["second"]) == ("sdxl", "sdxl-refiner")
    refined, pixels = drawn(service, refiner_checkpoint="second", refiner_switch_at=0.5)
    options = refined["recipe"]["options"]
    assert (options["refiner_checkpoint"], options["refiner_switch_at"]) == ("second", 0.5)
    infotext = refined["images"][0]["infotext"]
    assert "Refiner: second" in infotext
    assert "Refiner switch at: 0.5" in infotext
    _, plain = drawn(service)
    assert np.abs(pixels - plain).max() > 2, "the refiner draws otherwise"
    _, again = drawn(service, refiner_checkpoint="second", refiner_switch_at=0.5)
    assert np.array_equal(pixels, again)
    larger, pixels = drawn(service, refiner_checkpoint="second", enable_hr=True, hr_scale=1.5, denoising_strength=0.8)
    assert pixels.shape == (96, 96, 3)
    assert larger["images"][0]["width"] == 96


def test_a_network_of_nine_channels_draws_inside_masks_and_from_words(service: RunningService) -> None:
    _, free = drawn(service, checkpoint="holes")
    assert free.std() > 5
    given = {"input": uploaded(service, "square"), "mask": uploaded(service, "mask"), "mask_blur": 0}
    _, pixels = drawn(service, checkpoint="holes", kind="inpaint", denoising_strength=0.9, **given)
    original = np.asarray(Pictures.open(io.BytesIO(INPUTS["square"]))).astype(int)
    assert np.abs(pixels - original)[44:].max() <= 1
    assert np.abs(pixels - original)[20:36, 20:36].mean() > 3


def test_an_input_that_is_lost_or_damaged_fails_its_job_and_is_mended_by_bringing_it_again(
    service: RunningService,
) -> None:
    picture = uploaded(service, "input")
    (file,) = [
        path
        for path in (service.data_dir / "objects" / "inputs").rglob("*.png")
        if Pictures.open(path).size == (96, 64)
    ]
    for damage in ("cut", "gone"):
        if damage == "cut":
            file.write_bytes(file.read_bytes()[:-20])
        else:
            file.unlink()
        job = service.finished(service.submit(**ORDER, kind="image", input=picture)["id"])
        assert job["state"] == "failed", job
        error = job["shots"][0]["error"]
        assert error["code"] == "input_unavailable"
        assert "Upload it again" in error["hint"]
    assert uploaded(service, "input") == picture
    assert drawn(service, kind="image", input=picture)[1].shape == (64, 64, 3)
