"""OpenAI's dialect at the door: links, masks, streams and refusals; the drawing is played."""

import base64
import io
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from werkzeug.test import TestResponse

from stablehand.api.budget import Budget
from stablehand.domain.jobs import State
from stablehand.services.accounts import owner
from stablehand.services.cancel import cancel
from stablehand.services.gallery import get_image
from stablehand.services.jobs import list_jobs
from stablehand.services.links import HOUR_SECONDS, hour_token
from stablehand.services.suspend import suspend
from tests.api.people import Browser, Town, build
from tests.api.site import TOKEN, Make, Site, make_site, picture

HOUSE = {"prompt": "a red house", "model": "tiny", "size": "64x64"}


@pytest.fixture
def site(make: Make) -> Site:
    """Nobody waits here: the first call of a body ends in a timeout, the next finds what was drawn meanwhile."""
    return make(dialect_wait_seconds=0.0)


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory, template: Path) -> Iterator[Site]:
    made = make_site(tmp_path_factory.mktemp("quiet-openai"), template=template, dialect_wait_seconds=0.0)
    yield made
    made.services.store.close()


def generate(site: Site, **body: Any) -> TestResponse:
    return site.client.post("/v1/images/generations", json={**HOUSE, **body})


def send_form(site: Site, operation: str, **parts: Any) -> TestResponse:
    """Bytes become files."""
    data = {
        name: (io.BytesIO(part), f"{name}.png") if isinstance(part, bytes) else part for name, part in parts.items()
    }
    return site.client.post(f"/v1/images/{operation}", data=data, content_type="multipart/form-data")


def drawn(site: Site, ask: Any) -> Any:
    """The answer to a request whose pictures are drawn between two sendings."""
    late = ask()
    assert late.status_code == 504, late.get_data(as_text=True)
    site.draw()
    answer = ask()
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.get_json()


def opened(entry: dict[str, str]) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(entry["b64_json"])))


def error_of(answer: TestResponse) -> dict[str, Any]:
    body = answer.get_json()
    assert list(body) == ["error"]
    assert set(body["error"]) == {"message", "type", "param", "code"}
    error: dict[str, Any] = body["error"]
    return error


def pierced(width: int, height: int) -> bytes:
    """A mask whose left half is transparent."""
    mask = Image.new("RGBA", (width, height), (9, 9, 9, 255))
    mask.paste((0, 0, 0, 0), (0, 0, width // 2, height))
    out = io.BytesIO()
    mask.save(out, "PNG")
    return out.getvalue()


def newest_recipe(site: Site) -> Any:
    return list_jobs(site.services, owner(site.services)).items[0].recipe


def test_pictures_come_as_text(site: Site) -> None:
    answer = drawn(site, lambda: generate(site, n=2, output_format="webp", quality="high", user="me"))
    assert [opened(entry).format for entry in answer["data"]] == ["WEBP", "WEBP"]
    del answer["data"]
    assert answer.pop("created") > 1_700_000_000
    assert answer.pop("usage")["total_tokens"] == 0
    assert answer == {
        "background": "opaque",
        "output_format": "webp",
        "quality": "high",
        "size": "64x64",
        "safety_identifier": "me",
    }
    [job] = list_jobs(site.services, owner(site.services)).items
    assert (job.state, job.tier, job.recipe.steps, len(job.images)) == (State.SUCCEEDED, "premium", 30, 2)


def test_a_link_needs_nothing_but_itself_and_not_for_long(site: Site) -> None:
    [entry] = drawn(site, lambda: generate(site, response_format="url"))["data"]
    path = entry["url"].removeprefix("http://localhost")
    stranger = site.app.test_client()
    shown = stranger.get(path)
    assert (shown.status_code, shown.mimetype) == (200, "image/png")
    assert shown.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert stranger.get(path, headers={"Range": "bytes=0-7"}).data == b"\x89PNG\r\n\x1a\n"
    token = path.rpartition("/")[2]
    for bad in (token[:-2], token + "x", "nothing", token.partition(".")[0]):
        assert stranger.get(f"/api/v1/files/{bad}").status_code == 404

    account = owner(site.services)
    image = get_image(site.services, account, site.client.get("/api/v1/images").get_json()["items"][0]["id"])
    old = hour_token(site.options.secret_key, image, stamp=0, now=image.created_at.timestamp() - HOUR_SECONDS)
    assert stranger.get(f"/api/v1/files/{old}").status_code == 410
    assert site.client.delete(f"/api/v1/images/{image.id}").status_code == 204
    assert stranger.get(path).status_code == 404, "it lies in the trash"


def test_edits_start_from_a_picture_and_paint_what_is_transparent(site: Site) -> None:
    house = picture(96, 64)
    drawn(site, lambda: send_form(site, "edits", image=house, prompt="a blue house", model="tiny", size="64x64"))
    recipe = newest_recipe(site)
    assert (recipe.kind, recipe.source.resize_mode, recipe.source.mask) == ("image", "Crop and resize", None)

    form = {"image[]": house, "mask": pierced(96, 64), "prompt": "a blue house", "model": "tiny", "size": "64x64"}
    drawn(site, lambda: send_form(site, "edits", **form))
    recipe = newest_recipe(site)
    assert (recipe.kind, recipe.source.denoising_strength) == ("inpaint", 1.0)
    mask = site.client.get(f"/api/v1/inputs/{recipe.source.mask}/file").data
    painted = Image.open(io.BytesIO(mask)).convert("L")
    assert (painted.getpixel((10, 10)), painted.getpixel((80, 10))) == (255, 0), "white is painted"


def test_variations_need_no_words(site: Site) -> None:
    answer = drawn(site, lambda: send_form(site, "variations", image=picture(64, 64), n="2", size="64x64"))
    assert [list(entry) for entry in answer["data"]] == [["url"], ["url"]]
    recipe = newest_recipe(site)
    assert (recipe.kind, recipe.prompt, recipe.source.denoising_strength) == ("image", "", 0.6)


def test_checkpoints_are_models(quiet: Site) -> None:
    listed = quiet.client.get("/v1/models").get_json()
    assert listed["object"] == "list"
    assert {"id": "tiny", "object": "model", "created": 0, "owned_by": "stablehand"} in listed["data"]
    assert quiet.client.get("/v1/models/tiny").get_json()["id"] == "tiny"
    missing = quiet.client.get("/v1/models/folder/nobody")
    assert (missing.status_code, error_of(missing)["code"]) == (404, "model_not_found")


ERRORS: list[tuple[dict[str, Any], int, str | None, str]] = [
    ({"size": "4096x64"}, 400, "size", "invalid_value"),
    ({"size": "100x64"}, 400, "size", "invalid_value"),
    ({"sampler": "Magic"}, 400, "sampler", "invalid_value"),
    ({"prompt": "x" * 10_001}, 400, "prompt", "invalid_value"),
    ({"prompt": " "}, 400, "prompt", "invalid_value"),
    ({"tier": "royal"}, 400, "tier", "invalid_value"),
    ({"model": "gone"}, 404, "model", "model_not_found"),
    ({"quality": "superb"}, 400, "quality", "invalid_value"),
]


@pytest.mark.parametrize(("body", "status", "param", "code"), ERRORS)
def test_refusals_have_the_shape_that_clients_know(
    quiet: Site, body: dict[str, Any], status: int, param: str | None, code: str
) -> None:
    answer = generate(quiet, **body)
    error = error_of(answer)
    assert (answer.status_code, error["param"], error["code"]) == (status, param, code)
    assert error["type"] == "invalid_request_error"
    assert quiet.stored()["jobs"] == 0


def test_bodies_that_are_none(quiet: Site) -> None:
    house, mask = picture(64, 64), pierced(64, 64)
    given = {"prompt": "a house", "model": "tiny"}
    for answer, status, param, code in (
        (quiet.client.post("/v1/images/generations", data="{", content_type="application/json"), 400, None, "bad_json"),
        (quiet.client.post("/v1/images/edits", json=given), 400, None, "invalid_content_type"),
        (send_form(quiet, "edits", **given), 400, "image", "missing_required_parameter"),
        (send_form(quiet, "edits", **given, image=b"no picture"), 400, "image", "invalid_value"),
        (send_form(quiet, "edits", **given, image=house, mask=house), 400, "mask", "invalid_value"),
        (send_form(quiet, "edits", **given, image=house, mask=pierced(32, 32)), 400, "mask", "invalid_value"),
        (send_form(quiet, "edits", **given, image=house, markup=mask), 400, "markup", "unsupported_parameter"),
        (send_form(quiet, "edits", **given, image=house, sketch=mask), 400, "sketch", "unknown_parameter"),
        (send_form(quiet, "variations", image=house, mask=mask), 400, "mask", "unsupported_parameter"),
        (quiet.client.get("/v1/chat/completions"), 404, None, "not_found"),
        (quiet.client.delete("/v1/models/tiny"), 405, None, "method_not_allowed"),
    ):
        error = error_of(answer)
        assert (answer.status_code, error["param"], error["code"]) == (status, param, code)
    two = {**given, "image[]": [(io.BytesIO(house), "a.png"), (io.BytesIO(house), "b.png")]}
    answer = quiet.client.post("/v1/images/edits", data=two, content_type="multipart/form-data")
    assert "2 pictures" in error_of(answer)["message"]


def test_the_library_for_browsers_may_say_what_it_is(make: Make) -> None:
    site = make(cors_origins=("https://studio.example",))
    asked = {"Origin": "https://studio.example", "Access-Control-Request-Method": "POST"}
    answer = site.client.options("/v1/images/generations", headers=asked)
    allowed = answer.headers["Access-Control-Allow-Headers"].lower().split(", ")
    assert {"authorization", "content-type", "x-stainless-os", "x-stainless-runtime-version"} <= set(allowed)
    elsewhere = site.client.options("/api/v1/jobs", headers=asked).headers["Access-Control-Allow-Headers"]
    assert "stainless" not in elsewhere.lower()


def test_who_may_not_wait_is_told_when_to_come_back(site: Site) -> None:
    site.app.extensions["door"].waits = Budget("waiting requests", 8, 1)
    with site.app.extensions["door"].waits.hold(owner(site.services).id):
        answer = generate(site)
    error = error_of(answer)
    assert (answer.status_code, error["type"], error["code"]) == (429, "requests", "rate_limit_exceeded")
    assert int(answer.headers["Retry-After"]) > 0


def test_what_cannot_come_right_is_not_asked_again(make: Make) -> None:
    """Clients of this dialect send a request anew by themselves unless they are told not to."""
    site = make(dialect_wait_seconds=0.0)
    late = generate(site)
    assert "x-should-retry" not in late.headers, "the second sending waits on"
    [job] = list_jobs(site.services, owner(site.services)).items
    assert job.id in error_of(late)["message"]
    site.draw()

    generate(site, seed=1)
    site.hello()
    [lease] = site.claim()
    site.tell(
        "fail",
        failures=[
            {
                "shot_id": lease["shot_id"],
                "token": lease["token"],
                "error_class": "final",
                "code": "x",
                "message": "It broke.",
            }
        ],
    )
    answer = generate(site, seed=1)
    assert (answer.status_code, error_of(answer)["type"]) == (500, "server_error")
    assert "It broke." in error_of(answer)["message"]
    assert answer.headers["x-should-retry"] == "false"


def test_a_spent_quota_says_whether_waiting_helps(make: Make) -> None:
    site = make(yaml="tiers:\n  premium:\n    pictures_a_day: 2\n", dialect_wait_seconds=0.0)
    too_many = generate(site, n=3)
    assert generate(site, n=2).status_code == 504
    spent = generate(site, n=1)
    for answer in (too_many, spent):
        error = error_of(answer)
        assert (answer.status_code, error["type"], error["code"]) == (429, "insufficient_quota", "insufficient_quota")
    assert "Retry-After" not in too_many.headers
    assert too_many.headers["x-should-retry"] == "false"
    assert int(spent.headers["Retry-After"]) > 0


def events(chunks: Iterator[bytes]) -> Iterator[dict[str, Any]]:
    for chunk in chunks:
        name, _, rest = chunk.decode().partition("\n")
        if name.startswith(":"):
            continue
        data: dict[str, Any] = json.loads(rest.removeprefix("data: "))
        assert name == f"event: {data.get('type', 'error')}"
        yield data


def begin_stream(site: Site, **body: Any) -> tuple[TestResponse, Iterator[dict[str, Any]]]:
    response = site.client.post("/v1/images/generations", json={**HOUSE, "stream": True, **body}, buffered=False)
    assert (response.status_code, response.mimetype) == (200, "text/event-stream")
    return response, events(iter(response.response))  # type: ignore[arg-type]


def test_a_stream_shows_the_picture_as_it_forms(make: Make) -> None:
    site = make(dialect_wait_seconds=60.0)
    waits = site.app.extensions["door"].waits
    response, told = begin_stream(site, partial_images=2, output_format="jpeg")
    site.hello()
    [lease] = site.claim()
    small = "data:image/jpeg;base64," + base64.b64encode(picture(16, 16, "JPEG")).decode()
    for progress in (0.1, 0.4, 0.5, 0.8):
        sent = site.tell("preview", shot_id=lease["shot_id"], token=lease["token"], progress=progress, data_url=small)
        assert sent.get_json()["accepted"] == [lease["shot_id"]]
    for index in (0, 1):
        event = next(told)
        assert (event["type"], event["partial_image_index"]) == ("image_generation.partial_image", index)
        assert (event["size"], event["output_format"], opened(event).format) == ("64x64", "jpeg", "JPEG")
        assert opened(event).size == (64, 64)
    assert waits.held == 1
    site.tell("release", shots=[{"shot_id": lease["shot_id"], "token": lease["token"]}])
    site.draw()
    last = next(told)
    assert (last["type"], last["size"], opened(last).size) == ("image_generation.completed", "64x64", (64, 64))
    assert list(told) == []
    response.close()
    assert waits.held == 0


def test_a_stream_of_several_pictures_and_of_an_edit(make: Make) -> None:
    site = make(dialect_wait_seconds=60.0)
    response, told = begin_stream(site, n=3)
    site.draw()
    assert [event["type"] for event in told] == ["image_generation.completed"] * 3
    response.close()
    form = {"image": (io.BytesIO(picture(64, 64)), "a.png"), "prompt": "x", "model": "tiny", "stream": "true"}
    response = site.client.post("/v1/images/edits", data={**form, "size": "64x64"}, buffered=False)
    site.draw()
    assert [event["type"] for event in events(iter(response.response))] == ["image_edit.completed"]  # type: ignore[arg-type]
    response.close()


def test_a_stream_tells_of_its_jobs_end_also_without_a_picture(make: Make) -> None:
    site = make(dialect_wait_seconds=60.0)
    response, told = begin_stream(site)
    [job] = list_jobs(site.services, owner(site.services)).items
    cancel(site.services, owner(site.services), job.id)
    [event] = told
    assert event["error"]["code"] == "generation_cancelled"
    assert job.id in event["error"]["message"]
    response.close()


def test_a_stream_that_takes_too_long_says_so_and_can_be_taken_up(site: Site) -> None:
    response, told = begin_stream(site)
    [event] = told
    assert event["error"]["code"] == "still_drawing"
    response.close()
    site.draw()
    _, told = begin_stream(site)
    assert [event["type"] for event in told] == ["image_generation.completed"]
    assert site.stored()["jobs"] == 1


def test_a_stream_that_nobody_hears_to_the_end_can_be_taken_up(make: Make) -> None:
    site = make(dialect_wait_seconds=60.0)
    response, _ = begin_stream(site)
    response.close()
    assert site.app.extensions["door"].waits.held == 0
    site.draw()
    _, told = begin_stream(site)
    assert [event["type"] for event in told] == ["image_generation.completed"]
    assert site.stored()["jobs"] == 1


@pytest.fixture
def town(make: Make) -> Town:
    return build(lambda **changes: make(dialect_wait_seconds=0.0, **changes))


def test_each_key_has_its_own_pictures(town: Town) -> None:
    site = town.site
    keys = {}
    for name in ("ada", "bob"):
        browser = town.member(f"{name}@example.org")
        made = browser.send("POST", "/api/v1/keys", {"name": "k", "scopes": ["generate", "read"]}).get_json()
        keys[name] = {"Authorization": f"Bearer {made['key']}"}
    client = Browser(site).client
    for headers in ({}, {"Authorization": "Bearer sh_wrong"}, {"Authorization": f"Bearer {TOKEN}"}):
        answer = client.post("/v1/images/generations", json=HOUSE, headers=headers)
        assert (answer.status_code, error_of(answer)["code"]) == (401, "invalid_api_key")
    for name in ("ada", "bob"):
        assert client.post("/v1/images/generations", json=HOUSE, headers=keys[name]).status_code == 504
    site.draw()
    for name in ("ada", "bob"):
        assert client.post("/v1/images/generations", json=HOUSE, headers=keys[name]).status_code == 200
        mine = client.get("/api/v1/images", headers=keys[name]).get_json()["items"]
        assert len(mine) == 1
    account_id = client.get("/api/v1/me", headers=keys["bob"]).get_json()["id"]
    image = site.services.store.image(mine[0]["id"], account_id)
    link = f"/api/v1/files/{hour_token(site.options.secret_key, image, stamp=0, now=time.time())}"
    assert client.get(link).status_code == 200
    suspend(site.services, account_id, by=None)
    assert client.get(link).status_code == 404, "links end with the account that gave them"
