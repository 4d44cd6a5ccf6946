"""Socket.IO against a real server: who is let in, what arrives, and that previews flow only to those who watch."""

import queue
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import socketio

from tests.api.site import Make, write_checkpoint
from tests.running import RunningService, ServiceFactory

ORDER = {"prompt": "a red house", "checkpoint": "tiny", "width": 64, "height": 64}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    folder: Path = tmp_path_factory.mktemp("live")
    write_checkpoint(folder / "data" / "models" / "checkpoints" / "tiny")
    running = RunningService(folder / "data", COMPUTE__RUNTIME="null")
    running.start()
    yield running
    running.end()


class Listener:
    """A browser's socket that remembers what it was told."""

    def __init__(self, service: RunningService) -> None:
        self.events: queue.Queue[tuple[str, Any]] = queue.Queue()
        self.client = socketio.Client(reconnection=False)
        for name in ("job", "shot", "image", "preview"):
            self.client.on(name, lambda body, name=name: self.events.put((name, body)))
        self.client.connect(service.url, transports=["websocket"])  # its Origin is our own

    def until(self, name: str, is_it: Any = lambda _: True) -> Any:
        while True:
            heard, body = self.events.get(timeout=30)
            if heard == name and is_it(body):
                return body


@pytest.fixture
def listener(service: RunningService) -> Iterator[Listener]:
    made = Listener(service)
    yield made
    made.client.disconnect()


def test_what_happens_is_told_as_rest_tells_it(service: RunningService, listener: Listener) -> None:
    job_id = service.submit(**ORDER, count=2)["id"]
    image = listener.until("image", lambda body: body["job_id"] == job_id)
    assert image == service.get(f"/api/v1/images/{image['id']}")
    job = listener.until("job", lambda body: body["id"] == job_id and body["state"] == "succeeded")
    assert job == service.job(job_id)


def test_shots_tell_their_progress(service: RunningService, listener: Listener) -> None:
    job_id = service.submit(**ORDER, steps=150)["id"]
    shot = listener.until("shot", lambda body: body["job_id"] == job_id)
    assert set(shot) == {"job_id", "index", "state", "progress", "image_id", "seed", "error"}


def test_previews_come_to_those_who_watch(service: RunningService, listener: Listener) -> None:
    job_id = service.submit(**ORDER, steps=150, count=200)["id"]
    assert listener.client.call("watch", {"job_id": job_id}) == {}
    preview = listener.until("preview", lambda body: body["job_id"] == job_id)
    assert set(preview) == {"job_id", "index", "progress", "image"}
    assert preview["image"].startswith("data:image/jpeg;base64,")
    assert 0 <= preview["progress"] <= 1
    assert listener.client.call("unwatch", {"job_id": job_id}) == {}
    assert service.http.delete(f"/api/v1/jobs/{job_id}").status_code == 200


def test_bad_words_are_answered(listener: Listener) -> None:
    assert listener.client.call("watch", {"job_id": "unknown"})["error"]["code"] == "not_found"
    for nonsense in (None, {}, {"job_id": 5}, "x", {"job_id": "x" * 100}):
        assert listener.client.call("watch", nonsense)["error"]["code"] == "bad_watch"
        assert listener.client.call("unwatch", nonsense) == {}


@pytest.mark.parametrize(
    "said",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"host": "evil.example"},
        {"host": "evil.example", "origin": "http://evil.example"},
    ],
)
def test_other_sites_are_not_let_in(service: RunningService, said: dict[str, str]) -> None:
    client = socketio.Client(reconnection=False, websocket_extra_options=said)
    with pytest.raises(socketio.exceptions.ConnectionError):
        client.connect(service.url, transports=["websocket"])


def test_polling_is_not_offered(service: RunningService) -> None:
    answer = service.http.get("/socket.io/?EIO=4&transport=polling")
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "websocket_only"


def test_past_the_cap_sockets_are_sent_away(make: Make) -> None:
    site = make(max_sockets=0)
    answer = site.client.get(
        "/socket.io/?EIO=4&transport=websocket", headers={"Upgrade": "websocket", "Connection": "Upgrade"}
    )
    assert answer.status_code == 503
    assert answer.get_json()["error"]["code"] == "busy"
    assert answer.headers["Retry-After"]


def test_an_open_socket_does_not_keep_the_server_alive(make_service: ServiceFactory) -> None:
    service = make_service(COMPUTE__RUNTIME="null")
    service.start()
    listener = Listener(service)
    service.stop()
    assert service.survivors() == []
    listener.client.disconnect()
