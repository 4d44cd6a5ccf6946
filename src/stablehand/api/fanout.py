"""Fan-out: what one process emits reaches the sockets of all, through the broadcast, as JSON."""

import queue
from collections.abc import Callable, Iterator
from typing import Any

from socketio import Manager, PubSubManager

from stablehand.ports import Broadcast

CHANNEL = "live"
#: events of others that wait for our sockets; past it events are lost, as hints may be
WAITING_EVENTS = 8192


class Fanout(PubSubManager):  # type: ignore[misc]
    """python-socketio's manager of clients in several processes, over a broadcast that never waits.

    Sockets of this process are told directly, so that they miss nothing of their own process while the line is down.
    """

    name = "broadcast"

    def __init__(self, broadcast: Broadcast) -> None:
        super().__init__(channel=CHANNEL)
        self._broadcast = broadcast
        self._heard: queue.Queue[dict[str, Any]] = queue.Queue(WAITING_EVENTS)
        broadcast.subscribe(CHANNEL, self._hear)

    def emit_here(self, event: str, body: dict[str, Any]) -> None:
        """Tell every socket of this process, and nobody else."""
        Manager.emit(self, event, body, namespace="/")

    def _publish(self, data: dict[str, Any]) -> None:
        self._broadcast.publish(CHANNEL, data)

    def _listen(self) -> Iterator[dict[str, Any]]:
        take: Callable[[], dict[str, Any]] = self._heard.get
        while True:
            yield take()

    def _hear(self, message: dict[str, Any]) -> None:
        # Of all that the library lets processes ask of each other, we ask for this alone.
        if message.get("method") == "emit" and message.get("host_id") != self.host_id and not self._heard.full():
            self._heard.put(message)
