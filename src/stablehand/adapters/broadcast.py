"""Broadcasts inside one process: there are no others to tell."""

from collections.abc import Callable
from typing import Any


class NoOthers:
    """Implements ports.Broadcast for an installation of one process."""

    reaches_others = False
    is_open = True

    def publish(self, channel: str, message: dict[str, Any]) -> None:
        del channel, message

    def subscribe(self, channel: str, hear: Callable[[dict[str, Any]], None]) -> None:
        del channel, hear

    def on_open(self, opened: Callable[[], None]) -> None:
        del opened

    def start(self) -> None:
        """Nothing to connect."""

    def close(self) -> None:
        """Nothing to disconnect."""
