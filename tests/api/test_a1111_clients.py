"""Clients of A1111's web UI against a real server: a library whole, and the requests that four programs send."""

import base64
import io
import json
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
import webuiapi
from PIL import Image

from tests.api.dialect_house import DialectHouse, open_house
from tests.running import eventually

#: words that every writer and reader of infotext has stumbled over
AWKWARD = 'ein "Häuschen", rot: (sehr:1.2)\nzweite Zeile, 日本の家 \\ 🏠'
#: a call that is not over before somebody ends it
ENDLESS = {"prompt": "endless", "width": 64, "height": 64, "steps": 150, "n_iter": 500}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DialectHouse]:
    accounts = ("library", "silly", "webui", "aiya", "photoshop", "leaver")
    with open_house(tmp_path_factory.mktemp("clients"), *accounts) as house:
        yield house


@pytest.fixture
def api(house: DialectHouse) -> Any:
    return webuiapi.WebUIApi(
        host="127.0.0.1", port=house.service.port, steps=3, username="anybody", password=house.keys["library"]
    )


def red() -> Image.Image:
    return Image.new("RGB", (64, 64), "red")


def test_webuiapi_draws_edits_and_enlarges(api: Any) -> None:
    drawn = api.txt2img(prompt="a house", width=64, height=64, seed=5, batch_size=2, save_images=False)
    assert [image.size for image in drawn.images] == [(64, 64)] * 2
    assert drawn.info["all_seeds"] == [5, 6]
    assert drawn.parameters["sampler_name"] == "Euler a"
    hires = api.txt2img(prompt="a house", width=64, height=64, enable_hr=True, hr_scale=2, hr_upscaler="Latent")
    assert hires.image.size == (128, 128)
    edited = api.img2img(images=[red()], prompt="a barn", width=64, height=64, denoising_strength=0.5)
    assert edited.image.size == (64, 64)
    mask = Image.new("L", (64, 64), 255)
    masked = api.img2img(images=[red()], mask_image=mask, prompt="a barn", width=64, height=64)
    assert masked.image.size == (64, 64)
    single = api.extra_single_image(image=red(), upscaler_1="Lanczos", upscaling_resize=2)
    assert single.image.size == (128, 128)
    batch = api.extra_batch_images(images=[red(), red()], upscaler_1="Nearest", upscaling_resize=1.5)
    assert [image.size for image in batch.images] == [(96, 96)] * 2
    assert "Steps: 3" in api.png_info(drawn.image).info


def test_webuiapi_looks_around_and_steers(api: Any) -> None:
    assert "Euler a" in api.util_get_sampler_names()
    assert "karras" in api.util_get_scheduler_names()
    assert {"None", "Lanczos"} <= {entry["name"] for entry in api.get_upscalers()}
    assert {"name": "Latent"} in api.get_latent_upscale_modes()
    for nothing in ("get_sd_vae", "get_loras", "get_hypernetworks", "get_face_restorers", "get_realesrgan_models"):
        assert getattr(api, nothing)() == []
    assert api.get_prompt_styles() == []
    assert set(api.get_embeddings()) == {"loaded", "skipped"}
    assert set(api.get_memory()) == {"ram", "cuda"}
    assert api.get_cmd_flags()["api"] is True
    assert set(api.get_scripts()) == {"txt2img", "img2img"}
    assert api.get_artists() == {"detail": "Not Found"}
    assert api.refresh_checkpoints() is None
    assert api.interrupt() == {}
    assert api.skip() is None
    assert api.controlnet_version() == 3
    assert api.controlnet_model_list() == []
    assert api.controlnet_module_list() == ["none"]
    api.util_set_model("tiny")
    api.util_wait_for_ready()
    assert api.util_get_current_model() in api.util_get_model_names()
    assert api.txt2img(prompt="x", width=64, height=64).info["sd_model_name"] == "tiny"
    api.set_options({"sd_model_checkpoint": "postcard", "samples_format": "webp"})
    assert api.get_options()["samples_format"] == "webp"
    assert api.txt2img(prompt="x", width=64, height=64).image.format == "WEBP"
    assert api.set_options({"samples_format": "png"}) is None
    with pytest.raises(RuntimeError, match="not available"):
        api.interrogate(red())
    with pytest.raises(RuntimeError, match="Module not available"):
        api.controlnet_detect(images=[red()])
    with pytest.raises(RuntimeError, match=r"Script .* not found"):
        api.txt2img(prompt="x", script_name="x", script_args=[])


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp"])
def test_what_stands_in_a_picture_draws_it_again(house: DialectHouse, kind: str) -> None:
    with house.client("library", basic=False) as client:
        body = {
            "prompt": AWKWARD, "negative_prompt": 'fog,\n"rain": 1', "width": 64, "height": 96, "steps": 4, "seed": 99,
            "sampler_name": "DPM++ 2M SDE Karras", "cfg_scale": 4.5, "subseed": 3, "subseed_strength": 0.25,
            "enable_hr": True, "hr_scale": 1.5, "denoising_strength": 0.4, "hr_prompt": 'a "barn", red',
            "override_settings": {"samples_format": kind, "CLIP_stop_at_last_layers": 2},
        }  # fmt: skip
        first = client.post("/sdapi/v1/txt2img", json=body).json()["images"][0]
        said = client.post("/sdapi/v1/png-info", json={"image": first}).json()
        assert (said["parameters"]["Prompt"], said["parameters"]["Seed"]) == (AWKWARD, "99")
        again = client.post(
            "/sdapi/v1/txt2img", json={"infotext": said["info"], "override_settings": {"samples_format": kind}}
        ).json()
        assert again["images"] == [first], "byte for byte, words included"


def silly_tavern(client: httpx.Client) -> list[dict[str, Any]]:
    """Its server's proxy: connect, list, switch the checkpoint and wait until nothing goes on, draw."""
    assert client.get("/sdapi/v1/options").status_code == 200
    for name in ("upscalers", "latent-upscale-modes", "sd-vae", "samplers", "schedulers"):
        assert isinstance(client.get(f"/sdapi/v1/{name}").json(), list)
    assert client.get("/sdapi/v1/sd-modules").status_code == 404, "which says that this is no Forge"
    assert "forge_preset" not in client.get("/sdapi/v1/options").json()
    titles = [entry["title"] for entry in client.get("/sdapi/v1/sd-models").json()]
    [tiny] = [title for title in titles if title.startswith("tiny")]
    assert client.post("/sdapi/v1/options", json={"sd_model_checkpoint": tiny}).json() is None
    progress = client.get("/sdapi/v1/progress").json()
    assert (progress["progress"], progress["state"]["job_count"]) == (0.0, 0)
    body = {
        "url": "http://x", "auth": "", "prompt": "of silly", "negative_prompt": "fog", "sampler_name": "Euler a",
        "scheduler": "karras", "steps": 3, "cfg_scale": 7, "width": 64, "height": 64, "seed": None, "clip_skip": 1,
        "save_images": True, "send_images": True, "do_not_save_grid": False, "do_not_save_samples": False,
        "restore_faces": False, "enable_hr": False, "hr_upscaler": "Latent", "hr_scale": 2, "hr_additional_modules": [],
        "denoising_strength": 0.7, "hr_second_pass_steps": 0, "override_settings_restore_afterwards": True,
        "override_settings": {"CLIP_stop_at_last_layers": 1, "sd_vae": "Automatic", "forge_additional_modules": []},
    }  # fmt: skip
    return [client.post("/sdapi/v1/txt2img", json=body).json() for _ in range(3)]


def open_webui(client: httpx.Client) -> list[dict[str, Any]]:
    """It reads all options, changes one and posts all of them back."""
    assert client.get("/sdapi/v1/options").is_success
    models = client.get("/sdapi/v1/sd-models").json()
    assert all({"title", "model_name"} <= set(entry) for entry in models)
    options = client.get("/sdapi/v1/options").json()
    options["sd_model_checkpoint"] = next(entry["title"] for entry in models if entry["model_name"] == "postcard")
    assert client.post("/sdapi/v1/options", json=options).status_code == 200
    body = {
        "prompt": "of webui", "batch_size": 2, "width": 64, "height": 64, "steps": 3, "negative_prompt": "",
        "cfg_scale": 7.5, "sampler_name": "DPM++ 2M Karras",
    }  # fmt: skip
    return [client.post("/sdapi/v1/txt2img", json=body).json() for _ in range(2)]


def aiya(client: httpx.Client) -> list[dict[str, Any]]:
    """It looks for everything first, sends floats for whole numbers, and reads each picture's words."""
    assert client.head("/").status_code in (200, 503), "the page, where it has been built"
    assert client.get("/sdapi/v1/version").status_code == 404, "which says that this is no SD.Next"
    lists = ("cmd-flags", "samplers", "prompt-styles", "face-restorers", "embeddings", "hypernetworks", "upscalers")
    for name in (*lists, "sd-models", "loras", "options", "progress"):
        assert client.get(f"/sdapi/v1/{name}").status_code == 200
    [component] = client.get("/config").json()["components"]
    assert "Latent" in component["props"]["choices"]
    body = {
        "prompt": "of aiya", "negative_prompt": "", "steps": 3, "width": 64, "height": 64, "cfg_scale": "7.0",
        "sampler_name": "Euler a", "sampler_index": "Euler a", "seed": 11, "denoising_strength": None, "n_iter": 2,
        "styles": [""], "restore_faces": False, "override_settings": {"CLIP_stop_at_last_layers": 1},
        "enable_hr": True, "hr_upscaler": "Latent", "hr_second_pass_steps": 1.5, "denoising_strength_": 0.7,
    }  # fmt: skip
    answer = client.post("/sdapi/v1/txt2img", json=body).json()
    for image in answer["images"]:
        words = client.post("/sdapi/v1/png-info", json={"image": f"data:image/png;base64,{image}"}).json()["info"]
        assert words.startswith("of aiya")
        extra = {"image": image, "upscaling_resize": "1.5", "upscaler_1": "Lanczos", "gfpgan_visibility": 0}
        assert client.post("/sdapi/v1/extra-single-image", json=extra).json()["image"]
    assert client.post("/sdapi/v1/interrogate", json={"image": answer["images"][0], "model": "clip"}).status_code == 404
    return [answer]


def photoshop(client: httpx.Client) -> list[dict[str, Any]]:
    """The plugin: units of ControlNet that are off, masks, and numbers where upstream has truth."""
    assert client.get("/user").json() is None
    for path in ("version", "settings", "module_list?alias_names=true", "model_list"):
        assert client.get(f"/controlnet/{path}").status_code == 200
    for name in ("loras", "embeddings", "scripts", "progress?skip_current_image=false"):
        assert client.get(f"/sdapi/v1/{name}").status_code == 200
    assert client.post("/sdapi/v1/options", json={"inpainting_mask_weight": 1.0}).json() is None
    picture = io.BytesIO()
    Image.new("RGB", (64, 64), "green").save(picture, "PNG")
    text = base64.b64encode(picture.getvalue()).decode()
    body = {
        "prompt": "of photoshop", "steps": 3, "width": 64, "height": 64, "batch_size": 1, "cfg_scale": 7, "seed": -1,
        "init_images": [text], "mask": text, "mask_blur": 4, "inpainting_fill": 1, "inpaint_full_res": False,
        "inpaint_full_res_padding": 0, "inpainting_mask_invert": 0, "denoising_strength": 0.75, "resize_mode": 1,
        "sampler_index": "Euler", "override_settings": {"samples_format": "jpeg"},
        "alwayson_scripts": {"controlnet": {"args": [{"enabled": False, "input_image": "", "lowvram": False}]}},
    }  # fmt: skip
    answers = [client.post("/sdapi/v1/img2img", json=body).json() for _ in range(2)]
    extra = {"image": text, "upscaler_1": "Lanczos", "upscaling_resize": 2, "resize_mode": 0}
    assert client.post("/sdapi/v1/extra-single-image", json=extra).json()["image"]
    assert client.post("/sdapi/v1/interrupt").json() == {}
    return answers


Program = Callable[[httpx.Client], list[dict[str, Any]]]
#: account -> (program, checkpoint and format that its pictures must have)
PROGRAMS: dict[str, tuple[Program, str, str]] = {
    "silly": (silly_tavern, "tiny", "PNG"),
    "webui": (open_webui, "postcard", "PNG"),
    "aiya": (aiya, "postcard", "PNG"),
    "photoshop": (photoshop, "postcard", "JPEG"),
}


def test_four_programs_at_once_each_in_its_own_account(house: DialectHouse) -> None:
    def play(name: str) -> list[dict[str, Any]]:
        with house.client(name) as client:
            return PROGRAMS[name][0](client)

    with ThreadPoolExecutor(len(PROGRAMS)) as crowd:
        answers = dict(zip(PROGRAMS, crowd.map(play, PROGRAMS), strict=True))
    for name, (_, checkpoint, kind) in PROGRAMS.items():
        for answer in answers[name]:
            info = json.loads(answer["info"])
            assert (info["prompt"], info["sd_model_name"]) == (f"of {name}", checkpoint)
            assert len(answer["images"]) == len(info["all_seeds"])
            for image, words in zip(answer["images"], info["infotexts"], strict=True):
                assert Image.open(io.BytesIO(base64.b64decode(image))).format == kind
                assert words.startswith(f"of {name}\n")
        own = {job["recipe"]["prompt"] for job in house.jobs(name)}
        assert own == {f"of {name}"} | ({""} if name in ("aiya", "photoshop") else set()), "and nothing of others"


def test_an_interrupt_ends_ones_own_call_with_what_is_there(house: DialectHouse) -> None:
    with house.client("leaver") as client, ThreadPoolExecutor(1) as aside:
        call = aside.submit(client.post, "/sdapi/v1/txt2img", json={**ENDLESS, "force_task_id": "endless"})

        def progress() -> float:
            return float(client.get("/sdapi/v1/progress?id_task=endless").json()["progress"])

        def preview() -> str | None:
            shown = client.post("/internal/progress", json={"id_task": "endless", "id_live_preview": -1}).json()
            found: str | None = shown["live_preview"]
            return found

        eventually(lambda: progress() > 0.01, "it is being drawn")
        eventually(lambda: preview() is not None, "there is something to see of it")
        assert (preview() or "").startswith("data:image/")
        shown = client.get("/sdapi/v1/progress").json()["current_image"]
        assert Image.open(io.BytesIO(base64.b64decode(shown))).size <= (128, 128), "without a prefix"
        assert client.get("/sdapi/v1/progress?skip_current_image=true").json()["current_image"] is None
        with house.client("silly") as other:
            assert other.post("/sdapi/v1/interrupt").json() == {}
            assert other.get("/sdapi/v1/progress").json()["state"]["job_count"] == 0
        assert client.get("/internal/pending-tasks").json() == {"size": 1, "tasks": ["endless"]}
        assert client.post("/sdapi/v1/interrupt").json() == {}
        answer = call.result(timeout=120)
        assert answer.status_code == 200
        assert len(answer.json()["images"]) < 500


def test_a_client_that_hangs_up_takes_its_order_along(house: DialectHouse) -> None:
    body = json.dumps({**ENDLESS, "prompt": "left alone"}).encode()
    key = base64.b64encode(f"x:{house.keys['leaver']}".encode()).decode()
    head = (
        f"POST /sdapi/v1/txt2img HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Basic {key}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"  # and no type, as some programs send it
    ).encode()

    def job() -> dict[str, Any] | None:
        return next((job for job in house.jobs("leaver") if job["recipe"]["prompt"] == "left alone"), None)

    with socket.create_connection(("127.0.0.1", house.service.port)) as line:
        line.sendall(head + body)
        eventually(lambda: job() is not None, "it is ordered")
    eventually(lambda: (job() or {})["state"] == "cancelled", "it is cancelled")


def test_the_same_client_may_have_four_calls_and_no_more(house: DialectHouse) -> None:
    started = threading.Barrier(5)

    def begin(number: int) -> int:
        with house.client("leaver") as client:
            started.wait(60)
            body = {**ENDLESS, "prompt": f"one of five {number}"}
            return client.post("/sdapi/v1/txt2img", json=body).status_code

    with ThreadPoolExecutor(5) as crowd, house.client("leaver") as client:
        calls = [crowd.submit(begin, number) for number in range(5)]
        eventually(lambda: any(call.done() for call in calls), "one of them is turned away")

        def end_all() -> bool:
            client.post("/sdapi/v1/interrupt")
            return all(call.done() for call in calls)

        eventually(end_all, "the others are ended")
    assert sorted(call.result() for call in calls) == [200, 200, 200, 200, 429]
