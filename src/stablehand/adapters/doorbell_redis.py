"""The doorbell of several processes, carried by a broadcast."""

import uuid
from typing import Any

from stablehand.adapters.doorbell import InProcessDoorbell
from stablehand.ports import Broadcast

CHANNEL = "bell"


class BroadcastDoorbell(InProcessDoorbell):
    """Rings here at once, and in the other processes as soon as the broadcast carries it there.

    ``broadcast`` is started and closed by whoever made it.
    """

    def __init__(self, broadcast: Broadcast) -> None:
        super().__init__()
        self._broadcast = broadcast
        self._me = uuid.uuid4().hex
        broadcast.subscribe(CHANNEL, self._hear)
        broadcast.on_open(self.ring_all)

    def ring(self, topic: str) -> None:
        super().ring(topic)
        self._broadcast.publish(CHANNEL, {"from": self._me, "topic": topic})

    def _hear(self, message: dict[str, Any]) -> None:
        if message["from"] != self._me:
            super().ring(str(message["topic"]))
