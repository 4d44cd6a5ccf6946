"""The real thing: the bundled checkpoint and the native engine draw what is asked, and say what is wrong.

People sign in here, and everything is asked for with a key of an account like any other.
"""

import base64
import io
import shutil
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest
import webuiapi
from PIL import Image as Pictures
from safetensors.numpy import load_file, save_file

import stablehand
from tests.api.dialect_house import DialectHouse
from tests.running import RunningService, eventually
from training.judge import judge

PROMPT = "a red house in a meadow at sunset, purple mountains"
POSTCARD = Path(stablehand.__file__).parent / "builtin" / "checkpoints" / "postcard"
#: words that every writer and reader of infotext has stumbled over
AWKWARD = 'ein "Häuschen", rot: (sehr:1.2)\nzweite Zeile, 日本の家 \\ 🏠'


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DialectHouse]:
    """With one more checkpoint in its models folder: a diffusers folder named ``dropped``."""
    data_dir = tmp_path_factory.mktemp("native") / "data"
    service = RunningService(data_dir, COMPUTE__THREADS=2, API__AUTHENTICATION="true")
    shutil.copytree(POSTCARD, service.data_dir / "models" / "checkpoints" / "dropped")
    try:
        service.start()
        house = DialectHouse(service)
        service.http.headers["Authorization"] = f"Bearer {house.add_account('ada')}"
        yield house
    finally:
        service.end()


@pytest.fixture
def service(house: DialectHouse) -> RunningService:
    return house.service


def half(light: int, dark: int, size: tuple[int, int] = (64, 64)) -> Pictures.Image:
    """The left half light, the right one dark."""
    mask = Pictures.new("L", size, dark)
    mask.paste(light, (0, 0, size[0] // 2, size[1]))
    return mask


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


def test_its_sibling_needs_four_steps(service: RunningService) -> None:
    order = {"checkpoint": "postcard-quick", "sampler": "LCM", "steps": 4, "cfg_scale": 1.0, "seed": 7}
    job = service.finished(service.submit(prompt="a blue hot air balloon on the left at sea at dawn", **order)["id"])
    assert job["state"] == "succeeded", job
    picture = service.http.get(f"/api/v1/images/{job['images'][0]['id']}/file").content
    seen = judge(Pictures.open(io.BytesIO(picture)))
    assert (seen.sky, seen.setting, seen.object, seen.colour) == ("dawn", "sea", "hot air balloon", "blue")


def test_a_client_of_the_web_ui_draws_edits_and_enlarges_with_postcard(house: DialectHouse) -> None:
    port, key = house.service.port, house.keys["ada"]
    api = webuiapi.WebUIApi(host="127.0.0.1", port=port, sampler="Euler a", steps=4, username="me", password=key)
    drawn = api.txt2img(prompt=PROMPT, width=64, height=64, seed=7)
    assert (drawn.image.size, drawn.info["sd_model_name"]) == ((64, 64), "postcard")
    assert api.txt2img(prompt=PROMPT, width=64, height=64, seed=7).image.tobytes() == drawn.image.tobytes()
    varied = api.img2img(images=[drawn.image], prompt=PROMPT, width=64, height=64, denoising_strength=0.5)
    assert varied.image.tobytes() != drawn.image.tobytes()
    edited = api.img2img(
        images=[drawn.image],
        mask_image=half(255, 0),
        mask_blur=0,
        inpaint_full_res=False,
        prompt=PROMPT,
        width=64,
        height=64,
    )
    right = (40, 0, 64, 64)
    assert edited.image.crop(right).tobytes() == drawn.image.crop(right).tobytes(), "outside of the mask it stays"
    assert edited.image.tobytes() != drawn.image.tobytes()
    for upscaler in ("Lanczos", "postcard-2x"):
        larger = api.extra_single_image(edited.image, upscaler_1=upscaler, upscaling_resize=2)
        assert larger.image.size == (128, 128)
    assert {job["kind"] for job in house.jobs("ada")} >= {"text", "image", "inpaint", "upscale"}, "each lies there"


def test_openais_library_draws_and_edits_with_postcard(house: DialectHouse) -> None:
    with openai.OpenAI(
        base_url=f"{house.service.url}/v1",
        api_key=house.keys["ada"],
        http_client=openai.DefaultHttpxClient(trust_env=False),
    ) as client:
        quick = {"steps": 4, "seed": 7}
        drawn = _opened(client.images.generate(prompt=PROMPT, size="64x64", extra_body=quick))
        assert drawn.size == (64, 64)
        mask = half(0, 255)
        picture, opaque = io.BytesIO(), Pictures.merge("RGBA", [mask, mask, mask, mask])
        drawn.save(picture, "PNG")
        pierced = io.BytesIO()
        opaque.save(pierced, "PNG")
        edited = _opened(
            client.images.edit(
                image=picture.getvalue(), mask=pierced.getvalue(), prompt="a beach", size="64x64", extra_body=quick
            )
        )
        right = (44, 0, 64, 64)
        assert edited.crop(right).tobytes() == drawn.crop(right).tobytes(), "what is opaque in the mask stays"
        assert edited.tobytes() != drawn.tobytes()


def _opened(answer: openai.types.ImagesResponse) -> Pictures.Image:
    [image] = answer.data or []
    return Pictures.open(io.BytesIO(base64.b64decode(image.b64_json or "")))


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp"])
def test_what_stands_in_a_picture_draws_it_again(house: DialectHouse, kind: str) -> None:
    """The words and the pixels, byte for byte: what the engine draws is a function of what is written."""
    own = {"override_settings": {"samples_format": kind, "CLIP_stop_at_last_layers": 2}}
    body = {
        "prompt": AWKWARD, "negative_prompt": 'fog,\n"rain": 1', "width": 64, "height": 96, "steps": 4, "seed": 99,
        "sampler_name": "DPM++ 2M SDE Karras", "cfg_scale": 4.5, "subseed": 3, "subseed_strength": 0.25,
        "enable_hr": True, "hr_scale": 1.5, "denoising_strength": 0.4, "hr_prompt": 'a "barn", red', **own,
    }  # fmt: skip
    with house.client("ada") as client:
        first = client.post("/sdapi/v1/txt2img", json=body).json()["images"][0]
        said = client.post("/sdapi/v1/png-info", json={"image": first}).json()
        assert said["parameters"]["Prompt"] == AWKWARD
        again = client.post("/sdapi/v1/txt2img", json={"infotext": said["info"], **own}).json()
    assert again["images"] == [first]


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
