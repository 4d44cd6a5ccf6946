"""Upkeep: what must happen again and again while the server runs, whoever calls or does not call."""

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from stablehand.services import Services
from stablehand.services.catalogue import Scan, hash_next, scan
from stablehand.services.expire import expire, judge_lanes
from stablehand.services.purge import purge

EXPIRE_EVERY_SECONDS = 1.0
SCAN_EVERY_SECONDS = 10.0
PURGE_EVERY_SECONDS = 600.0

_log = logging.getLogger(__name__)


class Upkeep:
    """Two threads, because hashing a large file must not keep lost leases waiting.

    ``start`` once, after the migrations; ``stop`` waits for the piece of work in hand.
    """

    def __init__(self, services: Services, models_dir: Path) -> None:
        self._services = services
        self._models_dir = models_dir
        self._problems: tuple[tuple[str, str], ...] = ()
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._watch_leases, name="upkeep-leases", daemon=True),
            threading.Thread(target=self._keep_house, name="upkeep-house", daemon=True),
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()

    def _watch_leases(self) -> None:
        while not self._stopping.is_set():
            _try("expire leases", lambda: expire(self._services))
            _try("judge lanes", lambda: judge_lanes(self._services))
            self._stopping.wait(EXPIRE_EVERY_SECONDS)

    def _keep_house(self) -> None:
        next_purge = time.monotonic()
        while not self._stopping.is_set():
            _try("scan the models folder", lambda: self._report(scan(self._services, self._models_dir)))
            while not self._stopping.is_set() and _try("hash a checkpoint", self._hash_next):
                pass
            if time.monotonic() >= next_purge:
                _try("purge", lambda: purge(self._services))
                next_purge = time.monotonic() + PURGE_EVERY_SECONDS
            self._stopping.wait(SCAN_EVERY_SECONDS)

    def _hash_next(self) -> bool:
        return hash_next(self._services, self._models_dir)

    def _report(self, result: Scan) -> None:
        """Say what is wrong with files once, not at every scan."""
        for path, problem in result.problems:
            if (path, problem) not in self._problems:
                _log.warning("%s cannot be used as a checkpoint: %s", path, problem)
        self._problems = result.problems


def _try(what: str, work: Callable[[], object]) -> bool:
    """Do one piece of work. A failure is logged and left for the next round: the thread must outlive a full disk."""
    try:
        return bool(work())
    except Exception:
        _log.exception("Upkeep could not %s; it tries again.", what)
        return False
