"""A1111's dialect at the door: shapes, errors, options and progress of each client; the drawing is played."""

import io
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from stablehand.api.budget import Budget
from stablehand.domain.credentials import Caller
from stablehand.domain.jobs import State
from stablehand.services.jobs import list_jobs
from tests.api.a1111 import SMALL, drawn, opened, post, site_owner, text_of
from tests.api.site import Make, Site, make_site, picture
from tests.running import eventually


@pytest.fixture
def site(make: Make) -> Site:
    """Nobody waits here: the first call of a body ends in a timeout, the next finds what was drawn meanwhile."""
    return make(dialect_wait_seconds=0.0)


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory, template: Path) -> Iterator[Site]:
    made = make_site(tmp_path_factory.mktemp("quiet-dialect"), template=template, dialect_wait_seconds=0.0)
    yield made
    made.services.store.close()


def test_pictures_come_as_text_with_what_was_asked_and_what_was_done(site: Site) -> None:
    answer = drawn(site, "txt2img", {**SMALL, "batch_size": 2, "seed": 7})
    assert list(answer) == ["images", "parameters", "info"]
    assert [opened(image).size for image in answer["images"]] == [(64, 64)] * 2
    assert opened(answer["images"][0]).format == "PNG"
    info = json.loads(answer["info"])
    assert (info["all_seeds"], info["sampler_name"], info["sd_model_name"]) == ([7, 8], "Euler", "postcard")
    assert answer["parameters"]["seed"] == 7
    assert answer["parameters"]["n_iter"] == 1
    [job] = list_jobs(site.services, Caller(site_owner(site)).account).items
    assert (job.state, job.tier, len(job.images)) == (State.SUCCEEDED, "premium", 2), "it lies in the gallery"


def test_who_waits_too_long_is_told_the_job_which_goes_on(site: Site) -> None:
    late = post(site, "txt2img", {**SMALL, "force_task_id": "task(mine)"})
    assert late.status_code == 504
    body = late.get_json()
    assert list(body) == ["error", "detail", "body", "errors"]
    job_id = site.client.get("/api/v1/jobs").get_json()["items"][0]["id"]
    assert job_id in body["detail"]
    assert late.headers["X-Task-Id"] == "task(mine)"
    again = post(site, "txt2img", {**SMALL, "force_task_id": "another name for it"})
    assert again.status_code == 504
    assert len(site.client.get("/api/v1/jobs").get_json()["items"]) == 1, "the same body waits for the same job"
    site.draw()
    done = post(site, "txt2img", {**SMALL, "force_task_id": "task(mine)"})
    assert done.headers["X-Task-Id"] == "task(mine)"
    assert len(done.get_json()["images"]) == 1


def test_formats_grids_and_pictures_that_are_not_sent(site: Site) -> None:
    body = {**SMALL, "n_iter": 3, "save_images": True, "override_settings": {"samples_format": "jpg"}}
    answer = drawn(site, "txt2img", body)
    assert [opened(image).format for image in answer["images"]] == ["JPEG"] * 4
    assert opened(answer["images"][0]).size == (128, 128)
    assert json.loads(answer["info"])["index_of_first_image"] == 1
    assert drawn(site, "txt2img", {**SMALL, "send_images": False})["images"] == []


def test_from_a_picture_within_a_mask_and_larger(site: Site) -> None:
    init = "data:image/png;base64," + text_of(picture(32, 32))
    answer = drawn(site, "img2img", {**SMALL, "init_images": [init]})
    assert answer["parameters"]["init_images"] is None
    clear = io.BytesIO()
    Image.new("RGBA", (64, 64), (0, 0, 0, 0)).save(clear, "PNG")
    masked = {**SMALL, "init_images": [text_of(picture(64, 64))], "mask": text_of(clear.getvalue())}
    assert len(drawn(site, "img2img", masked)["images"]) == 1

    single = {"image": text_of(picture(32, 32)), "upscaler_1": "Lanczos", "upscaling_resize": 2}
    answer = drawn(site, "extra-single-image", single)
    assert list(answer) == ["html_info", "image"]
    assert opened(answer["image"]).size == (64, 64)
    cut = {**single, "resize_mode": 1, "upscaling_resize_w": 64, "upscaling_resize_h": 48}
    assert opened(drawn(site, "extra-single-image", cut)["image"]).size == (64, 48)
    told = io.BytesIO()
    words = PngInfo()
    words.add_text("parameters", "ein Häuschen 日本")
    Image.new("RGB", (32, 32)).save(told, "PNG", pnginfo=words)
    larger = opened(drawn(site, "extra-single-image", {**cut, "image": text_of(told.getvalue())})["image"])
    assert larger.info["parameters"] == "ein Häuschen 日本"
    assert larger.info["postprocessing"] == "Postprocess upscale to: 64x48, Postprocess upscaler: Lanczos"
    as_it_is = opened(post(site, "extra-single-image", {"image": text_of(told.getvalue())}).get_json()["image"])
    assert (as_it_is.size, as_it_is.info["parameters"]) == ((32, 32), "ein Häuschen 日本")

    for status in (504, 200):
        asked = post(site, "extra-single-image", {**single, "upscaling_resize": 3})
        assert (asked.status_code, asked.headers["X-Task-Id"][:12]) == (status, "task(extras-")
        site.draw()

    batch = {"upscaler_1": "Nearest", "imageList": [{"data": text_of(picture(32, 32)), "name": "a.png"}]}
    answer = drawn(site, "extra-batch-images", batch)
    assert [opened(image).size for image in answer["images"]] == [(64, 64)]


ERRORS: list[tuple[str, Any, int, str]] = [
    ("txt2img", {"steps": "many"}, 422, "value is not a valid integer"),
    ("txt2img", {**SMALL, "steps": 1000}, 422, "1 to 150"),
    ("txt2img", {**SMALL, "hr_upscaler": "4x-Nobody", "enable_hr": True}, 422, "one of: Latent"),
    ("txt2img", {**SMALL, "override_settings": {"sd_model_checkpoint": "gone"}}, 404, "Checkpoint not found: gone"),
    ("txt2img", {**SMALL, "override_settings": {"sd_vae": "gone"}}, 422, "sd_vae"),
    ("txt2img", {**SMALL, "alwayson_scripts": {"ADetailer": {"args": [True]}}}, 422, "Script 'ADetailer' not found"),
    ("txt2img", [], 422, "value is not a valid dict"),
    ("img2img", SMALL, 404, "Init image not found"),
    ("img2img", {**SMALL, "init_images": ["AAAA"]}, 422, "Invalid encoded image"),
    ("img2img", {**SMALL, "init_images": ["http://127.0.0.1/x.png"]}, 422, "Invalid image url"),
    ("img2img", {**SMALL, "init_images": ["http://metadata.internal.invalid/x.png"]}, 422, "Invalid image url"),
    ("extra-single-image", {"image": text_of(picture(32, 32)), "upscaler_1": "Magic"}, 422, "upscaler_1"),
    ("extra-single-image", {"resize_mode": 3}, 422, "unexpected value; permitted: 0, 1"),
    ("extra-batch-images", {}, 422, "field required"),
    ("png-info", {}, 422, "field required"),
    ("png-info", {"image": "AAAA"}, 422, "Invalid encoded image"),
    ("options", {"sd_model_checkpoint": "gone"}, 404, "Checkpoint not found: gone"),
    ("interrogate", {"image": "x"}, 404, "not available"),
    ("server-kill", {}, 403, "nobody ends or restarts it"),
    ("train/embedding", {}, 403, "Nothing is trained"),
    ("artists", {}, 404, "Not Found"),
    ("samplers", {}, 405, "Method Not Allowed"),
]


@pytest.mark.parametrize(("path", "body", "status", "words"), ERRORS)
def test_errors_have_upstreams_shapes(quiet: Site, path: str, body: Any, status: int, words: str) -> None:
    answer = post(quiet, path, body)
    assert answer.status_code == status, answer.get_data(as_text=True)
    said = answer.get_json()
    assert words in json.dumps(said)
    assert "detail" in said
    if isinstance(said["detail"], list):
        assert all(set(problem) >= {"loc", "msg", "type"} for problem in said["detail"])
    elif path not in ("artists", "samplers"):
        assert list(said) == ["error", "detail", "body", "errors"]


LISTS: list[tuple[str, Any]] = [
    ("sdapi/v1/hypernetworks", []),
    ("sdapi/v1/loras", []),
    ("sdapi/v1/face-restorers", []),
    ("sdapi/v1/realesrgan-models", []),
    ("sdapi/v1/prompt-styles", []),
    ("sdapi/v1/sd-vae", []),
    ("sdapi/v1/embeddings", {"loaded": {}, "skipped": {}}),
    ("controlnet/version", {"version": 3}),
    ("controlnet/model_list", {"model_list": []}),
    ("controlnet/settings", {"control_net_unit_count": 3}),
    ("internal/ping", {}),
    ("internal/pending-tasks", {"size": 0, "tasks": []}),
]


@pytest.mark.parametrize(("path", "expected"), LISTS)
def test_lists_of_what_there_is_not(quiet: Site, path: str, expected: Any) -> None:
    answer = quiet.client.get(f"/{path}")
    assert (answer.status_code, answer.get_json(), answer.mimetype) == (200, expected, "application/json")


def test_lists_of_what_there_is(quiet: Site) -> None:
    def get(path: str) -> Any:
        return quiet.client.get(f"/sdapi/v1/{path}").get_json()

    models = get("sd-models")
    assert [entry["model_name"] for entry in models] == ["postcard", "postcard-quick", "tiny"]
    assert set(models[0]) == {"title", "model_name", "hash", "sha256", "filename", "config"}
    assert get("options")["sd_model_checkpoint"] in [entry["title"] for entry in models]
    assert [entry["name"] for entry in get("upscalers")][:3] == ["None", "Lanczos", "Nearest"]
    assert {"name": "Latent"} in get("latent-upscale-modes")
    assert get("samplers")[0]["name"] == "DPM++ 2M"
    assert get("schedulers")[0]["label"] == "Automatic"
    assert set(get("scripts")) == {"txt2img", "img2img"}
    assert {entry["name"] for entry in get("script-info")} == set(get("scripts")["txt2img"])
    assert get("cmd-flags")["api"] is True
    assert set(get("memory")) == {"ram", "cuda"}
    assert "All" in quiet.client.get("/controlnet/control_types").get_json()["control_types"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("refresh-checkpoints", None),
        ("refresh-vae", None),
        ("refresh-embeddings", None),
        ("refresh-loras", None),
        ("unload-checkpoint", {}),
        ("reload-checkpoint", {}),
        ("interrupt", {}),
        ("skip", None),
    ],
)
def test_what_is_done_without_an_answer_answers_json(quiet: Site, name: str, expected: Any) -> None:
    answer = quiet.client.post(f"/sdapi/v1/{name}")
    assert (answer.status_code, answer.get_data()) == (200, json.dumps(expected).encode())


def test_options_are_taken_back_as_they_were_given(site: Site) -> None:
    def get() -> dict[str, Any]:
        options: dict[str, Any] = site.client.get("/sdapi/v1/options").get_json()
        return options

    before = get()
    assert (before["samples_format"], before["jpeg_quality"]) == ("png", 80.0)
    assert post(site, "options", before).get_data() == b"null"
    assert get() == before
    tiny = next(
        entry["title"] for entry in site.client.get("/sdapi/v1/sd-models").get_json() if "tiny" in entry["title"]
    )
    assert post(site, "options", {**before, "sd_model_checkpoint": tiny}).status_code == 200
    assert get() == {**before, "sd_model_checkpoint": tiny, "sd_checkpoint_hash": get()["sd_checkpoint_hash"]}
    assert json.loads(drawn(site, "txt2img", SMALL)["info"])["sd_model_name"] == "tiny"
    assert post(site, "options", {"sd_model_checkpoint": before["sd_model_checkpoint"]}).status_code == 200
    assert get() == before


def test_progress_and_interrupt_mean_the_newest_call(site: Site) -> None:
    def progress(query: str = "") -> Any:
        return site.client.get(f"/sdapi/v1/progress{query}").get_json()

    assert progress()["state"]["job_count"] == 0
    post(site, "txt2img", {**SMALL, "force_task_id": "one"})
    post(site, "txt2img", {**SMALL, "n_iter": 2, "force_task_id": "two"})
    assert progress()["state"]["job_count"] == 2
    assert progress("?id_task=one&skip_current_image=true")["state"]["job_count"] == 1
    assert progress("?id_task=nobody")["state"]["job_count"] == 0
    assert site.client.get("/internal/pending-tasks").get_json() == {"size": 2, "tasks": ["one", "two"]}
    told = site.client.post("/internal/progress", json={"id_task": "one"}).get_json()
    assert (told["active"], told["queued"], told["completed"], told["live_preview"]) == (False, True, False, None)
    for nobody in ("\\u0000", "\\ud800", " "):
        body = f'{{"id_task": "{nobody}"}}'
        answer = site.client.post("/internal/progress", data=body, content_type="application/json")
        assert (answer.status_code, answer.get_json()["queued"]) == (200, False)
    assert progress("?id_task=%00")["state"]["job_count"] == 0

    site.hello()
    [lease] = [lease for lease in site.claim() if lease["recipe"]["steps"] == 5][:1]
    site.tell(
        "renew",
        shots=[{"shot_id": lease["shot_id"], "token": lease["token"], "progress": 0.5}],
        resident=[],
    )
    assert progress("?id_task=one")["progress"] >= 0.01
    assert post(site, "interrupt").get_json() == {}
    two = post(site, "txt2img", {**SMALL, "n_iter": 2, "force_task_id": "two"})
    assert two.status_code == 504, "it is ordered anew"
    assert site.client.get("/internal/pending-tasks").get_json()["tasks"][0] == "one", "which nobody has interrupted"


def test_an_interrupted_call_answers_with_what_there_is(make: Make) -> None:
    site = make(dialect_wait_seconds=60.0)
    with ThreadPoolExecutor(1) as aside:
        call = aside.submit(site.app.test_client().post, "/sdapi/v1/txt2img", json=SMALL)
        eventually(lambda: site.client.get("/internal/pending-tasks").get_json()["size"] == 1, "it waits")
        assert post(site, "skip").get_json() is None
        answer = call.result(60).get_json()
    assert answer["images"] == []
    assert json.loads(answer["info"])["infotexts"] == []


def test_a_failed_job_is_told_as_an_exception(site: Site) -> None:
    assert post(site, "txt2img", SMALL).status_code == 504
    site.hello()
    [lease] = site.claim()
    failure = {"shot_id": lease["shot_id"], "token": lease["token"], "error_class": "final", "code": "bad_prompt"}
    site.tell("fail", failures=[{**failure, "message": "It cannot be drawn.", "hint": "Draw another."}])
    answer = post(site, "txt2img", SMALL)
    assert answer.status_code == 500
    assert answer.get_json()["error"] == "RuntimeError"
    assert "It cannot be drawn." in answer.get_json()["errors"]


def test_png_info_reads_what_was_written(site: Site) -> None:
    image = drawn(site, "txt2img", SMALL)["images"][0]
    assert post(site, "png-info", {"image": image}).get_json() == {"info": "", "items": {}, "parameters": {}}
    out = io.BytesIO()
    info = PngInfo()
    info.add_text("parameters", "ein Häuschen\nSteps: 5, Sampler: Euler, CFG scale: 7.0, Size: 64x32")
    info.add_text("postprocessing", "twice")
    Image.new("RGB", (8, 8)).save(out, "PNG", pnginfo=info)
    said = post(site, "png-info", {"image": text_of(out.getvalue())}).get_json()
    assert said["items"] == {"postprocessing": "twice"}
    assert (said["parameters"]["Prompt"], said["parameters"]["Size-2"]) == ("ein Häuschen", "32")


def test_limits_of_the_account_hold_as_for_any_order(make: Make) -> None:
    site = make(dialect_wait_seconds=0.0, yaml="queue: {max_size: 1}\nsafety: {blocked_words: [gore]}")
    blocked = post(site, "txt2img", {**SMALL, "prompt": "gore"})
    assert (blocked.status_code, blocked.get_json()["detail"][0]["loc"]) == (422, ["body", "prompt"])
    assert post(site, "txt2img", SMALL).status_code == 504
    full = post(site, "txt2img", {**SMALL, "seed": 3})
    assert (full.status_code, full.get_json()["error"]) == (429, "HTTPException")
    assert int(full.headers["Retry-After"]) > 0


def test_the_budget_is_shared_with_whoever_waits(make: Make) -> None:
    site = make(dialect_wait_seconds=0.0, max_waits=2, max_waits_an_account=1)
    door_waits: Budget = site.app.extensions["door"].waits
    with door_waits.hold(site_owner(site).id):
        full = post(site, "txt2img", SMALL)
        assert (full.status_code, "Retry-After" in full.headers) == (429, True)
    with door_waits.hold("ann"), door_waits.hold("bob"):
        assert post(site, "txt2img", SMALL).status_code == 503
    assert post(site, "txt2img", SMALL).status_code == 504
