"""Upkeep: what must happen again and again while the server runs, whoever calls or does not call."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from stablehand.services import Services
from stablehand.services.catalogue import Scan, hash_next, scan
from stablehand.services.erase import erase_leftovers
from stablehand.services.expire import expire, judge_lanes
from stablehand.services.orphans import find_orphans
from stablehand.services.purge import purge
from stablehand.services.rescan import SCAN, rescan
from stablehand.services.suspend import stop_leftovers
from stablehand.store.leading import Lead

#: what the leader leads in
MATTER = "upkeep"

EXPIRE_EVERY_SECONDS = 1.0
SCAN_EVERY_SECONDS = 10.0
PURGE_EVERY_SECONDS = 600.0
#: the first round comes after an hour, so that servers which start again and again do not list all objects each time
ORPHANS_FIRST_SECONDS = 3600.0
ORPHANS_EVERY_SECONDS = 86_400.0

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
        rescan(self._services)  # wakes the round that waits
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()

    def _watch_leases(self) -> None:
        while not self._stopping.is_set():
            _try("expire leases", lambda: expire(self._services))
            _try("judge lanes", lambda: judge_lanes(self._services))
            self._stopping.wait(EXPIRE_EVERY_SECONDS)

    def _keep_house(self) -> None:
        """Of several processes the leader does it: they would undo each other's scans."""
        while not self._stopping.is_set():
            with _take_lead(self._services) as lead:
                if lead is not None:
                    self._keep_house_while(lead)
            self._stopping.wait(SCAN_EVERY_SECONDS)

    def _keep_house_while(self, lead: Lead) -> None:
        next_purge = time.monotonic()
        next_orphans = next_purge + ORPHANS_FIRST_SECONDS
        while not self._stopping.is_set() and lead.holds():
            heard = self._services.doorbell.heard()
            _try("scan the models folder", lambda: self._report(scan(self._services, self._models_dir)))
            while not self._stopping.is_set() and _try("hash a checkpoint", self._hash_next):
                pass
            _try("stop suspended accounts", lambda: stop_leftovers(self._services))
            _try("erase deleted accounts", lambda: erase_leftovers(self._services))
            if time.monotonic() >= next_purge:
                _try("purge", lambda: purge(self._services))
                _try("count what waits in each lane", self._verify_tallies)
                _try("rank shots as their tiers are now", self._services.store.adopt_tiers)
                while not self._stopping.is_set() and _try("sum up the ledger", self._services.store.fold_ledger):
                    pass
                next_purge = time.monotonic() + PURGE_EVERY_SECONDS
            if time.monotonic() >= next_orphans:
                _try("find orphans", lambda: find_orphans(self._services, datetime.now(UTC)))
                next_orphans = time.monotonic() + ORPHANS_EVERY_SECONDS
            if not self._stopping.is_set():
                self._services.doorbell.wait(SCAN, SCAN_EVERY_SECONDS, since=heard)

    def _verify_tallies(self) -> None:
        for difference in self._services.store.verify_tallies():
            _log.error("A tally of queued shots was wrong and has been put right: %s", difference)

    def _hash_next(self) -> bool:
        return hash_next(self._services, self._models_dir)

    def _report(self, result: Scan) -> None:
        """Say what is wrong with files once, not at every scan."""
        for path, problem in result.problems:
            if (path, problem) not in self._problems:
                _log.warning("%s cannot be used: %s", path, problem)
        self._problems = result.problems


@contextmanager
def _take_lead(services: Services) -> Iterator[Lead | None]:
    """The lead in upkeep, for as long as the block runs; None while another process has it, or nobody can."""
    lead: list[Lead] = []

    def take() -> None:
        if (taken := services.store.try_lead(MATTER)) is not None:
            lead.append(taken)

    _try("take its turn", take)
    try:
        yield lead[0] if lead else None
    finally:
        if lead:
            lead[0].close()


def scan_first(services: Services, models_dir: Path) -> None:
    """Before the first order comes: look for checkpoints, unless another process has done so and goes on with it."""
    with _take_lead(services) as lead:
        if lead is not None:
            scan(services, models_dir)


def _try(what: str, work: Callable[[], object]) -> bool:
    """Do one piece of work. A failure is logged and left for the next round: the thread must outlive a full disk."""
    try:
        return bool(work())
    except Exception:
        _log.exception("Upkeep could not %s; it tries again.", what)
        return False
