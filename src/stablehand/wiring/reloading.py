"""Reloading: tiers, limits and prices follow the settings file while the server runs; all else wants a restart."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import structlog
from pydantic import BaseModel

from stablehand.domain.errors import BadSettings
from stablehand.domain.prices import Prices
from stablehand.domain.tiers import Tiers
from stablehand.settings import Settings

LOOK_SECONDS = 2.0

#: what is put in force without a restart
_FOLLOWED = ("tiers", "costs", "queue.max_size", "queue.max_running")

log = structlog.get_logger("stablehand")

#: of a file: it is another one, or was written, when any of these has changed
Stamp = tuple[int, int, int]


class SettingsWatch:
    """Looks at the settings file again and again.

    A file that is not valid, or is gone, changes nothing: what was in force stays, and the log says why.

    Args:
        settings: as they were read at the start.
        read: reads all sources again. Raises BadSettings.
        path: the file, there or not.
        apply: puts tiers and prices in force.
    """

    def __init__(
        self,
        settings: Settings,
        read: Callable[[], Settings],
        path: Path,
        apply: Callable[[Tiers, Prices], None],
        *,
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        self._settings = settings
        self._read = read
        self._path = path
        self._apply = apply
        self._look_seconds = look_seconds
        self._known = self._seen = self._stamp()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="settings-watch", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()

    def look(self) -> bool:
        """Look once; True when other tiers or prices have come into force.

        A changed file is read when it has not changed since the look before: somebody may still be writing it.
        """
        stamp, before = self._stamp(), self._seen
        self._seen = stamp
        if stamp == self._known or stamp != before:
            return False
        self._known = stamp
        if stamp is None:
            log.warning("the settings file is gone; what it said stays in force until a restart", file=str(self._path))
            return False
        try:
            settings = self._read()
        except BadSettings as error:
            log.error(
                "the changed settings file is refused; what was in force stays", reason=error.message, hint=error.hint
            )
            return False
        waiting = sorted(set(_changed(self._settings, settings)))
        if waiting:
            log.warning("these changed settings want a restart", settings=waiting)
        tiers, prices = settings.tiers_in_force, settings.costs.in_force
        if (tiers, prices) == (self._settings.tiers_in_force, self._settings.costs.in_force):
            return False
        self._apply(tiers, prices)
        # Of the rest, what runs is still what was read at the start.
        self._settings = self._settings.model_copy(
            update={
                "tiers": settings.tiers,
                "costs": settings.costs,
                "queue": self._settings.queue.model_copy(
                    update={"max_size": settings.queue.max_size, "max_running": settings.queue.max_running}
                ),
            }
        )
        log.info("other tiers or prices are in force", tiers=list(tiers.names), currency=prices.currency or None)
        return True

    def _watch(self) -> None:
        while not self._stopping.wait(self._look_seconds):
            try:
                self.look()
            except Exception:
                log.exception("the settings file could not be looked at; it is tried again")

    def _stamp(self) -> Stamp | None:
        try:
            facts = self._path.stat()
        except OSError:
            return None
        return facts.st_mtime_ns, facts.st_size, facts.st_ino


def _changed(old: BaseModel, new: BaseModel, above: str = "") -> Iterator[str]:
    """Keys of settings that differ, without those that are followed."""
    for name in type(old).model_fields:
        key = f"{above}{name}"
        before, after = getattr(old, name), getattr(new, name)
        if before == after or key in _FOLLOWED:
            continue
        if isinstance(before, BaseModel) and isinstance(after, BaseModel):
            yield from _changed(before, after, f"{key}.")
        else:
            yield key
