"""Sends previews: only ever the newest of each shot, and never in anybody's way."""

import threading

import structlog

from stablehand.agent.client import Refused, Unreachable
from stablehand.agent.session import Session
from stablehand.protocol import Lease, Preview

log = structlog.get_logger("agent")


class Previews:
    """A preview that could not be sent is gone: a newer one follows."""

    def __init__(self, session: Session, halted: threading.Event) -> None:
        self._session = session
        self._halted = halted
        self._filled = threading.Condition()
        self._newest: dict[str, Preview] = {}
        self._thread = threading.Thread(target=self._send_forever, name="preview", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def offer(self, lease: Lease, progress: float, data_url: str) -> None:
        preview = Preview(
            incarnation=self._session.incarnation,
            shot_id=lease.shot_id,
            token=lease.token,
            progress=min(1.0, max(0.0, progress)),
            data_url=data_url,
        )
        with self._filled:
            self._newest[lease.shot_id] = preview
            self._filled.notify()

    def _send_forever(self) -> None:
        while not self._halted.is_set():
            with self._filled:
                if not self._filled.wait_for(lambda: bool(self._newest), timeout=0.5):
                    continue
                _, preview = self._newest.popitem()
            try:
                self._session.call(lambda: self._session.client.preview(preview))  # noqa: B023  (called at once)
            except (Unreachable, Refused) as trouble:
                log.debug("preview not sent", reason=str(trouble))
