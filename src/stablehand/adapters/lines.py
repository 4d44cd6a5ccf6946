"""A line to a server that carries hints: kept open in a thread, and given up on quietly while that server is away.

Nothing that travels here may be needed for correctness, so losing the line costs one warning and some latency.
"""

import logging
import threading
import time
from collections.abc import Callable

#: pauses between attempts to connect: the first, and the longest that doubling leads to
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 5.0

_log = logging.getLogger(__name__)


def next_pause(pause_seconds: float) -> float:
    """The pause that follows one of ``pause_seconds``."""
    return min(2 * pause_seconds, LONGEST_PAUSE_SECONDS)


class Line:
    """Runs ``session`` in a thread again and again until closed.

    ``session(opened)`` connects, calls ``opened`` once the line works, and then goes on until ``closing`` is set or the
    line breaks, which it reports by raising one of ``errors``. Anything else it raises is a bug of ours: it is logged
    with its traceback, and the line is still opened again. ``quiet``: another line to the same server does the telling.
    """

    def __init__(
        self,
        name: str,
        place: str,
        session: Callable[[Callable[[], None]], None],
        errors: tuple[type[Exception], ...],
        *,
        quiet: bool = False,
    ) -> None:
        self.closing = threading.Event()
        self.is_open = False
        self._place = place  #: for people to read, without secrets
        self._name = name
        self._session = session
        self._errors = errors
        self._quiet = quiet
        self._told = False
        self._pause = FIRST_PAUSE_SECONDS
        self._thread = threading.Thread(target=self._keep, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self, timeout_seconds: float = 2.0) -> None:
        """End the thread; a connection that hangs is left to the end of the process."""
        self.closing.set()
        if self._thread.is_alive():
            self._thread.join(timeout_seconds)

    def _opened(self) -> None:
        self.is_open = True
        self._pause = FIRST_PAUSE_SECONDS
        if self._told:
            _log.warning("The %s is back at %s.", self._name, self._place)
            self._told = False

    def _keep(self) -> None:
        while not self.closing.is_set():
            began = time.monotonic()
            try:
                self._session(self._opened)
            except self._errors as error:
                self._tell(error)
            except Exception:
                _log.exception("The %s broke; it is opened again.", self._name)
            finally:
                self.is_open = False
            if time.monotonic() - began > LONGEST_PAUSE_SECONDS:
                self._pause = FIRST_PAUSE_SECONDS
            self.closing.wait(self._pause)
            self._pause = next_pause(self._pause)

    def _tell(self, error: Exception) -> None:
        """One warning for an outage, however long it lasts."""
        if not self._quiet and not self._told and not self.closing.is_set():
            first_line = next(iter(str(error).strip().splitlines()), type(error).__name__)
            _log.warning(
                "The %s at %s is away: %s. Everything goes on without it, a little later each time.",
                self._name,
                self._place,
                first_line.rstrip("."),
            )
            self._told = True
