"""How many rows may go into one UNet call: bounded by memory, by patience, and by what has failed before."""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

#: Share of the free memory that one call may be planned to take.
MEMORY_SHARE = 0.6
#: Rows in one UNet call, however much memory there is: more gains nothing.
ROWS_MOST = 64
#: How long one call should take.
CALL_SECONDS = {"cuda": 0.25, "cpu": 0.6}
#: Floating-point operations per second, until calls have been measured.
ASSUMED_SPEED = {"cuda": 5e13, "cpu": 1e11}
#: After this many calls without trouble a halved cap is doubled again.
RECOVERY_CALLS = 64
#: Kinds of calls that are remembered; those that were longest out of use are learned anew.
KINDS_MOST = 1024


@dataclass(slots=True)
class _Cap:
    rows: int  #: what memory allows, as far as is known
    most: int  #: what it was before anything failed
    calls: int = 0  #: since the last change
    seconds_per_row: float | None = None


class Caps:
    """Learned per kind of call (any hashable key).

    ``call_seconds`` bounds how long one call should take, so that newcomers, cancels and previews need not wait;
    ``most`` bounds the rows however quick they are.
    """

    def __init__(self, call_seconds: float, most: int) -> None:
        self._call_seconds = call_seconds
        self._most = most
        self._caps: OrderedDict[Hashable, _Cap] = OrderedDict()

    def rows(self, key: Hashable, memory_rows: int, guess_seconds: float, *, least: int = 1) -> int:
        """The cap, at least 1.

        ``memory_rows`` is what free memory is thought to allow at this moment, ``guess_seconds`` how long a row may
        take; it counts only until a call has been measured. ``least``: less than so many rows only after trouble.
        """
        cap = self._caps.setdefault(key, _Cap(self._most, self._most))
        self._caps.move_to_end(key)
        if len(self._caps) > KINDS_MOST:
            self._caps.popitem(last=False)
        patient_rows = int(self._call_seconds / (cap.seconds_per_row or guess_seconds))
        return max(1, min(cap.rows, max(least, min(memory_rows, patient_rows))))

    def succeeded(self, key: Hashable, rows: int, seconds: float) -> None:
        """Fold one good call in; the time per row is smoothed, so one slow call does not shrink the cap."""
        cap = self._caps[key]
        measured = seconds / rows
        cap.seconds_per_row = measured if cap.seconds_per_row is None else 0.8 * cap.seconds_per_row + 0.2 * measured
        cap.calls += 1
        if cap.rows < cap.most and cap.calls >= RECOVERY_CALLS:
            cap.rows, cap.calls = min(cap.most, cap.rows * 2), 0

    def failed(self, key: Hashable, rows: int) -> None:
        """A call with this many rows did not work: allow half of them from now on."""
        cap = self._caps[key]
        cap.rows, cap.calls = max(1, rows // 2), 0

    def is_short(self, key: Hashable, rows: int) -> bool:
        """Whether a call has failed that had so many rows or fewer, and none has shown since that they fit."""
        cap = self._caps[key]
        return cap.rows < min(rows, cap.most)

    def forgive(self, key: Hashable) -> None:
        """The trouble was one picture's own and is gone with it."""
        cap = self._caps[key]
        cap.rows, cap.calls = cap.most, 0
