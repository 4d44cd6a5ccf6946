"""Socket.IO: what changed, pushed to the browsers of the account it belongs to.

Websocket transport only, so that several server processes need no sticky sessions. Every event is a hint: the page
fetches the truth by REST on each connect. Each socket holds one of the server's threads, hence the cap.
"""

import json
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs

import structlog
from engineio.async_drivers.threading import SimpleWebSocketWSGI
from flask import Flask, request
from flask_socketio import SocketIO, join_room, leave_room
from simple_websocket import ConnectionClosed
from socketio.exceptions import ConnectionRefusedError as Refused
from werkzeug.wrappers import Response

from stablehand.api.access import identify, still_good
from stablehand.api.door import Door
from stablehand.api.errors import BadHost, BadOrigin, shape, status_of
from stablehand.api.fanout import Fanout
from stablehand.api.guards import Gate
from stablehand.api.views import image_out, job_out, shot_out
from stablehand.domain.credentials import Caller
from stablehand.domain.errors import Busy, NotFound, StablehandError, Unauthorized
from stablehand.domain.events import (
    AccountStopped,
    ImageAdded,
    JobChanged,
    NoticeGiven,
    PreviewShown,
    ShotChanged,
)
from stablehand.services.watch import unwatch, watch

PATH = "/socket.io"
#: jobs that one socket may watch at a time
MAX_WATCHED = 16
#: how often pages fetch the truth while events of other processes cannot come here, if anything rang
REFETCH_SECONDS = 5.0
#: how soon a socket is closed after its session has ended or its key was revoked
LOOK_SECONDS = 10.0
#: a client only ever says which job it looks at
MAX_MESSAGE_BYTES = 4096

Told = JobChanged | ShotChanged | ImageAdded | PreviewShown | NoticeGiven

log = structlog.get_logger("stablehand.live")


class WebsocketOnly(StablehandError):
    """Somebody asked for Socket.IO's long polling."""

    code = "websocket_only"


class Live:
    """The Socket.IO server in front of the application, and the thread that carries the feed to it."""

    def __init__(self, app: Flask, door: Door, gate: Gate) -> None:
        self._door = door
        self._watched: dict[str, set[str]] = {}  # socket -> jobs it watches
        self._callers: dict[str, Caller] = {}  # socket -> who opened it
        self._lock = threading.Lock()
        self._subscription = door.services.feed.subscribe()
        broadcast = door.services.broadcast
        self._fanout = Fanout(broadcast) if broadcast.reaches_others else None
        if self._fanout is not None:
            broadcast.on_open(self._send_for_the_truth)
        self._rings_seen = 0
        self._pump = threading.Thread(target=self._carry, name="live", daemon=True)
        self.socketio = SocketIO(
            app,
            async_mode="threading",
            path=PATH,
            transports=["websocket"],
            cors_allowed_origins=[],  # the gate below has looked at Origin and Host by then
            async_handlers=False,
            manage_session=False,
            max_http_buffer_size=MAX_MESSAGE_BYTES,
            **({"client_manager": self._fanout} if self._fanout is not None else {}),
        )
        engine = self.socketio.server.eio
        engine._async = {**engine._async, "websocket": Socket}
        app.wsgi_app = SocketGate(app.wsgi_app, door, gate)  # type: ignore[method-assign]
        self._listen()

    def start(self) -> None:
        self._pump.start()

    def stop(self) -> None:
        """Say goodbye to every socket and end the thread."""
        self._subscription.close()
        if self._pump.is_alive():
            self._pump.join(timeout=2.0)
        with self._lock:
            sockets = list(self._watched)
        for socket in sockets:
            self.socketio.server.disconnect(socket)

    def _listen(self) -> None:
        handlers: dict[str, Callable[..., Any]] = {
            "connect": self._connect,
            "disconnect": self._disconnect,
            "watch": self._begin_watching,
            "unwatch": self._stop_watching,
        }
        for name, handler in handlers.items():
            self.socketio.on_event(name, handler)
        self.socketio.default_exception_handler = _broke

    def _connect(self, auth: object = None) -> None:
        del auth
        caller = self._caller()
        with self._lock:
            self._watched[_socket()] = set()
            self._callers[_socket()] = caller
        join_room(_account_room(caller.account.id))

    def _disconnect(self, reason: object = None) -> None:
        del reason
        with self._lock:
            watched = self._watched.pop(_socket(), set())
            self._callers.pop(_socket(), None)
        for job_id in watched:
            unwatch(self._door.services, job_id)

    def _begin_watching(self, message: object = None) -> dict[str, Any]:
        job_id = _job_id(message)
        with self._lock:
            mine = self._watched.get(_socket())
            caller = self._callers.get(_socket())
            if job_id is None or mine is None or caller is None or (len(mine) >= MAX_WATCHED and job_id not in mine):
                return shape("bad_watch", f'Send {{"job_id": …}}, for at most {MAX_WATCHED} jobs at a time.')
            if job_id in mine:
                return {}
            mine.add(job_id)
        try:
            watch(self._door.services, caller.account, job_id)
        except NotFound as error:
            with self._lock:
                mine.discard(job_id)
            return shape(error.code, error.message, error.hint)
        join_room(_watch_room(job_id))
        return {}

    def _stop_watching(self, message: object = None) -> dict[str, Any]:
        job_id = _job_id(message)
        with self._lock:
            mine = self._watched.get(_socket(), set())
            if job_id is None or job_id not in mine:
                return {}
            mine.discard(job_id)
        leave_room(_watch_room(job_id))
        unwatch(self._door.services, job_id)
        return {}

    def _caller(self) -> Caller:
        """Who opens the socket. Raises Refused, which ends it, for nobody."""
        if self._door.options.accounts is None:
            return self._door.caller
        try:
            caller = identify(self._door)
        except StablehandError as error:
            raise Refused(error.code) from error
        if caller is None or not caller.may("read"):
            raise Refused(Unauthorized.code)
        return caller

    def end_strangers(self) -> None:
        """Hang up on sockets whose session or key is not good any more."""
        with self._lock:
            callers = dict(self._callers)
        for socket, caller in callers.items():
            if not still_good(self._door, caller):
                self.socketio.server.disconnect(socket)

    def _send_for_the_truth(self) -> None:
        """Have every page here fetch it: events of other processes may have been missed."""
        if self._fanout is not None:
            self._fanout.emit_here("refetch", {})
        else:
            self.socketio.emit("refetch", {})

    def _look_for_strangers(self) -> None:
        try:
            self.end_strangers()
        except Exception:
            log.exception("the sessions behind open sockets could not be looked at; that is tried again")

    def _heed_rings(self) -> None:
        """Where no events come from other processes, what rang is all that is known of them."""
        if (rings := self._door.services.doorbell.heard()) != self._rings_seen:
            self._rings_seen = rings
            self._send_for_the_truth()

    def _carry(self) -> None:
        unheard, locked = self._door.options.others_unheard, self._door.options.accounts is not None
        patience = REFETCH_SECONDS if unheard or locked else None
        next_heed = next_look = time.monotonic()
        while True:
            event = self._subscription.get(patience)
            if unheard and time.monotonic() >= next_heed:
                self._heed_rings()
                next_heed = time.monotonic() + REFETCH_SECONDS
            if locked and time.monotonic() >= next_look:
                self._look_for_strangers()
                next_look = time.monotonic() + LOOK_SECONDS
            if event is None:
                if self._subscription.closed:
                    return
                continue
            if isinstance(event, AccountStopped):
                self._look_for_strangers()
                continue
            try:
                name, body, room = _told(event)
                self.socketio.emit(name, body, to=room)
            except Exception:
                # Events are hints: one that cannot be told is worth a line in the log, not the end of all others.
                log.exception("an event was not told", kind=type(event).__name__)


class Socket(SimpleWebSocketWSGI):  # type: ignore[misc]
    """A socket whose reader and writer may both close it: Engine.IO's writer does so without looking."""

    def close(self) -> None:
        with suppress(ConnectionClosed, OSError):
            super().close()


class SocketGate:
    """WSGI in front of Socket.IO's handshake: Host, Origin, transport and the cap on sockets.

    A websocket occupies its request until it ends, so that holding a place here counts open sockets exactly.
    """

    def __init__(self, inner: Any, door: Door, gate: Gate) -> None:
        self._inner = inner
        self._door = door
        self._gate = gate

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path != PATH and not path.startswith(PATH + "/"):
            return self._inner(environ, start_response)  # type: ignore[no-any-return]
        try:
            if not self._door.options.serves_live:
                raise NotFound("This process has no sockets.", hint="Connect to one with the role all, web or live.")
            self._check(environ)
            with self._door.sockets.hold():
                return self._inner(environ, start_response)  # type: ignore[no-any-return]
        except StablehandError as error:
            response = Response(
                json.dumps(shape(error.code, error.message, error.hint)),
                status=400 if isinstance(error, WebsocketOnly) else status_of(error),
                mimetype="application/json",
            )
            if isinstance(error, Busy):
                response.headers["Retry-After"] = str(error.retry_after_seconds)
            return response(environ, start_response)

    def _check(self, environ: dict[str, Any]) -> None:
        host = environ.get("HTTP_HOST", "")
        if not self._gate.knows_host(host):
            raise BadHost("This server does not answer to the name in the Host header.", hint="See api.allowed_hosts.")
        origin = environ.get("HTTP_ORIGIN")
        if origin and not self._gate.knows_origin(origin, host, environ.get("wsgi.url_scheme", "http")):
            raise BadOrigin("A page of another site may not listen here.", hint="See api.cors_origins.")
        transport = parse_qs(environ.get("QUERY_STRING", "")).get("transport")
        if transport != ["websocket"] or environ.get("HTTP_UPGRADE", "").lower() != "websocket":
            raise WebsocketOnly("Live events come by websocket only.", hint='Connect with transports: ["websocket"].')


def _told(event: Told) -> tuple[str, dict[str, Any], str]:
    """(event name, body, room) of what happened."""
    room = _account_room(event.account_id)
    match event:
        case JobChanged():
            return "job", job_out(event.job).model_dump(mode="json"), room
        case ShotChanged():
            return "shot", {"job_id": event.job_id, **shot_out(event.shot).model_dump(mode="json")}, room
        case ImageAdded():
            return "image", image_out(event.image).model_dump(mode="json"), room
        case NoticeGiven():
            return "notice", event.notice.as_dict(), room
        case PreviewShown():
            body = {"job_id": event.job_id, "index": event.index, "progress": event.progress, "image": event.data_url}
            return "preview", body, _watch_room(event.job_id)


def _broke(error: Exception) -> None:
    log.error("broke", exc_info=error)


def _socket() -> str:
    return str(request.sid)  # type: ignore[attr-defined]


def _job_id(message: object) -> str | None:
    job_id = message.get("job_id") if isinstance(message, dict) else None
    return job_id if isinstance(job_id, str) and len(job_id) <= 64 else None


def _account_room(account_id: str) -> str:
    return f"account:{account_id}"


def _watch_room(job_id: str) -> str:
    return f"watch:{job_id}"
