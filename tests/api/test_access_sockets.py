"""The matrix's other half: every Socket.IO handler and event, asked and heard by everybody there is.

A handler or an event without a line here fails the test.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import pytest
from flask_socketio import SocketIOTestClient

from stablehand.api.live import Live
from stablehand.domain.events import (
    AccountStopped,
    Event,
    ImageAdded,
    JobChanged,
    NoticeGiven,
    PreviewShown,
    ShotChanged,
)
from stablehand.domain.notices import Notice
from stablehand.services.gallery import get_image
from stablehand.services.jobs import get_job
from tests.api.people import Browser, Town, build
from tests.api.site import TOKEN, make_site
from tests.running import eventually

#: who -> whether the door opens. No key lacks the scope that listening needs: generate and admin hold it.
CONNECTS = {
    "anonymous": False,
    "agent": False,
    "revoked key": False,
    "made-up key": False,
    "account's password": False,
    "owner": True,
    "owner's read key": True,
    "owner's generate key": True,
    "other account": True,
    "other account's key": True,
    "admin": True,
    "admin's key without admin": True,
    "admin's key": True,
}
OWNERS = {"owner", "owner's read key", "owner's generate key"}
#: handler -> what it answers to the owner of the job, and to others whom the door was opened to
HANDLERS: dict[str, tuple[Any, Any]] = {
    "connect": (None, None),
    "watch": ({}, "not_found"),
    "unwatch": ({}, {}),  # it takes back what this socket has asked for, and nothing of others'
    "disconnect": (None, None),
}
#: what is told -> who hears it: all sockets of the account whose it is, or those of them that watch the job, or nobody
EVENTS: dict[type[Any], tuple[str, str]] = {
    JobChanged: ("job", "account"),
    ShotChanged: ("shot", "account"),
    ImageAdded: ("image", "account"),
    NoticeGiven: ("notice", "account"),
    PreviewShown: ("preview", "watchers"),
    AccountStopped: ("", "nobody"),
}


@dataclass
class House:
    town: Town
    live: Live
    browsers: dict[str, Browser]
    keys: dict[str, str] = field(default_factory=dict)
    jobs: dict[str, str] = field(default_factory=dict)

    def knock(self, who: str) -> SocketIOTestClient:
        browser = self.browsers.get(who)
        headers = {"Authorization": f"Bearer {self.keys[who]}"} if who in self.keys else {}
        client = (browser or Browser(self.town.site)).client
        return SocketIOTestClient(
            self.town.site.app, self.live.socketio, flask_test_client=client, headers={"Host": "localhost", **headers}
        )


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, template: Path) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("sockets")
    town = build(lambda **changes: make_site(folder, template=template, **changes))
    ada, bob, admin = town.member("ada@example.org"), town.member("bob@example.org"), town.owner()
    live = town.site.app.extensions["live"]
    house = House(town, live, {"owner": ada, "other account": bob, "admin": admin})
    for who, whose, scopes in (
        ("owner's read key", ada, ["read"]),
        ("owner's generate key", ada, ["generate"]),
        ("revoked key", ada, ["read"]),
        ("other account's key", bob, ["read"]),
        ("admin's key without admin", admin, ["read"]),
        ("admin's key", admin, ["admin"]),
    ):
        made = whose.send("POST", "/api/v1/keys", {"name": who, "scopes": scopes}).get_json()
        house.keys[who] = made["key"]
        if who == "revoked key":
            whose.send("DELETE", f"/api/v1/keys/{made['id']}")
    house.keys |= {"agent": TOKEN, "made-up key": "sh_made-up", "account's password": "correct horse battery"}
    order = {"prompt": "a red house", "checkpoint": "tiny", "width": 64, "height": 64}
    for name, browser in (("ada", ada), ("bob", bob)):
        house.jobs[name] = browser.send("POST", "/api/v1/jobs", order).get_json()["id"]
    town.site.draw()
    live.start()
    yield house
    live.stop()
    town.site.services.store.close()


def test_every_handler_and_every_event_has_a_line(house: House) -> None:
    server = house.live.socketio.server
    assert set(server.handlers) == {"/"}, "there is one namespace"
    assert set(server.handlers["/"]) == set(HANDLERS)
    assert not server.namespace_handlers
    assert set(get_args(Event)) == set(EVENTS)


@pytest.mark.parametrize("who", CONNECTS)
def test_who_may_use_the_handlers(house: House, who: str) -> None:
    feed, job_id = house.town.site.services.feed, house.jobs["ada"]
    socket = house.knock(who)
    assert socket.is_connected() is CONNECTS[who]
    if not CONNECTS[who]:
        return
    elsewhere = house.knock("owner")
    assert elsewhere.emit("watch", {"job_id": job_id}, callback=True) == {}
    for handler in ("watch", "unwatch"):
        answer = socket.emit(handler, {"job_id": job_id}, callback=True)
        expected = HANDLERS[handler][0 if who in OWNERS else 1]
        assert answer == expected or answer["error"]["code"] == expected
        assert job_id not in str(answer)
        assert feed.is_watched(job_id), "somebody else still watches"
    socket.emit("watch", {"job_id": job_id})
    socket.disconnect()
    assert feed.is_watched(job_id), "and still does when others leave"
    elsewhere.disconnect()
    assert not feed.is_watched(job_id), "until the last one has left"


def test_who_hears_what(house: House) -> None:
    services = house.town.site.services
    accounts = {name: services.store.credentials(address=f"{name}@example.org") for name in ("ada", "bob")}
    sockets = {who: house.knock(who) for who, may in CONNECTS.items() if may}
    watching = house.knock("owner")
    assert watching.emit("watch", {"job_id": house.jobs["ada"]}, callback=True) == {}
    for name in ("ada", "bob"):  # Bob's come last: when he has heard his, he has heard whatever else there was
        known = accounts[name]
        assert known is not None
        for event in _events(house, name, known.account_id):
            services.feed.publish(event)

    everybody = {**sockets, "watching": watching}
    heard: dict[str, list[tuple[str, str]]] = {}

    def listen() -> bool:
        for who, socket in everybody.items():
            told = [(packet["name"], packet["args"][0]) for packet in list(socket.queue)]
            heard[who] = [(name, str(body.get("job_id") or body["id"])) for name, body in told]
        return all(len(heard[who]) >= 4 for who in ("other account", "other account's key"))

    eventually(listen, "Bob has heard all that is his")
    for who in sockets:
        whose = "ada" if who in OWNERS else "bob" if who.startswith("other") else None
        expected = [(name, house.jobs[whose]) for name, to in EVENTS.values() if to == "account"] if whose else []
        assert sorted(heard[who]) == sorted(expected), who
    assert sorted(heard["watching"]) == sorted(
        (name, house.jobs["ada"]) for name, to in EVENTS.values() if to != "nobody"
    )


def _events(house: House, name: str, account_id: str) -> list[Event]:
    """One of each kind about somebody's job."""
    services = house.town.site.services
    job = get_job(services, services.store.account(account_id), house.jobs[name])
    image_id = job.shots[0].image_id
    assert image_id is not None
    image = get_image(services, services.store.account(account_id), image_id)
    notice = Notice(
        id=f"notice-{name}",
        kind="job_finished",
        account_id=account_id,
        job_id=job.id,
        payload={"state": "succeeded"},
        created_at=job.created_at,
        tries=0,
        token=1,
    )
    return [
        AccountStopped(account_id),
        PreviewShown(account_id, job.id, 0, 0.5, "data:image/jpeg;base64,AAAA"),
        NoticeGiven(account_id, notice),
        ImageAdded(account_id, image),
        ShotChanged(account_id, job.id, job.shots[0]),
        JobChanged(account_id, job),
    ]
