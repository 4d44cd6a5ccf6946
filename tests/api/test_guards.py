"""Who may knock: names, pages of other sites, and what browsers may do with the answers."""

import pytest

from tests.api.people import Town, build
from tests.api.site import Make, Site

GOOD = {"prompt": "a red house", "checkpoint": "tiny"}


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:7868", "127.0.0.1:7868", "127.9.9.9", "[::1]:7868", "app.localhost"]
)
def test_own_names_are_answered(quiet_site: Site, host: str) -> None:
    assert quiet_site.client.get("/api/v1/samplers", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:7868",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "10.0.0.5",
        "",
        "a@localhost",
        "localhost:x",
    ],
)
def test_dns_rebinding_meets_a_closed_door(quiet_site: Site, host: str) -> None:
    """A page at evil.example whose name suddenly means 127.0.0.1 is of our origin, but still says its own name."""
    for path in ("/api/v1/images", "/", "/openapi/openapi.json"):
        answer = quiet_site.client.get(path, headers={"Host": host})
        assert answer.status_code == 421
        assert answer.get_json()["error"]["code"] == "bad_host"
    answer = quiet_site.client.post("/api/v1/jobs", json=GOOD, headers={"Host": host, "Origin": f"http://{host}"})
    assert answer.status_code == 421
    assert quiet_site.stored()["jobs"] == 0


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_probes_may_use_any_name(quiet_site: Site, path: str) -> None:
    assert quiet_site.client.get(path, headers={"Host": "10.1.2.3:7868"}).status_code == 200


def test_agents_may_use_any_name_but_need_their_token(quiet_site: Site) -> None:
    answer = quiet_site.client.post("/agent/v1/hello", json={}, headers={"Host": "server.cluster.internal"})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "http://localhost:5173", "https://localhost", "null", "file://"]
)
def test_pages_of_other_sites_may_not_write(quiet_site: Site, origin: str) -> None:
    for content_type in ("application/json", "text/plain"):
        answer = quiet_site.client.post(
            "/api/v1/jobs", data=b'{"prompt": "a"}', headers={"Origin": origin, "Content-Type": content_type}
        )
        assert answer.status_code == 403
        assert answer.get_json()["error"]["code"] == "bad_origin"
    assert quiet_site.client.delete("/api/v1/images/x", headers={"Origin": origin}).status_code == 403
    assert quiet_site.stored()["jobs"] == 0


def test_writes_without_origin_from_another_site_are_refused(site: Site) -> None:
    answer = site.client.post("/api/v1/jobs", json=GOOD, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
    assert site.client.post("/api/v1/jobs", json=GOOD, headers={"Sec-Fetch-Site": "same-origin"}).status_code == 202


def test_the_own_page_may_write(site: Site) -> None:
    headers = {"Host": "localhost:7868", "Origin": "http://localhost:7868"}
    assert site.client.post("/api/v1/jobs", json=GOOD, headers=headers).status_code == 202


def test_no_other_site_may_read_unless_configured(quiet_site: Site) -> None:
    answer = quiet_site.client.get("/api/v1/images", headers={"Origin": "http://evil.example"})
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_configured_names_and_origins(make: Make) -> None:
    site = make(
        public_url="https://images.example.org",
        allowed_hosts=("inside.example",),
        cors_origins=("https://other.example", "*"),
    )
    assert site.client.get("/api/v1/samplers", headers={"Host": "images.example.org"}).status_code == 200
    assert site.client.get("/api/v1/samplers", headers={"Host": "inside.example:80"}).status_code == 200
    for origin in ("https://images.example.org", "https://other.example"):
        answer = site.client.post("/api/v1/jobs", json=GOOD, headers={"Host": "images.example.org", "Origin": origin})
        assert answer.status_code == 202
    answer = site.client.options(
        "/api/v1/jobs", headers={"Origin": "https://other.example", "Access-Control-Request-Method": "POST"}
    )
    assert answer.status_code == 204
    assert answer.headers["Access-Control-Allow-Origin"] == "https://other.example"
    assert "POST" in answer.headers["Access-Control-Allow-Methods"]
    # "*" stands for requests with an API key, which there are none of without accounts
    answer = site.client.post("/api/v1/jobs", json=GOOD, headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403
    answer = site.client.get("/api/v1/images", headers={"Origin": "https://evil.example"})
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_any_site_may_call_with_a_key_and_with_nothing_else(make: Make) -> None:
    town = build(make)
    site = make(accounts=town.site.options.accounts, cors_origins=("*",))
    owner = Town(site).owner()
    key = owner.send("POST", "/api/v1/keys", {"name": "elsewhere"}).get_json()["key"]
    away = {"Origin": "https://other.example"}
    asked = site.client.options("/api/v1/jobs", headers={**away, "Access-Control-Request-Method": "POST"})
    assert asked.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in asked.headers
    keyed = site.client.post("/api/v1/jobs", json=GOOD, headers={**away, "X-Api-Key": key})
    assert keyed.status_code == 202
    assert keyed.headers["Access-Control-Allow-Origin"] == "*"
    refused = owner.send("POST", "/api/v1/jobs", GOOD, **away)
    assert refused.status_code == 403
    assert refused.get_json()["error"]["code"] == "bad_origin"
    read = owner.send("GET", "/api/v1/jobs", **away)
    assert "Access-Control-Allow-Origin" not in read.headers
    assert site.client.post("/api/v1/jobs", json=GOOD, headers={**away, "X-Api-Key": "sh_no"}).status_code == 401


def test_options_tell_the_methods(quiet_site: Site) -> None:
    answer = quiet_site.client.options("/api/v1/jobs")
    assert answer.status_code == 200
    assert {"GET", "POST"} <= set(answer.headers["Allow"].replace(" ", "").split(","))


def test_answers_are_dressed(quiet_site: Site) -> None:
    answer = quiet_site.client.get("/api/v1/samplers")
    csp = answer.headers["Content-Security-Policy"]
    assert "default-src 'self'" in csp
    assert "script-src 'self';" in csp
    assert "frame-ancestors 'none'" in csp
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Request-Id"]
    assert "script-src 'self' 'unsafe-inline'" in quiet_site.client.get("/openapi/").headers["Content-Security-Policy"]
