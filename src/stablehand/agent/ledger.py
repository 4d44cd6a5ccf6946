"""The ledger: which leases this agent holds and how far each has come. Shared by all threads, guarded by one lock."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from stablehand.protocol import Held, Lease


class Stage(StrEnum):
    FETCHING = "fetching"  #: leased, its saved state or its inputs are on their way here
    WAITING = "waiting"  #: leased, the device has not seen it
    DRAWING = "drawing"  #: seated in the runtime
    LEAVING = "leaving"  #: taken out of the runtime, to be given back once its state is saved
    ENDED = "ended"  #: picture or failure known here, the server has not confirmed it


@dataclass(slots=True)
class Holding:
    lease: Lease
    stage: Stage
    since: float  #: monotonic seconds when this attempt began
    begun_at: float = 0.0  #: progress with which it began, or with which it left
    reached: float | None = None  #: progress that the runtime said last
    state: bytes | None = None  #: to go on from; the device takes it
    inputs: Mapping[str, bytes] = field(default_factory=dict)  #: id -> picture file; the device takes them


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A shot that is being drawn."""

    lease: Lease
    seconds: float  #: since its attempt began
    begun_at: float  #: progress with which it began


#: Stages in which an attempt can still take too long.
_UNDER_WAY = (Stage.FETCHING, Stage.WAITING, Stage.DRAWING)


class Ledger:
    """A lease is in it from claim until the server has confirmed its end, or has said that it is lost."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._holdings: dict[str, Holding] = {}
        self._drops: list[str] = []

    def take(self, leases: Iterable[Lease]) -> None:
        """Enter new leases. Those with a saved state or inputs are not seated before :meth:`fetched`.

        A shot that is still being drawn under an older token goes on under the new one: the picture is the same. One
        that had ended is drawn again, because its report carries the old token.
        """
        with self._changed:
            for lease in leases:
                known = self._holdings.get(lease.shot_id)
                if known is not None and known.stage is Stage.DRAWING:
                    self._holdings[lease.shot_id] = Holding(lease, Stage.DRAWING, self._clock(), known.begun_at)
                    continue
                stage = Stage.FETCHING if lease.resume_from is not None or lease.inputs else Stage.WAITING
                self._holdings[lease.shot_id] = Holding(lease, stage, self._clock(), lease.resumed_progress)
            self._changed.notify_all()

    def fetched(self, lease: Lease, state: bytes | None, inputs: Mapping[str, bytes] | None = None) -> None:
        """The inputs of a lease are here, and its saved state, or that cannot be had: it may be seated."""
        with self._changed:
            holding = self._holdings.get(lease.shot_id)
            if holding is None or holding.stage is not Stage.FETCHING or not self._is_current(lease):
                return
            holding.stage = Stage.WAITING
            holding.state = state
            holding.inputs = inputs or {}
            if state is None:
                holding.begun_at = 0.0
            self._changed.notify_all()

    def give_up(self, lease: Lease) -> bool:
        """What a lease needs cannot be had: it has ended. False: it was cancelled or lost meanwhile."""
        with self._changed:
            holding = self._holdings.get(lease.shot_id)
            if holding is None or holding.stage is not Stage.FETCHING or not self._is_current(lease):
                return False
            holding.stage = Stage.ENDED
            self._changed.notify_all()
            return True

    def take_inputs(self, shot_id: str) -> Mapping[str, bytes]:
        """The inputs to seat a shot with; the ledger keeps none."""
        with self._changed:
            holding = self._holdings.get(shot_id)
            if holding is None:
                return {}
            inputs, holding.inputs = holding.inputs, {}
            return inputs

    def take_state(self, shot_id: str) -> bytes | None:
        """The saved state to seat a shot with; the ledger keeps no copy."""
        with self._changed:
            holding = self._holdings.get(shot_id)
            if holding is None:
                return None
            state, holding.state = holding.state, None
            return state

    def turn(self) -> tuple[list[str], list[Lease]]:
        """What the device must do before its next tick: shots to forget, then leases to seat.

        Both in one step, so that a shot which was lost and leased again is forgotten before it is seated anew.
        """
        with self._changed:
            drops, self._drops = self._drops, []
            waiting = [holding for holding in self._holdings.values() if holding.stage is Stage.WAITING]
            for holding in waiting:
                holding.stage = Stage.DRAWING
            return drops, [holding.lease for holding in waiting]

    def has_turn(self) -> bool:
        """True when :meth:`turn` has something to do."""
        with self._changed:
            return bool(self._drops) or any(held.stage is Stage.WAITING for held in self._holdings.values())

    def end(self, shot_id: str) -> Lease | None:
        """The device is done with a shot. None: it was cancelled or lost meanwhile, forget the result."""
        with self._changed:
            holding = self._holdings.get(shot_id)
            if holding is None or holding.stage is not Stage.DRAWING:
                return None
            holding.stage = Stage.ENDED
            self._changed.notify_all()
            return holding.lease

    def settle(self, lease: Lease) -> None:
        """The server has had the last word on this lease. A newer lease of the same shot stays."""
        with self._changed:
            if self._is_current(lease):
                del self._holdings[lease.shot_id]
                self._changed.notify_all()

    def strike(self, lost: Iterable[tuple[str, int]]) -> list[str]:
        """Shots whose lease with this token is lost: forget them, tell the device to drop them.

        Returns those whose drawing was in vain. One that had ended here was lost only if its report is refused too: the
        heartbeat may have crossed it on the way.
        """
        in_vain = []
        with self._changed:
            for shot_id, token in lost:
                holding = self._holdings.get(shot_id)
                if holding is None or holding.lease.token != token:
                    continue  # leased to us anew while the answer was on its way
                del self._holdings[shot_id]
                if holding.stage is Stage.DRAWING:
                    self._drops.append(shot_id)
                if holding.stage is not Stage.ENDED:
                    in_vain.append(shot_id)
            self._changed.notify_all()
        return in_vain

    def cancel(self, shot_ids: Iterable[str]) -> list[Lease]:
        """Stop these shots; returns the leases to give back. A picture that is already drawn is still delivered."""
        stopped = []
        with self._changed:
            for shot_id in shot_ids:
                holding = self._holdings.get(shot_id)
                if holding is None or holding.stage in (Stage.ENDED, Stage.LEAVING):
                    continue
                if holding.stage is Stage.DRAWING:
                    self._drops.append(shot_id)
                holding.stage = Stage.ENDED
                stopped.append(holding.lease)
            self._changed.notify_all()
        return stopped

    def withdraw(self) -> list[Lease]:
        """Leases that no device has seen yet: from now on they count as ended, to be given back."""
        with self._changed:
            unseen = [held for held in self._holdings.values() if held.stage in (Stage.FETCHING, Stage.WAITING)]
            for holding in unseen:
                holding.stage = Stage.ENDED
            self._changed.notify_all()
            return [holding.lease for holding in unseen]

    def leave(self, shot_id: str, progress: float) -> Lease | None:
        """The device has let go of a shot that is not done. None: it was cancelled or lost meanwhile."""
        with self._changed:
            holding = self._holdings.get(shot_id)
            if holding is None or holding.stage is not Stage.DRAWING:
                return None
            holding.stage = Stage.LEAVING
            holding.begun_at = progress
            self._changed.notify_all()
            return holding.lease

    def overdue(self) -> list[Lease]:
        """Leases whose attempt has run longer than it may; from now on they count as ended."""
        now = self._clock()
        with self._changed:
            late = [
                holding
                for holding in self._holdings.values()
                if holding.stage in _UNDER_WAY and now - holding.since > holding.lease.timeout_seconds
            ]
            for holding in late:
                if holding.stage is Stage.DRAWING:
                    self._drops.append(holding.lease.shot_id)
                holding.stage = Stage.ENDED
            return [holding.lease for holding in late]

    def drawing(self) -> list[str]:
        with self._changed:
            return [shot_id for shot_id, holding in self._holdings.items() if holding.stage is Stage.DRAWING]

    def under_way(self) -> list[UnderWay]:
        """The shots in the runtime, with how long they have been there."""
        now = self._clock()
        with self._changed:
            drawing = [held for held in self._holdings.values() if held.stage is Stage.DRAWING]
            return [UnderWay(held.lease, now - held.since, held.begun_at) for held in drawing]

    def lease(self, shot_id: str) -> Lease | None:
        with self._changed:
            holding = self._holdings.get(shot_id)
            return holding.lease if holding is not None else None

    def holds(self, lease: Lease) -> bool:
        with self._changed:
            return self._is_current(lease)

    def held(self, progress: Mapping[str, float]) -> list[Held]:
        """Everything to renew: also what has ended here but is not confirmed there."""
        with self._changed:
            for shot_id, holding in self._holdings.items():
                if holding.stage is Stage.DRAWING and shot_id in progress:
                    holding.reached = progress[shot_id]
            return [_held(holding) for holding in self._holdings.values()]

    def is_empty(self) -> bool:
        with self._changed:
            return not self._holdings

    def free_seats(self, seats: int) -> int:
        """Seats without a shot. Ended ones free theirs, up to as many again, so that reports cannot pile up."""
        with self._changed:
            running = sum(holding.stage is not Stage.ENDED for holding in self._holdings.values())
            return max(0, min(seats - running, 2 * seats - len(self._holdings)))

    def wait(self, seconds: float, until: Callable[[], bool]) -> bool:
        """Sleep until ``until`` holds after a change, or for ``seconds``; returns whether it holds.

        ``until`` runs under the ledger's lock and may use the ledger.
        """
        with self._changed:
            return self._changed.wait_for(until, timeout=seconds)

    def wake(self) -> None:
        """Have everybody who waits look again."""
        with self._changed:
            self._changed.notify_all()

    def _is_current(self, lease: Lease) -> bool:
        holding = self._holdings.get(lease.shot_id)
        return holding is not None and holding.lease.token == lease.token


def _held(holding: Holding) -> Held:
    if holding.stage is Stage.ENDED:
        done = 1.0
    else:
        # The runtime does not know a shot before it is seated, and no more when it has just been drawn.
        reached = holding.reached if holding.stage is Stage.DRAWING else None
        done = min(1.0, max(0.0, holding.begun_at if reached is None else reached))
    return Held(shot_id=holding.lease.shot_id, token=holding.lease.token, progress=done)
