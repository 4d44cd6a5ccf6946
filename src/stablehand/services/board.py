"""The board: how far running shots are, and which jobs somebody watches, in this process and in the others.

Nothing here is durable. Each process tells the others what it learns from its agents and its sockets; whoever starts,
or was cut off, asks the others for all they know. What nobody repeats for a while is forgotten, so that a process that
died leaves no trace. Without a line to the others a process knows its own part only.
"""

import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from stablehand.ports import Broadcast

CHANNEL = "board"
#: what is still true is told again this often, and forgotten when it was not repeated for so long
REPEAT_SECONDS, FORGET_SECONDS = 10.0, 35.0


class Board:
    """``broadcast``: None for a process that has no others. ``start`` makes it repeat what it knows."""

    def __init__(self, broadcast: Broadcast | None = None) -> None:
        self._broadcast = broadcast
        self._me = uuid.uuid4().hex
        self._lock = threading.Lock()
        self._progress: dict[str, tuple[float, float]] = {}  # shot id -> (0..1, when it was noted or told last)
        self._own: set[str] = set()  # shots whose agents speak to this process
        self._watched: Counter[str] = Counter()  # job id -> watchers in this process
        self._theirs: dict[str, tuple[frozenset[str], float]] = {}  # process -> (what it watches, when it said so)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._repeat, name="board", daemon=True)
        if broadcast is not None:
            broadcast.subscribe(CHANNEL, self._hear)
            broadcast.on_open(self._ask)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join()

    def note_progress(self, shots: Mapping[str, float]) -> None:
        """Write shot id -> progress (0 to 1) down, and tell the others what is new."""
        now = time.monotonic()
        with self._lock:
            new = {shot_id: part for shot_id, part in shots.items() if self._progress.get(shot_id, (None,))[0] != part}
            self._progress.update({shot_id: (part, now) for shot_id, part in shots.items()})
            self._own.update(shots)
        if new:
            self._tell(progress=new)

    def progress(self, shot_id: str) -> float:
        return self._progress.get(shot_id, (0.0, 0.0))[0]

    def progress_now(self) -> Callable[[str], float]:
        """shot id -> progress, as it is now, whatever is noted or forgotten later."""
        with self._lock:
            noted = dict(self._progress)
        return lambda shot_id: noted.get(shot_id, (0.0, 0.0))[0]

    def forget_progress(self, shot_ids: Iterable[str]) -> None:
        """Take shots off the board that no longer run."""
        gone = list(shot_ids)
        with self._lock:
            for shot_id in gone:
                self._progress.pop(shot_id, None)
                self._own.discard(shot_id)
        if gone:
            self._tell(ended=gone)

    def watch(self, job_id: str) -> None:
        """Somebody looks at this job: agents send previews of its running shots. Counted; undo with ``unwatch``."""
        with self._lock:
            self._watched[job_id] += 1
            is_new = self._watched[job_id] == 1
        if is_new:
            self._tell(watched=self._watched_here())

    def unwatch(self, job_id: str) -> None:
        with self._lock:
            self._watched[job_id] -= 1
            is_last = self._watched[job_id] <= 0
            if is_last:
                del self._watched[job_id]
        if is_last:
            self._tell(watched=self._watched_here())

    def is_watched(self, job_id: str) -> bool:
        return job_id in self._watched or any(job_id in jobs for jobs, _ in tuple(self._theirs.values()))

    def _watched_here(self) -> list[str]:
        with self._lock:
            return list(self._watched)

    def _tell(self, **news: Any) -> None:
        if self._broadcast is not None:
            self._broadcast.publish(CHANNEL, {"from": self._me, **news})

    def _tell_all(self) -> None:
        with self._lock:
            own = {shot_id: self._progress[shot_id][0] for shot_id in self._own if shot_id in self._progress}
            watched = list(self._watched)
        self._tell(progress=own, watched=watched)

    def _ask(self) -> None:
        self._tell(asks=True)
        self._tell_all()

    def _hear(self, message: dict[str, Any]) -> None:
        sender = str(message["from"])
        if sender == self._me:
            return
        now = time.monotonic()
        with self._lock:
            for shot_id, part in dict(message.get("progress", {})).items():
                self._progress[str(shot_id)] = (min(1.0, max(0.0, float(part))), now)
                self._own.discard(str(shot_id))  # its agent speaks to another process now
            for shot_id in message.get("ended", ()):
                self._progress.pop(shot_id, None)
                self._own.discard(shot_id)
            if "watched" in message:
                self._theirs[sender] = (frozenset(map(str, message["watched"])), now)
        if message.get("asks"):
            self._tell_all()

    def _repeat(self) -> None:
        while not self._closing.wait(REPEAT_SECONDS):
            self.forget_old(time.monotonic())
            self._tell_all()

    def forget_old(self, now: float) -> None:
        """Forget what nobody has repeated. ``now``: of the monotonic clock, in seconds."""
        with self._lock:
            for shot_id, (_, noted_at) in list(self._progress.items()):
                if now - noted_at > FORGET_SECONDS:
                    del self._progress[shot_id]
                    self._own.discard(shot_id)
            for sender, (_, said_at) in list(self._theirs.items()):
                if now - said_at > FORGET_SECONDS:
                    del self._theirs[sender]
