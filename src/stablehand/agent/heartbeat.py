"""The heartbeat: renews every lease each second, on a thread of its own that waits for no device."""

import threading
import time
from collections.abc import Callable, Mapping

import structlog

from stablehand.agent.client import Refused, Unreachable
from stablehand.agent.ledger import Ledger
from stablehand.agent.reports import Reports
from stablehand.agent.session import Session
from stablehand.agent.stopwatch import Stopwatch
from stablehand.protocol import Held, Renew, Renewed

#: without shots a slower beat still tells both ends that the other one lives
_IDLE_SECONDS = 5.0
#: between two looks at what the device is loading
_GLANCE_SECONDS = 0.05

log = structlog.get_logger("agent")


class Heartbeat:
    """Carries progress to the server and brings back what is cancelled, lost, watched, and whether to drain."""

    def __init__(
        self,
        session: Session,
        ledger: Ledger,
        reports: Reports,
        halted: threading.Event,
        *,
        progress: Callable[[], Mapping[str, float]],
        resident: Callable[[], list[str]],
        loading: Callable[[], str | None],
        stopwatch: Stopwatch,
    ) -> None:
        self.drain = False
        self.watched: frozenset[str] = frozenset()
        self._session = session
        self._ledger = ledger
        self._reports = reports
        self._halted = halted
        self._progress = progress
        self._resident = resident
        self._loading = loading
        self._stopwatch = stopwatch
        self._said_loading: str | None = None
        self._thread = threading.Thread(target=self._beat_forever, name="heartbeat", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def _beat_forever(self) -> None:
        while not self._session.introduced.wait(0.5):
            if self._halted.is_set():
                return
        while not self._halted.is_set():
            welcome = self._session.welcome
            renew_seconds = welcome.renew_seconds if welcome is not None else 1.0
            try:
                self._beat()
            except (Unreachable, Refused) as trouble:
                if self._halted.is_set():
                    return
                log.warning("heartbeat not heard", reason=str(trouble))
            if not self._ledger.is_empty():
                self._pause(renew_seconds)
            else:
                self._ledger.wait(_IDLE_SECONDS, lambda: not self._ledger.is_empty() or self._halted.is_set())

    def _pause(self, seconds: float) -> None:
        """Wait for the next beat; what is being loaded is told at once, because loading may be the end of us."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and self._loading() == self._said_loading:
            if self._halted.wait(_GLANCE_SECONDS):
                return

    def _beat(self) -> None:
        held = self._ledger.held(self._progress())
        loading = self._loading()
        loads = self._stopwatch.loads()
        message = Renew(
            incarnation=self._session.incarnation,
            shots=held,
            resident=self._resident(),
            loading=loading,
            loads=loads,
            busy_share=self._stopwatch.busy_share(),
        )
        self._said_loading = loading
        renewed = self._session.call(lambda: self._session.client.renew(message))
        self._stopwatch.heard(loads)
        self._obey(renewed, held)

    def _obey(self, renewed: Renewed, held: list[Held]) -> None:
        self.drain = renewed.drain
        self.watched = frozenset(renewed.watched)
        if renewed.lost:
            lost = set(renewed.lost)
            in_vain = self._ledger.strike([(shot.shot_id, shot.token) for shot in held if shot.shot_id in lost])
            if in_vain:
                log.info("leases lost", shots=in_vain)
        if renewed.cancelled:
            stopped = self._ledger.cancel(renewed.cancelled)
            if stopped:
                self._reports.release(stopped)
