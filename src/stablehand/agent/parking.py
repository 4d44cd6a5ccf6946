"""Parking at the agent: saves the states of running shots, and fetches those that leases go on from.

The device thread only copies a state out of the runtime; it is sent by a thread of its own. A state that cannot be
sent is let go: the next one follows, and without any the shot would begin anew somewhere else.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import structlog

from stablehand.agent.backoff import Backoff
from stablehand.agent.client import Refused, Unreachable
from stablehand.agent.inputs import Inputs, InputUnavailable
from stablehand.agent.ledger import Ledger
from stablehand.agent.reports import Reports
from stablehand.agent.session import Session
from stablehand.domain.parking import is_due, pays, remaining_seconds
from stablehand.ports import Parked
from stablehand.protocol import Lease, Park

#: states that may wait to be sent; while there are so many no further one is copied
_WAITING_MOST = 4
#: how long a state is asked for before its shot begins anew
_FETCH_SECONDS = 30.0
#: threads that fetch: an input that does not come must not keep everybody's waiting
_FETCHERS = 3
#: between two looks at what is due, at most; ticks can be much shorter
_LOOK_SECONDS = 0.25

log = structlog.get_logger("agent")


@dataclass(frozen=True, slots=True)
class _Sending:
    lease: Lease
    parked: Parked
    is_last: bool  #: the shot is given back when it is sent, or cannot be


class Parking:
    """``next_due``, ``saved``, ``to_leave`` and ``left`` are the device thread's, the rest anybody's."""

    def __init__(
        self,
        session: Session,
        ledger: Ledger,
        reports: Reports,
        halted: threading.Event,
        *,
        inputs: Inputs,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._session = session
        self._ledger = ledger
        self._reports = reports
        self._halted = halted
        self._inputs = inputs
        self._clock = clock
        self._filled = threading.Condition()
        self._to_send: deque[_Sending] = deque()
        self._to_fetch: deque[tuple[Lease, float]] = deque()  #: with the moment until which it is tried
        self._leaving: list[str] = []
        self._busy: set[str] = set()  #: shots with a state on its way
        self._saved_at: dict[tuple[str, int], float] = {}  #: (shot, token) -> when a state was last tried to save
        self._sent: dict[tuple[str, int], int] = {}  #: (shot, token) -> step of the last state that was sent
        self._took_seconds = 0.0  #: sending the last state
        self._looked_at = 0.0
        self._threads = [
            threading.Thread(target=self._send_forever, name="park", daemon=True),
            *(threading.Thread(target=self._fetch_forever, name="fetch-stored", daemon=True) for _ in range(_FETCHERS)),
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    # Saving

    def next_due(self, progress: Callable[[], Mapping[str, float]]) -> str | None:
        """The shot whose state should be saved now; at most one at a time, so that no tick waits long for copies."""
        welcome, now = self._session.welcome, self._clock()
        every = 0.0 if welcome is None else welcome.park_seconds
        if every <= 0 or now - self._looked_at < min(_LOOK_SECONDS, every / 4):
            return None
        self._looked_at = now
        with self._filled:
            if len(self._to_send) >= _WAITING_MOST:
                return None
            busy = set(self._busy)
        under_way = self._ledger.under_way()
        self._forget_all_but({(shot.lease.shot_id, shot.lease.token) for shot in under_way})
        due: list[tuple[float, str]] = []
        done = progress()
        for shot in under_way:
            shot_id = shot.lease.shot_id
            since_last = now - self._saved_at.get((shot_id, shot.lease.token), now - shot.seconds)
            if shot_id in busy or not is_due(
                every_seconds=every,
                running_seconds=shot.seconds,
                since_last_seconds=since_last,
                last_took_seconds=self._took_seconds,
            ):
                continue
            left = remaining_seconds(
                progress=done.get(shot_id, 0.0), began_at_progress=shot.begun_at, seconds=shot.seconds
            )
            if pays(every_seconds=every, remaining_seconds=left):
                due.append((since_last, shot_id))
        return max(due)[1] if due else None

    def saved(self, shot_id: str, parked: Parked | None) -> None:
        """The state of a shot that goes on; None when there is nothing to save yet."""
        lease = self._ledger.lease(shot_id)
        if lease is None:
            return
        key = shot_id, lease.token
        self._saved_at[key] = self._clock()
        with self._filled:
            is_news = parked is not None and parked.step != self._sent.get(key)
            if parked is not None:
                self._sent[key] = parked.step
        if parked is not None and is_news:
            self._send(_Sending(lease, parked, is_last=False))

    # Leaving

    def leave_what_takes_longer(self, seconds: float, progress: Mapping[str, float]) -> None:
        """Have the device let go of the shots that will not be done in ``seconds``."""
        welcome = self._session.welcome
        if welcome is None or welcome.park_seconds <= 0:
            return
        late = []
        for shot in self._ledger.under_way():
            left = remaining_seconds(
                progress=progress.get(shot.lease.shot_id, 0.0), began_at_progress=shot.begun_at, seconds=shot.seconds
            )
            if left > seconds:
                late.append(shot.lease.shot_id)
        with self._filled:
            self._leaving = late
        self._ledger.wake()

    def to_leave(self) -> list[str]:
        """Shots that the device is to save and let go of now."""
        with self._filled:
            leaving, self._leaving = self._leaving, []
            return leaving

    def left(self, shot_id: str, parked: Parked | None) -> None:
        """The device has let go of a shot; it is given back once its state is saved."""
        lease = self._ledger.leave(shot_id, 0.0 if parked is None else parked.step / parked.steps)
        if lease is None:
            return
        if parked is None:
            self._reports.release([lease])
        else:
            self._send(_Sending(lease, parked, is_last=True))

    # Fetching

    def fetch(self, leases: Iterable[Lease]) -> None:
        """Bring the states and inputs of these leases here; those without any are left alone."""
        with self._filled:
            end = self._clock() + _FETCH_SECONDS
            self._to_fetch.extend((lease, end) for lease in leases if lease.resume_from is not None or lease.inputs)
            self._filled.notify_all()

    def _fetch_forever(self) -> None:
        while not self._halted.is_set():
            with self._filled:
                if not self._filled.wait_for(lambda: bool(self._to_fetch), timeout=0.5):
                    continue
                lease, end = self._to_fetch.popleft()
            self._bring(lease, end)

    def _bring(self, lease: Lease, end: float) -> None:
        try:
            inputs = self._inputs.bring(lease, lambda: self._ledger.holds(lease))
        except InputUnavailable as trouble:
            if self._ledger.give_up(lease):
                self._reports.failure(
                    lease,
                    error_class="final" if trouble.is_final else "retry",
                    code="input_unavailable",
                    message=f"The picture that it starts from cannot be fetched: {trouble}",
                    hint="Upload it again and order anew." if trouble.is_final else "It is tried again.",
                )
            return
        state = None if lease.resume_from is None else self._fetch(lease, end)
        self._ledger.fetched(lease, state, inputs)

    def _fetch(self, lease: Lease, end: float) -> bytes | None:
        """None: it cannot be had before ``end``, the shot begins anew."""
        backoff = Backoff()
        while not self._halted.is_set() and self._ledger.holds(lease) and self._clock() < end:
            try:
                return self._session.call(lambda: self._session.client.stored(lease.resume_from or ""))
            except Refused as refused:
                log.warning("a saved state is not to be had", shot=lease.shot_id, reason=str(refused))
                return None
            except Unreachable as trouble:
                log.warning("a saved state is not to be had yet", shot=lease.shot_id, reason=str(trouble))
                backoff.wait(self._halted, at_least=min(1.0, trouble.retry_after_seconds))
        return None

    # Sending

    def _send(self, sending: _Sending) -> None:
        with self._filled:
            self._busy.add(sending.lease.shot_id)
            # Who leaves has the least time.
            (self._to_send.appendleft if sending.is_last else self._to_send.append)(sending)
            self._filled.notify_all()

    def _send_forever(self) -> None:
        while not self._halted.is_set():
            with self._filled:
                if not self._filled.wait_for(lambda: bool(self._to_send), timeout=0.5):
                    continue
                sending = self._to_send.popleft()
            began = self._clock()
            try:
                self._save(sending)
            finally:
                self._took_seconds = self._clock() - began
                with self._filled:
                    self._busy.discard(sending.lease.shot_id)
                if sending.is_last:
                    self._reports.release([sending.lease])

    def _save(self, sending: _Sending) -> None:
        lease, parked = sending.lease, sending.parked
        if not self._ledger.holds(lease):
            return
        message = Park(
            incarnation=self._session.incarnation,
            shot_id=lease.shot_id,
            token=lease.token,
            step=parked.step,
            steps=parked.steps,
            device_seconds=parked.device_seconds,
        )
        try:
            self._session.call(lambda: self._session.client.park(message, parked.data))
        except (Unreachable, Refused) as trouble:
            log.warning("the state of a shot could not be saved", shot=lease.shot_id, reason=str(trouble))
            with self._filled:
                self._sent.pop((lease.shot_id, lease.token), None)
        else:
            log.debug("parked", shot=lease.shot_id, step=parked.step, size_bytes=len(parked.data))

    def _forget_all_but(self, held: set[tuple[str, int]]) -> None:
        self._saved_at = {key: at for key, at in self._saved_at.items() if key in held}
        with self._filled:
            self._sent = {key: step for key, step in self._sent.items() if key in held}
