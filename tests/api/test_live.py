"""Socket.IO against a real server: who is let in, what arrives, and that previews flow only to those who watch."""

import queue
from collections.abc import Iterator
from typing import Any

import pytest
import socketio

from tests.api.site import Make
from tests.running import PATIENCE_SECONDS, RunningService

ORDER = {"prompt": "a red house", "checkpoint": "tiny", "width": 64, "height": 64}


class Listener:
    """A browser's socket that remembers what it was told."""

    def __init__(self, running: RunningService) -> None:
        self.events: queue.Queue[tuple[str, Any]] = queue.Queue()
        self.client = socketio.Client(reconnection=False)
        for name in ("job", "shot", "image", "preview"):
            self.client.on(name, lambda body, name=name: self.events.put((name, body)))
        self.client.connect(
            running.url, transports=["websocket"], wait_timeout=PATIENCE_SECONDS
        )  # its Origin is our own

    def until(self, name: str, is_it: Any = lambda _: True) -> Any:
        while True:
            heard, body = self.events.get(timeout=30)
            if heard == name and is_it(body):
                return body


@pytest.fixture
def listener(running: RunningService) -> Iterator[Listener]:
    made = Listener(running)
    yield made
    made.client.disconnect()


def test_what_happens_is_told_as_rest_tells_it(running: RunningService, listener: Listener) -> None:
    job_id = running.submit(**ORDER, count=2)["id"]
    image = listener.until("image", lambda body: body["job_id"] == job_id)
    told = running.get(f"/api/v1/images/{image['id']}")
    assert told.pop("manifest") is not None, "how it was made is for those who ask for it"
    assert image == told
    job = listener.until("job", lambda body: body["id"] == job_id and body["state"] == "succeeded")
    assert job == running.job(job_id)


def test_shots_tell_their_progress(running: RunningService, listener: Listener) -> None:
    job_id = running.submit(**ORDER, steps=150)["id"]
    shot = listener.until("shot", lambda body: body["job_id"] == job_id)
    assert set(shot) == {"job_id", "index", "state", "progress", "image_id", "seed", "error"}


def test_previews_come_to_those_who_watch(running: RunningService, listener: Listener) -> None:
    job_id = running.submit(**ORDER, steps=150, count=200)["id"]
    assert listener.client.call("watch", {"job_id": job_id}) == {}
    preview = listener.until("preview", lambda body: body["job_id"] == job_id)
    assert set(preview) == {"job_id", "index", "progress", "image"}
    assert preview["image"].startswith("data:image/jpeg;base64,")
    assert 0 <= preview["progress"] <= 1
    assert listener.client.call("unwatch", {"job_id": job_id}) == {}
    assert running.http.delete(f"/api/v1/jobs/{job_id}").status_code == 200


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
def test_other_sites_are_not_let_in(running: RunningService, said: dict[str, str]) -> None:
    client = socketio.Client(reconnection=False, websocket_extra_options=said)
    with pytest.raises(socketio.exceptions.ConnectionError):
        client.connect(running.url, transports=["websocket"], wait_timeout=PATIENCE_SECONDS)


def test_polling_is_not_offered(running: RunningService) -> None:
    answer = running.http.get("/socket.io/?EIO=4&transport=polling")
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
