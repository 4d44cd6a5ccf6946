"""Lists of what strangers send to OpenAI's dialect: each is refused in its one shape, and orders nothing."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from werkzeug.test import TestResponse

from tests.api.people import Town, build
from tests.api.site import Make, Site, make_site, picture
from tests.api.test_openai import HOUSE, error_of, pierced, send_form


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory, template: Path) -> Iterator[Site]:
    made = make_site(tmp_path_factory.mktemp("hostile-openai"), template=template, dialect_wait_seconds=0.0)
    yield made
    made.services.store.close()


def check(answer: TestResponse, status: int, param: str | None, code: str) -> None:
    error = error_of(answer)
    assert (answer.status_code, error["param"], error["code"]) == (status, param, code), error["message"]
    assert len(error["message"]) < 600
    assert not error["message"].endswith("..")


#: field -> values that are of no use in it, with what is said of them
VALUES: dict[str, dict[str, tuple[Any, ...]]] = {
    "size": {
        "invalid_value": ("", "0x0", "64x0", "-64x64", "64", "x", "64X64", "65x64", "8x8", "99999x99999", "1e2x64",
                          "٦٤x٦٤", " 64x64", "64x64x64", "9" * 5_000),
        "invalid_type": (64, True, [64, 64], {"w": 64}),
    },
    "n": {
        "invalid_type": ("1", 1.0, True, [1], {}),
        "integer_below_min_value": (0, -1),
        "integer_above_max_value": (11, 10**30),
    },
    "stream": {"invalid_type": ("true", "false", 1, 0, [])},
    "partial_images": {
        "invalid_type": ("1", 1.5, True),
        "integer_below_min_value": (-1,),
        "integer_above_max_value": (4,),
        "invalid_parameter_combination": (1,),
    },
    "response_format": {"invalid_value": ("", "b64", "URL"), "invalid_type": (1, True)},
    "model": {
        "model_not_found": ("gone", "../../etc/passwd", "dall-e-9", "\0", "x" * 10_000, "tiny.safetensors "),
        "invalid_type": (5, [], {}),
    },
    "prompt": {
        "invalid_value": ("", " \n", "x" * 10_001, "a\0b"),
        "invalid_type": (5, ["a house"], {}),
        "missing_required_parameter": (None,),
    },
    "output_format": {"invalid_value": ("gif", "svg", "PNG"), "invalid_type": (1,)},
    "output_compression": {"integer_above_max_value": (101,), "invalid_type": ("5",),
                           "invalid_parameter_combination": (50,)},
    "background": {"unsupported_value": ("transparent",), "invalid_value": ("clear",)},
    "user": {"invalid_type": (5, {})},
    "seed": {"invalid_value": (-2, 2**64), "invalid_type": ("1", 1.5)},
    "cfg_scale": {"invalid_value": (-1, 1e308), "invalid_type": ("7", True)},
    "tier": {"invalid_value": ("", "royal")},
    "frame_count": {"unsupported_parameter": (1, {})},
    "": {"unknown_parameter": (1,)},
    "__proto__": {"unknown_parameter": ({},)},
}  # fmt: skip


@pytest.mark.parametrize("name", VALUES)
def test_values_of_no_use(quiet: Site, name: str) -> None:
    for code, values in VALUES[name].items():
        for value in values:
            answer = quiet.client.post("/v1/images/generations", json={**HOUSE, name: value})
            check(answer, 404 if code == "model_not_found" else 400, name, code)
    assert quiet.stored()["jobs"] == 0


def test_values_that_do_not_go_together(quiet: Site) -> None:
    for body, param in (
        ({"stream": True, "n": 2, "partial_images": 1}, "partial_images"),
        ({"stream": True, "response_format": "url"}, "response_format"),
    ):
        answer = quiet.client.post("/v1/images/generations", json={**HOUSE, **body})
        assert (answer.status_code, error_of(answer)["param"]) == (400, param)
    assert quiet.stored()["jobs"] == 0


JSON = "application/json"
BODIES: list[tuple[bytes, str | None, int, str]] = [
    (b"", JSON, 400, "bad_json"),
    (b"null", JSON, 400, "bad_json"),
    (b"[]", JSON, 400, "bad_json"),
    (b'"a house"', JSON, 400, "bad_json"),
    (b"{", JSON, 400, "bad_json"),
    (b"\xff\xfe", JSON, 400, "bad_json"),
    (b'{"prompt": NaN}', JSON, 400, "bad_json"),
    (b'{"prompt": "\\ud800"}', JSON, 400, "bad_json"),
    (b'{"prompt": "a", "prompt": "b"}', JSON, 400, "bad_json"),
    (b"[" * 100_000, JSON, 400, "bad_json"),
    (b'{"n": ' + b"1" * 5_000 + b"}", JSON, 400, "bad_json"),
    (b'{"prompt": "\xe4"}', f"{JSON}; charset=latin-1", 400, "bad_json"),
    (b'{"prompt": "' + b"x" * 1_100_000 + b'"}', JSON, 413, "too_large"),
    (b'{"prompt": "a"}', None, 415, "unsupported_media_type"),
    (b"prompt=a", "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
    (b"x", "multipart/form-data", 415, "unsupported_media_type"),
]


@pytest.mark.parametrize(("data", "kind", "status", "code"), BODIES, ids=range(len(BODIES)))
def test_bodies_of_no_use(quiet: Site, data: bytes, kind: str | None, status: int, code: str) -> None:
    check(quiet.client.post("/v1/images/generations", data=data, content_type=kind), status, None, code)


RED = picture(64, 64)
FORMS: list[tuple[dict[str, Any], int, str | None, str]] = [
    ({"image": b""}, 400, "image", "invalid_value"),
    ({"image": b"<svg/>"}, 400, "image", "invalid_value"),
    ({"image": RED[:60]}, 400, "image", "invalid_value"),
    ({"image": picture(9_000, 8)}, 413, None, "invalid_image_file"),
    ({"image": "data:image/png;base64,AAAA"}, 400, "image", "invalid_type"),
    ({"mask": pierced(64, 64)}, 400, "image", "missing_required_parameter"),
    ({"image": RED, "mask": b""}, 400, "mask", "invalid_value"),
    ({"image": RED, "mask": RED}, 400, "mask", "invalid_value"),
    ({"image": RED, "mask": pierced(64, 32)}, 400, "mask", "invalid_value"),
    ({"image": RED, "n": "0"}, 400, "n", "integer_below_min_value"),
    ({"image": RED, "n": "11"}, 400, "n", "integer_above_max_value"),
    ({"image": RED, "n": "1.0"}, 400, "n", "invalid_type"),
    ({"image": RED, "n": "9" * 6_000}, 400, "n", "invalid_type"),
    ({"image": RED, "stream": "yes"}, 400, "stream", "invalid_type"),
    ({"image": RED, "partial_images": "4"}, 400, "partial_images", "integer_above_max_value"),
    ({"image": RED, "size": "63x64"}, 400, "size", "invalid_value"),
    ({"image": RED, "prompt": "a\0"}, 400, "prompt", "invalid_value"),
    ({"image": RED, "model": "gone"}, 404, "model", "model_not_found"),
    ({"image": RED, "input_fidelity": "x"}, 400, "input_fidelity", "invalid_value"),
    ({"image": RED, "denoising_strength": "nan"}, 400, "denoising_strength", "invalid_type"),
    ({"image": RED, "denoising_strength": "2"}, 400, "denoising_strength", "invalid_value"),
    ({"image": RED, **{f"part{number}": "x" for number in range(1_500)}}, 413, None, "too_large"),
]


@pytest.mark.parametrize(("parts", "status", "param", "code"), FORMS, ids=range(len(FORMS)))
def test_forms_of_no_use(quiet: Site, parts: dict[str, Any], status: int, param: str | None, code: str) -> None:
    check(send_form(quiet, "edits", **{"prompt": "a barn", "model": "tiny", **parts}), status, param, code)
    assert quiet.stored()["jobs"] == 0


BROKEN_FORMS = [
    (b"", "multipart/form-data; boundary=x"),
    (b"abc", "multipart/form-data"),
    (
        b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\nabc',
        "multipart/form-data; boundary=x",
    ),
    (b"--x\r\n\r\n\r\n--x--", "multipart/form-data; boundary=x"),
]


@pytest.mark.parametrize(("data", "kind"), BROKEN_FORMS, ids=range(len(BROKEN_FORMS)))
def test_forms_that_are_none(quiet: Site, data: bytes, kind: str) -> None:
    check(
        quiet.client.post("/v1/images/edits", data=data, content_type=kind), 400, "prompt", "missing_required_parameter"
    )


@pytest.mark.parametrize("kind", [None, "application/json", "application/x-www-form-urlencoded", "text/plain"])
def test_edits_are_forms(quiet: Site, kind: str | None) -> None:
    answer = quiet.client.post("/v1/images/edits", data=b'{"prompt": "x"}', content_type=kind)
    check(answer, 400, None, "invalid_content_type")


@pytest.fixture
def town(make: Make) -> Town:
    return build(lambda **changes: make(dialect_wait_seconds=0.0, **changes))


def test_pictures_of_several_megabytes_come_by_key_and_from_the_page(town: Town) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (1_000, 1_000, 3), np.uint8)
    out = io.BytesIO()
    Image.fromarray(noise).save(out, "PNG", compress_level=0)
    large = out.getvalue()
    assert len(large) > 2 * town.site.app.config["MAX_CONTENT_LENGTH"]
    member = town.member("ada@example.org")
    made = member.send("POST", "/api/v1/keys", {"name": "k", "scopes": ["generate", "read"]}).get_json()
    token = member.client.get_cookie("XSRF-TOKEN").value
    for client, headers, status in (
        (town.site.app.test_client(), {"Authorization": f"Bearer {made['key']}"}, 504),
        (member.client, {"X-XSRF-TOKEN": token}, 504),
        (member.client, {}, 403),  # a page of another site
    ):
        form = {"image": (io.BytesIO(large), "a.png"), "mask": (io.BytesIO(pierced(1_000, 1_000)), "m.png")}
        answer = client.post("/v1/images/edits", data={**form, "prompt": "x", "size": "64x64"}, headers=headers)
        error = error_of(answer)
        assert answer.status_code == status, error["message"]
    jobs = member.get("jobs").get_json()["items"]
    assert [job["kind"] for job in jobs] == ["inpaint"] * 2, "504: it is ordered, and nobody draws here"
