"""What the service says of itself: catalogue, samplers, account, health, metrics, documentation, page."""

from pathlib import Path

import openapi_spec_validator
import pytest

from stablehand import __version__
from stablehand.api import Readiness
from stablehand.domain.samplers import SAMPLERS, SCHEDULES
from stablehand.domain.upscalers import LATENT_UPSCALERS, PIXEL_UPSCALERS
from tests.api.site import Make, Site


def test_checkpoints(site: Site) -> None:
    page = site.client.get("/api/v1/checkpoints").get_json()
    tiny = next(item for item in page["items"] if item["name"] == "tiny")
    assert set(tiny) == {
        "id",
        "name",
        "family",
        "sha256",
        "short_hash",
        "inpainting",
        "prediction",
        "zero_terminal_snr",
        "distillation",
        "defaults",
        "native_size",
        "resident",
        "builtin",
        "default",
        "size_bytes",
    }
    assert (tiny["builtin"], tiny["resident"]) == (False, False)
    assert tiny["defaults"] == {"steps": 20, "sampler": "DPM++ 2M", "schedule": "Automatic", "cfg_scale": 7.0}
    assert sum(item["default"] for item in page["items"]) == 1
    site.tell("hello", runtime="null", device={"kind": "cpu", "name": "x"}, ready=True, seats=1, resident=[tiny["id"]])
    page = site.client.get("/api/v1/checkpoints").get_json()
    assert next(item for item in page["items"] if item["name"] == "tiny")["resident"] is True
    assert site.client.get("/api/v1/status").get_json()["agents"][0]["resident"] == ["tiny"]


def test_samplers_and_schedules(quiet_site: Site) -> None:
    samplers = quiet_site.client.get("/api/v1/samplers").get_json()
    assert [item["name"] for item in samplers["items"]] == [named.name for named in SAMPLERS]
    schedules = quiet_site.client.get("/api/v1/schedules").get_json()
    assert [item["name"] for item in schedules["items"]] == [named.name for named in SCHEDULES]
    assert samplers["next_cursor"] is schedules["next_cursor"] is None


def test_upscalers_say_which_are_of_latents(quiet_site: Site) -> None:
    items = quiet_site.client.get("/api/v1/upscalers").get_json()["items"]
    assert [item["name"] for item in items if item["latent"]] == list(LATENT_UPSCALERS)
    assert [item["name"] for item in items if not item["latent"]] == [*PIXEL_UPSCALERS, "postcard-2x"]
    assert [(item["name"], item["scale"]) for item in items if item["network"]] == [("postcard-2x", 2)]


def test_me(quiet_site: Site) -> None:
    me = quiet_site.client.get("/api/v1/me").get_json()
    assert (me["role"], me["tiers"]) == ("owner", ["premium", "normal"])
    assert me["limits"] == {
        "steps": [1, 150],
        "count": [1, 1000],
        "side": [64, 2048],
        "cfg_scale": [0.0, 30.0],
        "prompt_length": 10000,
        "queued_shots": 10000,
    }


def test_status_counts_the_queue(site: Site) -> None:
    site.order(count=4)
    status = site.client.get("/api/v1/status").get_json()
    assert status["version"] == __version__
    assert status["ready"] is False
    assert status["queue"] == {"queued": 4, "running": 0}
    assert status["agents"] == []
    [pool] = status["pools"]
    assert (pool["name"], pool["ready"]) == ("default", 0)
    assert pool["wanted"] >= 1


def test_health(site: Site, make: Make) -> None:
    assert site.client.get("/healthz").get_json() == {"status": "ok"}
    ready = site.client.get("/readyz")
    assert (ready.status_code, ready.get_json()["ready"]) == (200, True)
    closed = make(
        readiness=lambda: Readiness(ready=False, stored=False, checks={"store": "cannot be reached"}),
    )
    answer = closed.client.get("/readyz")
    assert answer.status_code == 503
    assert answer.get_json() == {"ready": False, "checks": {"store": "cannot be reached"}, "agents": {}}


def test_metrics(site: Site) -> None:
    site.order(count=2)
    site.draw()
    site.order(count=3)
    site.client.get("/api/v1/jobs/unknown")
    text = site.client.get("/metrics").get_data(as_text=True)
    for line in (
        'stablehand_shots{state="queued"} 3.0',
        'stablehand_agents{state="ready"} 1.0',
        'stablehand_agents_wanted{pool="default"} 1.0',
        "stablehand_deliveries_total 2.0",
        "stablehand_device_seconds_total 1.0",
        'stablehand_http_requests_total{method="GET",route="/api/v1/jobs/<id>",status="404"} 1.0',
        'stablehand_held_threads{kind="sockets"} 0.0',
    ):
        assert line in text
    assert 'stablehand_http_request_seconds_count{method="POST",route="/api/v1/jobs"} 2.0' in text


def test_metrics_can_be_left_out(make: Make) -> None:
    site = make(metrics=False)
    assert site.client.get("/metrics").status_code == 404


def test_the_document_is_valid_and_complete(quiet_site: Site) -> None:
    answer = quiet_site.client.get("/openapi/openapi.json")
    document = answer.get_json()

    assert document["openapi"] == "3.1.0"
    openapi_spec_validator.validate(document)
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["summary"], (method, path)
            if path.startswith("/api/"):
                for status in ("404", "405", "422"):
                    schema = operation["responses"][status]["content"]["application/json"]["schema"]
                    assert schema == {"$ref": "#/components/schemas/Error"}, (method, path, status)
    assert not [
        name for name, schema in document["components"]["schemas"].items() if "password" in schema.get("properties", {})
    ], "a house without accounts neither takes nor tells a password"


def test_the_document_names_every_route(quiet_site: Site) -> None:
    documented = {
        (method.upper(), path)
        for path, operations in quiet_site.client.get("/openapi/openapi.json").get_json()["paths"].items()
        for method in operations
    }
    for rule in quiet_site.app.url_map.iter_rules():
        if rule.rule.startswith("/api/"):
            for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
                assert (method, rule.rule.replace("<", "{").replace(">", "}")) in documented


def test_the_documentation_asks_nobody_outside(quiet_site: Site) -> None:
    html = quiet_site.client.get("/openapi/").get_data(as_text=True)
    assert "SwaggerUIBundle" in html
    assert '"validatorUrl": null' in html.replace("&#34;", '"') or "validatorUrl" in html
    assert "http://" not in html
    assert "https://" not in html
    assert quiet_site.client.get("/openapi/swagger/js/swagger-ui-bundle.js").status_code == 200


@pytest.fixture
def page(tmp_path: Path, make: Make) -> Site:
    static = tmp_path / "static"
    (static / "assets").mkdir(parents=True)
    (static / "index.html").write_text("<!doctype html><title>the page</title>")
    (static / "assets" / "main-abc123.js").write_text("export {}")
    (static / "favicon.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    return make(static_dir=static)


def test_the_page_and_its_history(page: Site) -> None:
    for path in ("/", "/queue", "/gallery/some-image"):
        answer = page.client.get(path)
        assert answer.status_code == 200
        assert "the page" in answer.get_data(as_text=True)
        assert answer.headers["Cache-Control"] == "no-cache"
    asset = page.client.get("/assets/main-abc123.js")
    assert asset.mimetype in ("text/javascript", "application/javascript")
    assert "immutable" in asset.headers["Cache-Control"]
    assert page.client.get("/favicon.svg").mimetype == "image/svg+xml"
    for path in ("/assets/missing.js", "/api/v1/nothing", "/sdapi/v1/nothing", "/v1alpha1/nothing"):
        assert page.client.get(path).status_code == 404


def test_without_a_built_page_it_says_what_to_do(tmp_path: Path, make: Make) -> None:
    site = make(static_dir=tmp_path / "nowhere")
    answer = site.client.get("/")
    assert answer.status_code == 503
    assert "make install" in answer.get_data(as_text=True)
