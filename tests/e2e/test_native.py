"""The real thing: the bundled checkpoint and the native engine draw what is asked, and say what is wrong."""

import io
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import webuiapi
from PIL import Image as Pictures
from safetensors.numpy import load_file, save_file

import stablehand
from tests.running import RunningService, eventually
from training.judge import judge

PROMPT = "a red house in a meadow at sunset, purple mountains"
POSTCARD = Path(stablehand.__file__).parent / "builtin" / "checkpoints" / "postcard"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """With one more checkpoint in its models folder: a diffusers folder named ``dropped``."""
    service = RunningService(tmp_path_factory.mktemp("native") / "data", COMPUTE__THREADS=2)
    shutil.copytree(POSTCARD, service.data_dir / "models" / "checkpoints" / "dropped")
    service.start()
    yield service
    service.end()


def test_postcard_draws_what_it_is_asked(service: RunningService) -> None:
    job = service.finished(service.submit(prompt=PROMPT, seed=7)["id"])
    assert job["state"] == "succeeded", job
    (image,) = job["images"]
    assert (image["width"], image["height"], image["format"]) == (256, 256, "webp")
    assert job["recipe"]["checkpoint"] == "postcard"
    picture = Pictures.open(io.BytesIO(service.http.get(f"/api/v1/images/{image['id']}/file").content))
    seen = judge(picture)
    assert (seen.sky, seen.setting) == ("sunset", "meadow")
    assert PROMPT in image["infotext"]
    assert "Seed: 7," in image["infotext"]


def test_a_client_of_the_web_ui_draws_edits_and_enlarges_with_postcard(service: RunningService) -> None:
    api = webuiapi.WebUIApi(host="127.0.0.1", port=service.port, sampler="Euler a", steps=4)
    drawn = api.txt2img(prompt=PROMPT, width=64, height=64, seed=7)
    assert (drawn.image.size, drawn.info["sd_model_name"]) == ((64, 64), "postcard")
    assert api.txt2img(prompt=PROMPT, width=64, height=64, seed=7).image.tobytes() == drawn.image.tobytes()
    mask = Pictures.new("L", (64, 64), 0)
    mask.paste(255, (0, 0, 32, 64))
    edited = api.img2img(
        images=[drawn.image], mask_image=mask, mask_blur=0, inpaint_full_res=False, prompt=PROMPT, width=64, height=64
    )
    right = (40, 0, 64, 64)
    assert edited.image.crop(right).tobytes() == drawn.image.crop(right).tobytes(), "outside of the mask it stays"
    assert edited.image.tobytes() != drawn.image.tobytes()
    assert api.extra_single_image(edited.image, upscaler_1="Lanczos", upscaling_resize=2).image.size == (128, 128)


def test_broken_weights_fail_the_job_with_their_reason_and_nothing_else(service: RunningService) -> None:
    weights = next((service.data_dir / "models" / "checkpoints" / "dropped" / "unet").glob("*.safetensors"))
    whole = weights.read_bytes()
    # One tensor is gone: headers look right to the catalogue, and no network can be built of it.
    tensors = load_file(weights)
    del tensors["conv_in.weight"]
    save_file(tensors, weights)
    failed = service.finished(service.submit(prompt="a house", checkpoint="dropped", steps=2)["id"])
    assert failed["state"] == "failed"
    error = failed["shots"][0]["error"]
    assert error["code"] == "checkpoint_broken"
    assert error["message"]
    assert error["hint"]
    assert service.finished(service.submit(prompt="a house", steps=2)["id"])["state"] == "succeeded"
    # Mended, it draws as soon as the change has been seen: a failure is not remembered against it.
    weights.write_bytes(whole)
    eventually(lambda: _draws(service), "the mended checkpoint draws")


def _draws(service: RunningService) -> bool:
    job = service.submit(prompt="a house", checkpoint="dropped", steps=2)
    return bool(service.finished(job["id"])["state"] == "succeeded")
