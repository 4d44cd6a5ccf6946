"""Two accounts on one real server: sockets tell each of its own things, and of nothing once it may not hear."""

import functools
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import socketio
from socketio.exceptions import ConnectionError as Refused

from tests.api.site import write_checkpoint
from tests.running import PATIENCE_SECONDS, RunningService, eventually

PASSWORD = "correct horse battery"
ORDER = {"prompt": "a red house", "checkpoint": "tiny", "width": 64, "height": 64, "steps": 1}


class Person:
    """A browser of somebody with an account."""

    def __init__(self, service: RunningService) -> None:
        self.service = service
        self.http = httpx.Client(base_url=service.url, timeout=70.0, trust_env=False)
        self.events: list[tuple[str, str]] = []  #: (event, id of the job)

    def send(self, method: str, path: str, **body: object) -> httpx.Response:
        token = self.http.cookies.get("XSRF-TOKEN")
        headers = {"X-XSRF-TOKEN": token} if token else {}
        answer = self.http.request(method, f"/api/v1/{path}", json=body, headers=headers)
        assert answer.status_code < 400, answer.text
        return answer

    def listen(self) -> socketio.Client:
        client = socketio.Client(reconnection=False)
        client.on("job", lambda body: self.events.append(("job", body["id"])))
        for name in ("shot", "image"):
            client.on(name, lambda body, name=name: self.events.append((name, body["job_id"])))
        cookies = "; ".join(f"{name}={value}" for name, value in self.http.cookies.items())
        client.connect(
            self.service.url,
            transports=["websocket"],
            headers={"Cookie": cookies} if cookies else {},
            wait_timeout=PATIENCE_SECONDS,
        )
        return client

    def heard(self, event: str, job_id: str) -> bool:
        return (event, job_id) in self.events

    def sign_up(self, email: str) -> None:
        self.send("POST", "auth/register", email=email)
        letters = self.service.data_dir / "mail"
        eventually(lambda: any(email in file.read_text() for file in letters.glob("*.eml")), "the letter is there")
        [text] = [file.read_text() for file in letters.glob("*.eml") if f"To: {email}" in file.read_text()]
        unfolded = text.replace("=\n", "").replace("=3D", "=")
        [token] = re.findall(r"http://127\.0\.0\.1:\d+/reset\?new=1&token=(\S+)", unfolded)
        self.send("POST", f"auth/reset/{token}", password=PASSWORD, password_confirm=PASSWORD)
        self.send("POST", "auth/login", email=email, password=PASSWORD)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    folder: Path = tmp_path_factory.mktemp("accounts")
    write_checkpoint(folder / "data" / "models" / "checkpoints" / "tiny")
    service = RunningService(
        folder / "data",
        COMPUTE__RUNTIME="null",
        API__AUTHENTICATION="true",
        AUTH__SIGN_UP="open",
        AUTH__ARGON2_MEMORY_KIB=8,
        AUTH__ARGON2_ROUNDS=1,
        AUTH__SECRET_KEY="canary of the key, of thirty-two characters and more",
        MAIL__SMTP_PASSWORD="canary of the mail",
        STORAGE__SECRET_ACCESS_KEY="canary of the bucket",
        OBSERVABILITY__LOG_LEVEL="debug",
        OBSERVABILITY__LOG_REQUESTS="true",
    )
    service.start()
    yield service
    service.end()


def test_sockets_tell_each_account_of_its_own(service: RunningService) -> None:
    assert "/claim#" in service.log, "the link that claims the owner is on the console"
    with pytest.raises(Refused):
        Person(service).listen()
    ada, bob = Person(service), Person(service)
    ada.sign_up("ada@example.org")
    bob.sign_up("bob@example.org")
    assert "Mail to ada@example.org: Confirm your address" in service.log
    sockets = [ada.listen(), bob.listen()]
    jobs = {person: person.send("POST", "jobs", **ORDER).json()["id"] for person in (ada, bob)}
    for person, job_id in jobs.items():
        eventually(functools.partial(person.heard, "image", job_id), "the picture is told of")
        assert {job for _, job in person.events} == {job_id}, "and of nobody else's"
    assert sockets[1].call("watch", {"job_id": jobs[ada]})["error"]["code"] == "not_found"
    ada.send("POST", "auth/logout")
    eventually(lambda: not sockets[0].connected, "the socket is closed with its session")
    assert sockets[1].connected

    owner = Person(service)
    [token] = set(re.findall(r"/claim#(\S+)", service.log))
    owner.send("POST", "auth/claim", token=token, email="owner@example.org", password=PASSWORD)
    [found] = owner.http.get("/api/v1/admin/accounts?search=bob").json()["items"]
    owner.send("PATCH", f"admin/accounts/{found['id']}", suspended=True)
    eventually(lambda: not sockets[1].connected, "the socket of a suspended account is closed")
    with pytest.raises(Refused):
        bob.listen()


def test_no_secret_stands_in_a_log_or_in_an_answer(service: RunningService) -> None:
    eve = Person(service)
    eve.sign_up("eve@example.org")
    key = eve.send("POST", "keys", name="mine").json()["key"]
    told = ""
    for path in ("/metrics", "/readyz", "/healthz", "/openapi/openapi.json", "/api/v1/me", "/api/v1/status"):
        for headers in ({}, {"Authorization": f"Bearer {key}"}, {"Authorization": "Bearer sh_wrong"}):
            answer = httpx.get(service.url + path, headers=headers, trust_env=False)
            told += answer.text + str(answer.headers)
    told += httpx.post(f"{service.url}/api/v1/auth/login", content=PASSWORD, trust_env=False).text
    agent_token = (service.data_dir / "agent.token").read_text().strip()
    for secret in ("canary", PASSWORD, key, agent_token, *eve.http.cookies.values()):
        assert secret not in service.log
        assert secret not in told
