"""Broadcasts to the other processes of an installation through Redis publish/subscribe, as JSON and nothing else.

Redis holds nothing: a message reaches the processes that listen at that moment, or nobody. Whoever publishes never
waits for Redis; messages that pile up while it is away are dropped, the oldest first.
"""

import json
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import redis
from redis.backoff import NoBackoff
from redis.exceptions import NoPermissionError
from redis.retry import Retry

from stablehand.adapters.lines import Line
from stablehand.domain.errors import BadSettings

#: Messages that wait for the line; at a thousand a second that is some seconds of an outage.
WAITING_MESSAGES = 8192
#: Larger ones are refused on both sides: whoever can write to Redis must not be able to fill our memory.
LARGEST_MESSAGE_BYTES = 1_048_576
#: How long Redis may take to connect, and to take a message.
TIMEOUT_SECONDS = 3.0
#: A listener hears nothing from a peer that vanished without a word, so it asks for an answer now and then.
PING_EVERY_SECONDS, SILENCE_SECONDS = 4.0, 10.0

_ERRORS = (redis.RedisError, OSError)
_log = logging.getLogger(__name__)


def place_of(url: str) -> str:
    """The server for people to read, without its password."""
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:  # no number
        port = None
    return f"{parts.scheme}://{parts.hostname or ''}" + (f":{port}" if port else "") + parts.path


class RedisBroadcast:
    """Implements ports.Broadcast. ``prefix`` keeps installations that share a Redis apart: its databases do not."""

    reaches_others = True

    def __init__(self, url: str, prefix: str) -> None:
        self._url = url
        self._prefix = f"{prefix}:"
        self._hearers: dict[bytes, Callable[[dict[str, Any]], None]] = {}
        self._openers: list[Callable[[], None]] = []
        self._waiting: deque[tuple[str, bytes]] = deque(maxlen=WAITING_MESSAGES)
        self._some = threading.Event()
        place = place_of(url)
        self._speaker = Line("line to Redis (sending)", place, self._speak, _ERRORS, quiet=True)
        self._listener = Line("line to Redis", place, self._listen, _ERRORS)

    @property
    def is_open(self) -> bool:
        return self._speaker.is_open and self._listener.is_open

    def publish(self, channel: str, message: dict[str, Any]) -> None:
        data = json.dumps(message, separators=(",", ":")).encode()
        if len(data) > LARGEST_MESSAGE_BYTES:
            _log.warning("A message of %d bytes on %s is too large to be passed on.", len(data), channel)
            return
        self._waiting.append((self._prefix + channel, data))
        self._some.set()

    def subscribe(self, channel: str, hear: Callable[[dict[str, Any]], None]) -> None:
        self._hearers[f"{self._prefix}{channel}".encode()] = hear

    def on_open(self, opened: Callable[[], None]) -> None:
        self._openers.append(opened)

    def version(self) -> str:
        """Of the server, over a connection of its own; "?" where it may not be asked for.

        Raises:
            BadSettings: it cannot be reached, or does not let us in; the message says why, without secrets.
        """
        try:
            with self._connect() as client:
                client.ping()
                try:
                    return str(client.info("server")["redis_version"])
                except NoPermissionError:
                    return "?"
        except (*_ERRORS, ValueError) as error:
            raise BadSettings(
                f"{place_of(self._url)} cannot be used: {error}",
                hint="Is it running, and are address and password in queue.redis_url right?",
            ) from error

    def start(self) -> None:
        self._listener.start()
        self._speaker.start()

    def close(self) -> None:
        self._speaker.closing.set()
        self._some.set()
        self._speaker.close()
        self._listener.close()

    def _connect(self) -> redis.Redis:
        return redis.Redis.from_url(
            self._url,
            socket_connect_timeout=TIMEOUT_SECONDS,
            socket_timeout=TIMEOUT_SECONDS,
            socket_keepalive=True,
            retry=Retry(NoBackoff(), 0),
            decode_responses=False,
        )

    def _speak(self, opened: Callable[[], None]) -> None:
        with self._connect() as client:
            client.ping()
            opened()
            while not self._speaker.closing.is_set():
                if not self._some.wait(PING_EVERY_SECONDS):
                    client.ping()  # an idle line is seen to break before somebody needs it
                    continue
                self._some.clear()
                while self._waiting:
                    pipeline = client.pipeline(transaction=False)
                    for _ in range(min(len(self._waiting), 256)):
                        pipeline.publish(*self._waiting.popleft())
                    pipeline.execute()

    def _listen(self, opened: Callable[[], None]) -> None:
        with self._connect() as client, client.pubsub() as subscription:
            subscription.subscribe(*self._hearers)
            last_heard = last_asked = time.monotonic()
            unconfirmed = len(self._hearers)
            while not self._listener.closing.is_set():
                message = subscription.get_message(timeout=1.0)
                now = time.monotonic()
                if message is not None:
                    last_heard = now
                    if message["type"] == "subscribe":
                        unconfirmed -= 1
                        if unconfirmed == 0:
                            opened()
                            self._call_openers()
                    elif message["type"] == "message":
                        self._hear(message["channel"], message["data"])
                elif now - last_heard > SILENCE_SECONDS:
                    raise ConnectionError("it does not answer any more")
                if now - max(last_heard, last_asked) > PING_EVERY_SECONDS:
                    subscription.ping()
                    last_asked = now

    def _call_openers(self) -> None:
        for opened in self._openers:
            opened()

    def _hear(self, channel: bytes, data: bytes) -> None:
        if len(data) > LARGEST_MESSAGE_BYTES:
            return
        try:
            message = json.loads(data)
        except ValueError:
            message = None
        if not isinstance(message, dict):
            _log.warning("Somebody else writes to the channel %s.", channel.decode(errors="replace"))
            return
        try:
            self._hearers[channel](message)
        except Exception:
            # One message that cannot be understood (from another version, say) must not cost all others.
            _log.exception("A message on %s was not understood.", channel.decode(errors="replace"))
