"""Whatever is wrong with a request is said in one shape, every field at once, and nothing of it is stored."""

import json
from typing import Any

import pytest

from tests.api.site import TOKEN, Site

JSON = {"Content-Type": "application/json"}
GOOD = {"prompt": "a red house", "checkpoint": "tiny"}


def error_of(answer: Any) -> dict[str, Any]:
    body = answer.get_json()
    assert answer.mimetype == "application/json"
    assert list(body) == ["error"]
    error: dict[str, Any] = body["error"]
    assert set(error) == {"code", "message", "hint", "fields"}
    assert error["code"]
    assert error["message"]
    return error


BAD_FIELDS: list[tuple[str, dict[str, Any], set[str]]] = [
    ("no prompt", {}, {"prompt"}),
    ("empty prompt", {"prompt": "   "}, {"prompt"}),
    ("prompt of another type", {"prompt": ["a", "b"]}, {"prompt"}),
    ("overlong prompt", {"prompt": "x" * 10_001}, {"prompt"}),
    ("overlong negative prompt", {**GOOD, "negative_prompt": "x" * 10_001}, {"negative_prompt"}),
    ("NUL in the prompt", {"prompt": "a\0b"}, {"prompt"}),
    ("unknown sampler", {**GOOD, "sampler": "Unheard Of"}, {"sampler"}),
    ("unknown schedule", {**GOOD, "schedule": "Weekly"}, {"schedule"}),
    ("unknown checkpoint", {**GOOD, "checkpoint": "nobody-has-this"}, {"checkpoint"}),
    ("unknown field", {**GOOD, "stepz": 20}, {"stepz"}),
    ("unknown kind", {**GOOD, "kind": "video"}, {"kind"}),
    ("unknown format", {**GOOD, "format": "gif"}, {"format"}),
    ("unknown tier", {**GOOD, "tier": "royal"}, {"tier"}),
    ("size no multiple of 8", {**GOOD, "width": 257}, {"width"}),
    ("size too large", {**GOOD, "width": 4096, "height": 2056}, {"width", "height"}),
    ("size too small", {**GOOD, "height": 8}, {"height"}),
    ("no steps", {**GOOD, "steps": 0}, {"steps"}),
    ("too many steps", {**GOOD, "steps": 1000}, {"steps"}),
    ("steps as text", {**GOOD, "steps": "20"}, {"steps"}),
    ("steps as a fraction", {**GOOD, "steps": 20.5}, {"steps"}),
    ("steps as truth", {**GOOD, "steps": True}, {"steps"}),
    ("guidance too high", {**GOOD, "cfg_scale": 31}, {"cfg_scale"}),
    ("guidance negative", {**GOOD, "cfg_scale": -0.1}, {"cfg_scale"}),
    ("no pictures", {**GOOD, "count": 0}, {"count"}),
    ("a billion pictures", {**GOOD, "count": 10**9}, {"count"}),
    ("a number beyond all words", {**GOOD, "count": 10**300}, {"count"}),
    ("seed too large", {**GOOD, "seed": 2**63}, {"seed"}),
    ("seed below -1", {**GOOD, "seed": -2}, {"seed"}),
    ("quality 0", {**GOOD, "quality": 0}, {"quality"}),
    (
        "everything at once",
        {"prompt": "", "steps": 0, "width": 7, "sampler": "?", "colour": 1, "checkpoint": "?"},
        {"prompt", "steps", "width", "sampler", "colour", "checkpoint"},
    ),
    (
        "wrong type beside a wrong range",
        {"prompt": 3, "steps": 1000, "checkpoint": "?", "seed": "x"},
        {"prompt", "steps", "checkpoint", "seed"},
    ),
    (
        "fields without effect yet",
        {**GOOD, "denoising_strength": 0.5, "input": "x", "mask": "y", "tiling": {}, "hr_scale": 2},
        {"denoising_strength", "input", "mask", "tiling", "hr_scale"},
    ),
]


@pytest.mark.parametrize(("body", "fields"), [case[1:] for case in BAD_FIELDS], ids=[case[0] for case in BAD_FIELDS])
def test_every_wrong_field_is_named_at_once(quiet_site: Site, body: dict[str, Any], fields: set[str]) -> None:
    answer = quiet_site.client.post("/api/v1/jobs", json=body)
    assert answer.status_code == 422
    error = error_of(answer)
    assert error["code"] == "invalid_fields"
    assert set(error["fields"]) == fields
    assert all(error["fields"].values())
    assert quiet_site.stored() == {"jobs": 0, "images": 0, "queued": 0, "running": 0}


def test_a_field_without_effect_says_so(quiet_site: Site) -> None:
    error = error_of(quiet_site.client.post("/api/v1/jobs", json={**GOOD, "denoising_strength": 0.5, "stepz": 1}))
    assert "no effect" in error["fields"]["denoising_strength"]
    assert "no effect" not in error["fields"]["stepz"]


UNREADABLE: list[tuple[str, bytes, dict[str, str], int, str]] = [
    ("not JSON", b"prompt=house", JSON, 400, "bad_json"),
    ("cut off", b'{"prompt": "a', JSON, 400, "bad_json"),
    ("empty", b"", JSON, 400, "bad_json"),
    ("null", b"null", JSON, 400, "bad_json"),
    ("a list", b'[{"prompt": "a"}]', JSON, 400, "bad_json"),
    ("a text that holds JSON", json.dumps(json.dumps(GOOD)).encode(), JSON, 400, "bad_json"),
    ("NaN", b'{"prompt": "a", "cfg_scale": NaN}', JSON, 400, "bad_json"),
    ("Infinity", b'{"prompt": "a", "cfg_scale": Infinity}', JSON, 400, "bad_json"),
    ("a number too large", b'{"prompt": "a", "cfg_scale": 1e999}', JSON, 400, "bad_json"),
    ("a number too long", b'{"prompt": "a", "seed": ' + b"9" * 5000 + b"}", JSON, 400, "bad_json"),
    ("a key twice", b'{"prompt": "a", "steps": 5, "steps": 6}', JSON, 400, "bad_json"),
    ("half a surrogate pair", b'{"prompt": "\\ud800"}', JSON, 400, "bad_json"),
    ("not UTF-8", b'{"prompt": "\xff\xfe"}', JSON, 400, "bad_json"),
    ("nested lists", b'{"prompt": ' + b"[" * 50_000 + b"]" * 50_000 + b"}", JSON, 400, "bad_json"),
    ("nested objects", b'{"a":' * 500 + b"1" + b"}" * 500, JSON, 400, "bad_json"),
    ("no type", json.dumps(GOOD).encode(), {}, 415, "unsupported_media_type"),
    ("form", b"prompt=house", {"Content-Type": "application/x-www-form-urlencoded"}, 415, "unsupported_media_type"),
    ("plain text", json.dumps(GOOD).encode(), {"Content-Type": "text/plain"}, 415, "unsupported_media_type"),
    ("too large", b'{"prompt": "' + b"x" * 1_100_000 + b'"}', JSON, 413, "too_large"),
]


@pytest.mark.parametrize(
    ("data", "headers", "status", "code"), [case[1:] for case in UNREADABLE], ids=[case[0] for case in UNREADABLE]
)
def test_unreadable_bodies(quiet_site: Site, data: bytes, headers: dict[str, str], status: int, code: str) -> None:
    answer = quiet_site.client.post("/api/v1/jobs", data=data, headers=headers)
    assert answer.status_code == status
    assert error_of(answer)["code"] == code
    assert quiet_site.stored() == {"jobs": 0, "images": 0, "queued": 0, "running": 0}


REQUESTS: list[tuple[str, str, int, str]] = [
    ("GET", "/api/v1/jobs/unknown", 404, "not_found"),
    ("DELETE", "/api/v1/jobs/unknown", 404, "not_found"),
    ("POST", "/api/v1/jobs/unknown/retry", 404, "not_found"),
    ("GET", "/api/v1/images/unknown", 404, "not_found"),
    ("GET", "/api/v1/images/unknown/file", 404, "not_found"),
    ("GET", "/api/v1/images/unknown/thumbnail", 404, "not_found"),
    ("DELETE", "/api/v1/images/unknown", 404, "not_found"),
    ("POST", "/api/v1/images/unknown/restore", 404, "not_found"),
    ("GET", "/api/v1/images/..%2f..%2fsecret_key/file", 404, "not_found"),
    ("GET", "/api/v1/nothing", 404, "not_found"),
    ("GET", "/api", 404, "not_found"),
    ("GET", "/v1alpha1/nothing", 404, "not_found"),
    ("GET", "/agent/v1/nothing", 404, "not_found"),
    ("GET", "/assets/../../secret_key", 404, "not_found"),
    ("PUT", "/api/v1/jobs", 405, "method_not_allowed"),
    ("DELETE", "/api/v1/samplers", 405, "method_not_allowed"),
    ("GET", "/agent/v1/claim", 405, "method_not_allowed"),
    ("GET", "/api/v1/jobs?cursor=nonsense", 422, "invalid_fields"),
    ("GET", "/api/v1/images?cursor=nonsense", 422, "invalid_fields"),
    ("GET", "/api/v1/jobs?limit=0", 422, "invalid_fields"),
    ("GET", "/api/v1/jobs?limit=201", 422, "invalid_fields"),
    ("GET", "/api/v1/jobs?limit=many", 422, "invalid_fields"),
    ("GET", "/api/v1/jobs?state=lost", 422, "invalid_fields"),
    ("GET", "/api/v1/jobs?limt=5", 422, "invalid_fields"),
    ("GET", "/api/v1/samplers?page=2", 422, "invalid_fields"),
    ("GET", "/api/v1/jobs/unknown?wait=61", 422, "invalid_fields"),
    ("GET", "/api/v1/jobs/unknown?wait=nan", 422, "invalid_fields"),
    ("GET", "/api/v1/images?trashed=perhaps", 422, "invalid_fields"),
]


@pytest.mark.parametrize(("method", "path", "status", "code"), REQUESTS)
def test_requests_that_lead_nowhere(quiet_site: Site, method: str, path: str, status: int, code: str) -> None:
    answer = quiet_site.client.open(path, method=method)
    assert answer.status_code == status, answer.get_data(as_text=True)
    assert error_of(answer)["code"] == code
    if status == 405:
        assert answer.headers["Allow"]


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_a_bad_idempotency_key_is_refused(quiet_site: Site, key: str) -> None:
    answer = quiet_site.client.post("/api/v1/jobs", json=GOOD, headers={"Idempotency-Key": key})
    assert answer.status_code == 422
    assert "Idempotency-Key" in error_of(answer)["fields"]
    assert quiet_site.stored()["jobs"] == 0


def test_agents_messages_are_checked_too(quiet_site: Site) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    answer = quiet_site.client.post("/agent/v1/claim", json={"incarnation": "x", "seats": 0}, headers=headers)
    assert answer.status_code == 422
    assert set(error_of(answer)["fields"]) == {"seats"}
    answer = quiet_site.client.post("/agent/v1/claim", data=b"{", headers={**headers, **JSON})
    assert error_of(answer)["code"] == "bad_json"
    answer = quiet_site.client.put("/agent/v1/shots/x/picture?token=one", data=b"x", headers=headers)
    assert set(error_of(answer)["fields"]) == {"token"}


def test_a_bug_leaks_nothing_and_can_be_found(quiet_site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def burst(*_: object, **__: object) -> None:
        raise RuntimeError("the secret inside")

    monkeypatch.setattr("stablehand.api.images.get_image", burst)
    answer = quiet_site.client.get("/api/v1/images/any/file")
    assert answer.status_code == 500
    error = error_of(answer)
    assert error["code"] == "internal_error"
    assert "secret" not in answer.get_data(as_text=True)
    assert answer.headers["X-Request-Id"] in error["hint"]
