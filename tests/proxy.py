"""A TCP proxy that injects faults between two programs that trust each other.

Faults may be set and healed while connections are open:

latency       every piece of data comes so much later
reset         all connections are reset, as by a router that lost its state
half_open     the open connections fall silent for ever, without an end; new ones work
black_hole    all connections fall silent, new ones are accepted and never answered, until healed
slow_close    an end of one side reaches the other side so much later
byte_limit    every connection is reset after so many bytes, until healed
"""

import contextlib
import itertools
import socket
import struct
import threading
import time
from pathlib import Path

CHUNK_BYTES = 65_536


class _Link:
    """One connection and its continuation."""

    def __init__(self, near: socket.socket, far: socket.socket) -> None:
        self.near = near
        self.far = far
        self.is_silent = False
        self.is_reset = False
        self.passed_bytes = 0

    def reset(self) -> None:
        self.is_reset = True
        for end in (self.near, self.far):
            with contextlib.suppress(OSError):
                # With no time to linger, closing says RST instead of FIN.
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                end.shutdown(socket.SHUT_RD)  # wakes the thread that reads, which would keep the socket open
            end.close()


class Proxy:
    """``targets``: TCP addresses, or paths of Unix sockets; connections are dealt out to them in turn.

    Listens on ``port`` of 127.0.0.1 (0: a free one) until closed.
    """

    def __init__(self, *targets: tuple[str, int] | Path, port: int = 0) -> None:
        self._targets = itertools.cycle(targets)
        self._lock = threading.Lock()
        self._links: set[_Link] = set()
        self._latency_seconds = 0.0
        self._slow_close_seconds = 0.0
        self._byte_limit: int | None = None
        self._swallows = False
        self._listener = socket.create_server(("127.0.0.1", port), backlog=128)
        self.port = int(self._listener.getsockname()[1])
        self.accepted = 0
        threading.Thread(target=self._accept, name="proxy", daemon=True).start()

    def latency(self, seconds: float) -> None:
        self._latency_seconds = seconds

    def reset(self) -> None:
        for link in self._open_links():
            link.reset()

    def half_open(self) -> None:
        for link in self._open_links():
            link.is_silent = True

    def black_hole(self) -> None:
        self._swallows = True
        self.half_open()

    def slow_close(self, seconds: float) -> None:
        self._slow_close_seconds = seconds

    def byte_limit(self, count: int) -> None:
        self._byte_limit = count

    def heal(self) -> None:
        """New connections, and the open ones that have not fallen silent, work again."""
        self._latency_seconds = self._slow_close_seconds = 0.0
        self._byte_limit = None
        self._swallows = False

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.reset()

    def _open_links(self) -> list[_Link]:
        with self._lock:
            return list(self._links)

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return  # closed
            self.accepted += 1
            try:
                far = self._reach()
            except OSError:
                near.close()  # as a port at which nobody listens, a moment later
                continue
            link = _Link(near, far)
            link.is_silent = self._swallows
            with self._lock:
                self._links.add(link)
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._pass_on, args=(link, source, sink), daemon=True).start()

    def _reach(self) -> socket.socket:
        target = next(self._targets)
        if isinstance(target, Path):
            far = socket.socket(socket.AF_UNIX)
            far.connect(str(target))
            return far
        return socket.create_connection(target)

    def _pass_on(self, link: _Link, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(CHUNK_BYTES):
                if link.is_silent:
                    continue
                time.sleep(self._latency_seconds)
                link.passed_bytes += len(data)
                if self._byte_limit is not None and link.passed_bytes > self._byte_limit:
                    link.reset()
                    break
                sink.sendall(data)
            if not (link.is_silent or link.is_reset):
                time.sleep(self._slow_close_seconds)
                sink.shutdown(socket.SHUT_WR)
                return
        with self._lock:
            self._links.discard(link)
