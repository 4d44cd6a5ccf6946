"""A small real server that speaks the agent protocol and can be told to misbehave.

It keeps shots, leases and tokens in memory, loses answers on request, forgets agents, stops and starts again on the
same port. It is the stand for what the agent promises; what the real server promises is tested on the real one.
"""

import json
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from stablehand.domain.recipes import Recipe

if TYPE_CHECKING:
    from tests.agent.threads import AgentThread

TOKEN = "desk-token"
RUNNER = Path(__file__).with_name("runner.py")

#: what the fixtures of these names are: options of the runner in, a running agent out
Start = Callable[..., "AgentThread"]
StartProcess = Callable[..., "subprocess.Popen[str]"]


@dataclass
class Shot:
    id: str
    recipe: dict[str, Any]
    state: str = "queued"
    token: int = 0
    incarnation: str | None = None
    picture: bytes | None = None
    told: dict[str, Any] = field(default_factory=dict)  #: what came with the picture
    results: int = 0
    errors: list[dict[str, Any]] = field(default_factory=list)
    releases: int = 0
    cancel: bool = False
    parked: bytes | None = None
    parked_steps: list[int] = field(default_factory=list)
    offered: int = 0
    progress: list[float] = field(default_factory=list)
    inputs: dict[str, list[bytes]] = field(default_factory=dict)  #: id -> what is sent for it, call after call


class Refusal(Exception):
    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code


class Desk:
    """``calls`` counts what was heard, by verb; ``lose[verb] = n`` drops the next n answers, done all the same."""

    def __init__(self) -> None:
        self.shots: dict[str, Shot] = {}
        self.hellos: list[dict[str, Any]] = []
        self.previews: list[dict[str, Any]] = []
        self.calls: Counter[str] = Counter()
        self.lose: Counter[str] = Counter()
        self.refuse: dict[str, list[Refusal]] = {}
        self.renewed_at: list[float] = []
        self.loadings: list[str | None] = []
        self.watch = False
        self.drain = False
        self.timeout_seconds = 600.0
        self.park_seconds = 0.0
        self.link: Callable[[str], str | None] | None = (
            None  #: shot id -> where its picture may be put; None: no staging
        )
        self.notes: list[str] = []  #: what it has to say of each picture that is sent
        self.missing: set[str] = set()  #: shots whose staged bytes are not there
        self.known: set[str] = set()
        self.closed: set[str] = set()
        self.changed = threading.Condition()
        self._server: ThreadingHTTPServer | None = None
        self._open: set[socket.socket] = set()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        desk = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                desk._open.add(self.request)

            def finish(self) -> None:
                desk._open.discard(self.request)
                super().finish()

            def do_POST(self) -> None:
                desk._answer(self)

            do_PUT = do_POST  # noqa: N815  (the standard library's name)
            do_GET = do_POST  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            allow_reuse_address = True
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                pass  # connections die on purpose here

        self._server = Server(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Die as a killed server does: the port closes and every connection breaks."""
        assert self._server is not None
        server, self._server = self._server, None
        server.shutdown()
        server.server_close()
        for connection in list(self._open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
        with self.changed:
            self.changed.notify_all()

    def order(self, count: int, *, steps: int = 3, seed: int = 1) -> list[Shot]:
        made = []
        with self.changed:
            for index in range(count):
                recipe = Recipe(
                    prompt="a red house",
                    checkpoint_id="postcard",
                    checkpoint="postcard",
                    width=64,
                    height=64,
                    steps=steps,
                    sampler="Euler",
                    schedule="Automatic",
                    cfg_scale=7.0,
                    seed=seed + index,
                )
                shot = Shot(f"shot-{len(self.shots)}", recipe.as_dict())
                self.shots[shot.id] = shot
                made.append(shot)
            self.changed.notify_all()
        return made

    def expire(self) -> None:
        """Every lease is lost, as after its time."""
        with self.changed:
            for shot in self.shots.values():
                if shot.state == "running":
                    shot.state = "queued"
            self.changed.notify_all()

    def until(self, holds: Callable[[], bool], seconds: float = 60.0) -> None:
        """Wait until something is so; fails the test if it never comes to be."""
        end = time.monotonic() + seconds
        with self.changed:
            while not holds():
                left = end - time.monotonic()
                assert left > 0, f"never came to be; calls: {dict(self.calls)}, shots: {self.states()}"
                self.changed.wait(min(left, 0.05))

    def states(self) -> dict[str, str]:
        return {shot.id: shot.state for shot in self.shots.values()}

    def all_are(self, state: str) -> bool:
        return all(shot.state == state for shot in self.shots.values())

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length", "0")))
        path = urlsplit(handler.path)
        verb = "upload" if path.path.endswith("/picture") else path.path.rsplit("/", 1)[-1]
        verb = "input" if "/inputs/" in path.path else verb
        query = {name: values[0] for name, values in parse_qs(path.query).items()}
        status, answer = 200, dict[str, Any]()
        try:
            if handler.headers.get("Authorization") != f"Bearer {TOKEN}":
                raise Refusal(401, "unauthorized")
            with self.changed:
                self.calls[verb] += 1
                if self.refuse.get(verb):
                    raise self.refuse[verb].pop(0)
                if verb == "upload":
                    answer = self._upload(path.path.split("/")[-2], int(query["token"]), body)
                elif verb == "input":
                    answer = self._input(path.path.rsplit("/", 1)[-1], query)
                elif verb == "park":
                    answer = self._park(query, body)
                elif verb == "parked":
                    answer = self._parked(path.path.split("/")[-2], int(query["token"]))
                else:
                    answer = getattr(self, f"_{verb}")(json.loads(body))
                self.changed.notify_all()
        except Refusal as refusal:
            status = refusal.status
            answer = {"error": {"code": refusal.code, "message": f"The desk says {refusal.code}.", "hint": "Mend it."}}
        if self.lose[verb] > 0 or self._server is None:
            self.lose[verb] -= 1
            handler.connection.close()
            handler.close_connection = True
            return
        raw = answer.get("raw")
        data = raw if isinstance(raw, bytes) else json.dumps({**answer, "field_of_a_newer_server": 1}).encode()
        try:
            handler.send_response(status)
            handler.send_header("Content-Type", "application/json")
            handler.send_header("Content-Length", str(len(data)))
            handler.end_headers()
            handler.wfile.write(data)
        except OSError:
            handler.close_connection = True

    def _hello(self, message: dict[str, Any]) -> dict[str, Any]:
        self.hellos.append(message)
        self.known = {message["incarnation"]}
        return {
            "agent_id": "agent",
            "lease_seconds": 30.0,
            "renew_seconds": 0.05,
            "park_seconds": self.park_seconds,
            "stages": self.link is not None,
        }

    def _check(self, message: dict[str, Any]) -> None:
        if message["incarnation"] not in self.known:
            raise Refusal(409, "unknown_incarnation")

    def _claim(self, message: dict[str, Any]) -> dict[str, Any]:
        self._check(message)
        end = time.monotonic() + min(message["wait_seconds"], 2.0)
        while not (queued := [shot for shot in self.shots.values() if shot.state == "queued"][: message["seats"]]):
            left = end - time.monotonic()
            if left <= 0 or self._server is None or message["incarnation"] in self.closed:
                break
            self.changed.wait(left)
            self._check(message)
        if message["incarnation"] in self.closed:
            return {"leases": [], "drain": True}
        for shot in queued:
            shot.state, shot.token, shot.incarnation = "running", shot.token + 1, message["incarnation"]
            shot.offered += shot.parked is not None
        leases = [
            {
                "shot_id": shot.id,
                "job_id": "job",
                "index": 0,
                "token": shot.token,
                "attempt": shot.token,
                "lease_seconds": 30.0,
                "timeout_seconds": self.timeout_seconds,
                "recipe": shot.recipe,
                "checkpoint": {"id": "postcard", "name": "postcard", "path": "builtin:postcard", "sha256": "ab" * 32},
                "inputs": {
                    name: f"/agent/v1/inputs/{name}?shot_id={shot.id}&token={shot.token}" for name in shot.inputs
                },
                **self._resume(shot),
            }
            for shot in queued
        ]
        return {"leases": leases, "drain": self.drain}

    def _owned(self, shot_id: str, token: int) -> Shot | None:
        shot = self.shots.get(shot_id)
        return shot if shot is not None and shot.state == "running" and shot.token == token else None

    def _renew(self, message: dict[str, Any]) -> dict[str, Any]:
        self._check(message)
        self.renewed_at.append(time.monotonic())
        self.loadings.append(message["loading"])
        cancelled, lost, watched = [], [], []
        for held in message["shots"]:
            shot = self._owned(held["shot_id"], held["token"])
            if shot is None:
                lost.append(held["shot_id"])
                continue
            shot.progress.append(held["progress"])
            if shot.cancel:
                cancelled.append(shot.id)
            if self.watch:
                watched.append(shot.id)
        return {"cancelled": cancelled, "lost": lost, "watched": watched, "drain": self.drain}

    def _upload(self, shot_id: str, token: int, data: bytes) -> dict[str, Any]:
        shot = self._owned(shot_id, token)
        if shot is None:
            raise Refusal(409, "lease_lost")
        shot.picture = data
        return {"upload": f"{shot_id}-{token}", "sha256": "0", "size_bytes": len(data), "notes": self.notes}

    def _park(self, query: dict[str, str], state: bytes) -> dict[str, Any]:
        self._check(query)
        shot = self._owned(query["shot_id"], int(query["token"]))
        if shot is None:
            raise Refusal(409, "lease_lost")
        shot.parked = state
        shot.parked_steps.append(int(query["step"]))
        return {"accepted": [shot.id]}

    def _resume(self, shot: Shot) -> dict[str, Any]:
        if shot.parked is None:
            return {}
        address = f"/agent/v1/shots/{shot.id}/parked?token={shot.token}"
        return {"resume_from": address, "resumed_progress": shot.parked_steps[-1] / shot.recipe["steps"]}

    def _parked(self, shot_id: str, token: int) -> dict[str, Any]:
        shot = self._owned(shot_id, token)
        if shot is None or shot.parked is None:
            raise Refusal(404, "not_found")
        return {"raw": shot.parked}

    def _input(self, name: str, query: dict[str, str]) -> dict[str, Any]:
        shot = self._owned(query["shot_id"], int(query["token"]))
        if shot is None:
            raise Refusal(409, "lease_lost")
        if not shot.inputs[name]:
            raise Refusal(404, "not_found")
        return {"raw": shot.inputs[name].pop(0) if len(shot.inputs[name]) > 1 else shot.inputs[name][0]}

    def _stage(self, message: dict[str, Any]) -> dict[str, Any]:
        self._check(message)
        if self._owned(message["shot_id"], message["token"]) is None:
            raise Refusal(409, "lease_lost")
        assert self.link is not None
        return {"url": self.link(message["shot_id"]), "upload": "staged-" + message["sha256"], "headers": {}}

    def _deliver(self, message: dict[str, Any]) -> dict[str, Any]:
        self._check(message)
        accepted, refused, missing = [], [], []
        for picture in message["pictures"]:
            shot = self.shots[picture["shot_id"]]
            if shot.token == picture["token"] and shot.state == "succeeded":
                accepted.append(shot.id)
            elif shot.id in self.missing and picture["upload"].startswith("staged-"):
                missing.append(shot.id)
            elif self._owned(shot.id, picture["token"]) and (
                shot.picture is not None or picture["upload"].startswith("staged-")
            ):
                shot.state, shot.told = "succeeded", picture
                shot.results += 1
                accepted.append(shot.id)
            else:
                refused.append(shot.id)
        return {"accepted": accepted, "refused": refused, "missing": missing}

    def _fail(self, message: dict[str, Any]) -> dict[str, Any]:
        self._check(message)
        for failure in message["failures"]:
            if shot := self._owned(failure["shot_id"], failure["token"]):
                shot.errors.append(failure)
                shot.state = "failed" if failure["error_class"] == "final" or len(shot.errors) > 3 else "queued"
        return {"accepted": []}

    def _release(self, message: dict[str, Any]) -> dict[str, Any]:
        self._check(message)
        if message["closing"]:
            self.closed.add(message["incarnation"])
        if message["leaving"]:
            self.known.clear()
        for held in message["shots"]:
            if shot := self._owned(held["shot_id"], held["token"]):
                shot.releases += 1
                shot.state = "cancelled" if shot.cancel else "queued"
        return {"accepted": []}

    def _preview(self, message: dict[str, Any]) -> dict[str, Any]:
        self.previews.append(message)
        return {"accepted": [message["shot_id"]]}
