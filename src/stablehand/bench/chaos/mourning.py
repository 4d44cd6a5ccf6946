"""Nobody outlives a run that was killed itself, not even the database.

Processes hear from the system when their parent is gone. A database server belongs to nobody and cannot, so a process
of its own watches over it.
"""

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

_PR_SET_PDEATHSIG = 1

#: A server that was just being started when its watch came to end it shows within so long.
_LATE_SECONDS = 3.0


def die_with_parent() -> None:
    """SIGKILL for this process when the one that started it is gone, where the system can do it."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Watch:
    """Ends the PostgreSQL server of ``folder``, and deletes that, when we are gone; until then it only waits.

    It hears of our end by a pipe, which the system closes however we end.
    """

    def __init__(self, folder: Path) -> None:
        # A session of its own: what ends everybody in ours, as Ctrl+C does, must not end it before us.
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and our own words
            [sys.executable, "-I", "-S", __file__, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def end(self) -> None:
        """We have seen to it ourselves."""
        self._process.kill()
        self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()


def _see_to_it(folder: Path) -> None:
    told: set[int] = set()
    end = time.monotonic() + _LATE_SECONDS
    while time.monotonic() < end:
        with contextlib.suppress(OSError, ValueError, IndexError):
            postmaster = int((folder / "postmaster.pid").read_text().split()[0])
            if postmaster not in told:
                os.kill(postmaster, signal.SIGQUIT)  # immediate shutdown
                told.add(postmaster)
        time.sleep(0.1)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.stdin.buffer.read()
    _see_to_it(Path(sys.argv[1]))
