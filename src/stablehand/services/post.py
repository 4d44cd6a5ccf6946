"""post: letters leave in a thread of their own.

Whoever asks for one never waits for a mail server: how long an answer takes must not tell whether there was a letter.
"""

import queue
import threading
import time

import structlog

from stablehand.domain.letters import Letter
from stablehand.ports import LetterNotSent, LetterRefused, Mailer

_log = structlog.get_logger("stablehand.post")

#: letters that may wait at a time; whoever asks for a letter can ask again
WAITING_AT_MOST = 1_000
#: pauses before the second, third … try, in seconds
PAUSES_SECONDS = (2.0, 10.0, 30.0)


class Post:
    """``pauses``: in seconds, between tries."""

    def __init__(self, mailer: Mailer, pauses: tuple[float, ...] = PAUSES_SECONDS) -> None:
        self._mailer = mailer
        self._pauses = pauses
        self._letters: queue.Queue[Letter] = queue.Queue(WAITING_AT_MOST)
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def send(self, letter: Letter) -> None:
        """Take a letter along. Returns at once, whether or not it can ever be delivered."""
        try:
            self._letters.put_nowait(letter)
        except queue.Full:
            _log.error("too many letters wait; one is dropped", subject=letter.subject)
            return
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._carry, name="post", daemon=True)
                self._thread.start()

    def flush(self) -> None:
        """Wait until every letter has left or was given up."""
        self._letters.join()

    def _carry(self) -> None:
        while True:
            letter = self._letters.get()
            try:
                self._try(letter)
            except Exception:
                _log.exception("A letter could not be written.", subject=letter.subject)
            finally:
                self._letters.task_done()

    def _try(self, letter: Letter) -> None:
        for pause in (*self._pauses, None):
            try:
                self._mailer.send(letter)
            except LetterRefused as error:
                _log.error("a letter was refused for good", subject=letter.subject, reason=str(error))
                return
            except LetterNotSent as error:
                # The address is whose it is; the log need not know it.
                _log.error("a letter did not leave", subject=letter.subject, reason=str(error), again_in=pause)
                if pause is not None:
                    time.sleep(pause)
            else:
                return
