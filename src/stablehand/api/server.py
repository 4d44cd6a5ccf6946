"""The HTTP server: gunicorn with threads, run from Python. One worker process holds everything that lives; the parent
only watches it, so that a crash of native code costs seconds, not the service.
"""

import contextlib
import http
import json
import logging
import os
import signal
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.http.errors import LimitRequestHeaders, LimitRequestLine, ParseException
from gunicorn.util import write_nonblock
from gunicorn.workers.gthread import ThreadWorker

from stablehand.api.errors import REFUSALS, shape
from stablehand.domain.errors import BadSettings, StablehandError

THREADS = 256
#: after a signal: the embedded agent's grace, the goodbye to sockets and the last answers together stay below this
GRACEFUL_SECONDS = 5
#: how long answers in the making may still take once everything else has ended
DRAIN_SECONDS = 1.0
#: silence in mid-request or mid-answer after which a client is given up; live sockets are never silent so long, they
#: answer pings
SILENCE_SECONDS = 60

#: for what gunicorn refuses before the application hears of it; everything else there is a 400
_STATUS_OF_UNREADABLE: dict[type[Exception], int] = {LimitRequestLine: 414, LimitRequestHeaders: 431}


@dataclass(frozen=True, slots=True)
class Service:
    """What the worker process is made of. ``start`` makes it there, after the fork; ``stop`` ends what it started."""

    start: Callable[[], Flask]
    on_ready: Callable[[], None]
    stop: Callable[[], None]


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises BadSettings when the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(512)
    except OSError as error:
        listener.close()
        if isinstance(error, socket.gaierror):
            raise BadSettings(
                f"The host {host} is not known.", hint="Set api.host to an address of this machine."
            ) from error
        raise BadSettings(
            f"Port {port} on {host} cannot be used: {error.strerror}.",
            hint="Is Stablehand running already? Choose another with --port, or --port 0 for a free one.",
        ) from error
    return listener


def give_up_on_silence(line: socket.socket, seconds: int) -> None:
    """Let blocking reads and writes fail after so long, lest whoever stops in the middle keeps a thread for ever."""
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", seconds, 0))
    # A write of which a part was taken waits for the rest as long again.
    line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", *divmod(seconds * 500_000, 1_000_000)))


def run(service: Service, listener: socket.socket) -> None:
    """Serve until SIGTERM or SIGINT; raises SystemExit then."""
    logging.getLogger("gunicorn.error").addFilter(_is_news)
    _Server(service, listener).run()


def _is_news(record: logging.LogRecord) -> bool:
    """That somebody fell silent and was given up is none."""
    return record.exc_info is None or not isinstance(record.exc_info[1], BlockingIOError)


class _Server(BaseApplication):  # type: ignore[misc]
    def __init__(self, service: Service, listener: socket.socket) -> None:
        self.service = service
        self._listener = listener
        super().__init__()

    def load_config(self) -> None:
        for name, value in {
            "bind": f"fd://{self._listener.fileno()}",
            "worker_class": _Worker,
            "workers": 1,
            "threads": THREADS,
            "timeout": 120,
            "graceful_timeout": GRACEFUL_SECONDS,
            "keepalive": 15,
            "loglevel": "warning",
            "control_socket_disable": True,
            # X-Forwarded headers count only as api.trusted_proxies says.
            "forwarded_allow_ips": "",
            "proc_name": "stablehand",
            "worker_exit": _leave,
        }.items():
            self.cfg.set(name, value)

    def run(self) -> None:
        _Arbiter(self).run()

    def load(self) -> Flask:
        try:
            return self.service.start()
        except StablehandError as error:
            sys.stderr.write(f"{error.message}\n{error.hint}\n")
            sys.exit(Arbiter.WORKER_BOOT_ERROR)  # tells the parent not to try again


class _Arbiter(Arbiter):  # type: ignore[misc]
    """gunicorn's parent process, with one worker whatever signals come."""

    def handle_hup(self) -> None:
        """The terminal was closed: end, instead of starting a second worker beside the first."""
        self.handle_term()

    def handle_ttin(self) -> None:
        """There is one worker."""

    handle_ttou = handle_usr2 = handle_ttin


class _Worker(ThreadWorker):  # type: ignore[misc]
    """gunicorn's threaded worker, which ends what the service started before it closes its own doors."""

    _ending = False

    def handle(self, conn: Any) -> Any:
        give_up_on_silence(conn.sock, SILENCE_SECONDS)
        return super().handle(conn)

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: Exception) -> None:
        """What cannot even be read as a request is refused in the shape of every other error."""
        if not isinstance(exc, ParseException):
            super().handle_error(req, client, addr, exc)
            return
        status = _STATUS_OF_UNREADABLE.get(type(exc), 400)
        code, message, hint = REFUSALS[status]
        self.log.warning("Refused what %s sent: %s (%d).", addr[0] if addr else "somebody", type(exc).__name__, status)
        body = json.dumps(shape(code, message, hint)).encode()
        head = f"HTTP/1.1 {status} {http.HTTPStatus(status).phrase}\r\nConnection: close\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        with contextlib.suppress(OSError):  # it may have gone by now
            write_nonblock(client, head.encode() + body)

    def run(self) -> None:
        threading.Thread(target=self.app.service.on_ready, name="ready", daemon=True).start()
        super().run()

    def init_signals(self) -> None:
        super().init_signals()
        signal.signal(signal.SIGHUP, self.handle_exit)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # Ctrl+C reaches this process and its parent, which then sends a signal of its own: once is enough.
        if not self._ending:
            self._ending = True
            threading.Thread(target=self._end, args=(sig, frame), name="end", daemon=True).start()

    def handle_quit(self, sig: int, frame: FrameType | None) -> None:
        self.handle_exit(sig, frame)

    def _end(self, sig: int, frame: FrameType | None) -> None:
        try:
            self.app.service.stop()
        finally:
            super().handle_exit(sig, frame)
            time.sleep(DRAIN_SECONDS)
            # Requests that wait for a job or for work would hold the interpreter for up to a minute.
            _leave(None, None)


def _leave(arbiter: Any, worker: Any) -> None:
    """End the process without waiting for threads that wait for others."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
