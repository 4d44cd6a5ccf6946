"""The doorbell of several processes, carried by PostgreSQL's LISTEN and NOTIFY.

NOTIFY takes a lock that all committing transactions of a server share, so rings are gathered and sent from a connection
of its own, outside every transaction that matters, at most forty times a second.
"""

import contextlib
import json
import select
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator

import psycopg
from psycopg.rows import TupleRow

from stablehand.adapters.doorbell import InProcessDoorbell
from stablehand.adapters.lines import Line

CHANNEL = "stablehand_doorbell"
#: between two sendings, in seconds
DEBOUNCE_SECONDS = 0.025
#: after the first ring others are waited for so long: one order rings for several at once, and none of them should have
#: to wait for the next sending
GATHER_SECONDS = 0.002
#: rings that wait for the line; while the database is away nobody can act on them anyway
WAITING_TOPICS = 4096
#: what PostgreSQL takes in one notification is just below 8,000 bytes
PAYLOAD_BYTES = 7_800
#: an idle line is asked for an answer this often, so that one that died in silence is noticed
ASK_EVERY_SECONDS = 10.0


class PostgresDoorbell(InProcessDoorbell):
    """``conninfo``: of the database, as libpq reads it; ``place``: the same for people, without its password.

    ``connect``: as psycopg's, but one that gives up on a server that does not answer.
    """

    def __init__(
        self, conninfo: str, place: str, connect: Callable[..., "psycopg.Connection[TupleRow]"] = psycopg.connect
    ) -> None:
        super().__init__()
        self._conninfo = conninfo
        self._connect = connect
        self._me = uuid.uuid4().hex[:8]
        self._waiting: dict[str, None] = {}  # topics in order, each once
        self._gathering = threading.Lock()
        self._wake, self._woken = socket.socketpair()
        self._wake.setblocking(False)
        self._woken.setblocking(False)
        self._line = Line("doorbell of the database", place, self._session, (psycopg.Error, OSError))

    def start(self) -> None:
        self._line.start()

    def close(self) -> None:
        self._line.closing.set()
        self._nudge()
        self._line.close()
        self._wake.close()
        self._woken.close()

    def ring(self, topic: str) -> None:
        super().ring(topic)
        with self._gathering:
            if len(self._waiting) >= WAITING_TOPICS:
                del self._waiting[next(iter(self._waiting))]
            self._waiting[topic] = None
        self._nudge()

    def _nudge(self) -> None:
        with contextlib.suppress(OSError):  # full: it will wake anyway; closed: nobody is left to wake
            self._wake.send(b"!")

    def _session(self, opened: Callable[[], None]) -> None:
        with self._connect(
            self._conninfo,
            autocommit=True,
            connect_timeout=5,
            application_name="stablehand doorbell",
            keepalives_idle=10,
            keepalives_interval=5,
            keepalives_count=3,
            tcp_user_timeout=15_000,
        ) as connection:
            connection.execute(f"LISTEN {CHANNEL}")
            opened()
            self.ring_all()  # whatever rang while nobody listened
            last_sent = last_word = 0.0
            while not self._line.closing.is_set():
                pause = ASK_EVERY_SECONDS
                if self._waiting:
                    pause = max(0.0, last_sent + DEBOUNCE_SECONDS - time.monotonic())
                readable, _, _ = select.select([connection.fileno(), self._woken.fileno()], [], [], pause)
                if self._woken.fileno() in readable:
                    self._woken.recv(4096)
                for notification in connection.notifies(timeout=0):
                    self._hear(notification.payload)
                now = time.monotonic()
                if self._waiting and now - last_sent >= DEBOUNCE_SECONDS:
                    time.sleep(GATHER_SECONDS)
                    self._send(connection)
                    last_sent = last_word = now
                elif now - last_word > ASK_EVERY_SECONDS:
                    connection.execute("SELECT 1")
                    last_word = now

    def _send(self, connection: "psycopg.Connection[TupleRow]") -> None:
        with self._gathering:
            topics, self._waiting = list(self._waiting), {}
        for payload in payloads(self._me, topics):
            connection.execute("SELECT pg_notify(%s, %s)", (CHANNEL, payload))

    def _hear(self, payload: str) -> None:
        try:
            sender, *topics = json.loads(payload)
        except (ValueError, TypeError):
            return  # somebody else's: anybody who may connect may notify
        if sender != self._me:
            for topic in topics:
                super().ring(str(topic))


def payloads(sender: str, topics: Iterable[str]) -> Iterator[str]:
    """JSON lists of the sender and topics, each small enough for one notification."""
    parts = [json.dumps(sender)]
    size = len(parts[0])
    for topic in topics:
        part = json.dumps(topic)
        if size + len(part) + 4 > PAYLOAD_BYTES:
            yield f"[{','.join(parts)}]"
            parts = parts[:1]
            size = len(parts[0])
        parts.append(part)
        size += len(part) + 1
    if len(parts) > 1:
        yield f"[{','.join(parts)}]"
