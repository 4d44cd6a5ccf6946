"""dispatch: carry notices to destinations outside the house, many at once, each until it arrives or is given up.

The courier's sink (``DispatchSink``) only writes down where a notice goes. ``Carriage`` then takes each dispatch to its
destination in a thread of its own. How many of them are under way is bounded for each destination, account and channel
(``domain.dispatches.Traffic``), so that a receiver that stalls, or one with ten thousand notices due, holds up nobody
else. How a channel is added stands at ``ports.Channel``.
"""

import logging
import queue
import random
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace

from stablehand.domain.dispatches import (
    Arrived,
    DispatchState,
    Due,
    Held,
    NotNow,
    Outcome,
    Road,
    Traffic,
    pause_seconds,
)
from stablehand.domain.errors import StoreUnavailable
from stablehand.domain.notices import Notice
from stablehand.ports import Channel
from stablehand.services import Services
from stablehand.services.identity import new_id
from stablehand.store.dispatches import Claimed, Tried

#: the doorbell topic of whoever carries dispatches
DISPATCHES = "dispatches"
#: dispatches under way at a time, in all
PLACES = 32
#: roads in trouble that are remembered
TROUBLED_MOST = 1_000
#: how soon what comes due is noticed while something is under way
LOOK_SECONDS = 0.25
#: at most so long after its try has ended is an outcome written down
GATHER_SECONDS = 0.02
#: how long those under way are waited for at the end; what has not ended then is sent again by whoever follows
PATIENCE_SECONDS = 1.0

#: what a try is counted as, by the state that it leaves behind
_WORDS = {DispatchState.WAITING: "failed", DispatchState.ARRIVED: "arrived", DispatchState.DEAD: "dead"}

_log = logging.getLogger(__name__)


class DispatchSink:
    """Implements ports.Sink: writes down where a notice goes. Taking the same notice twice changes nothing."""

    def __init__(self, services: Services, channels: Sequence[Channel]) -> None:
        self._services = services
        self._channels = channels

    def take(self, notice: Notice) -> None:
        roads = [
            (Road(channel.name, destination), new_id())
            for channel in self._channels
            for destination in channel.destinations(notice)
        ]
        if self._services.store.add_dispatches(notice, roads):
            self._services.doorbell.ring(DISPATCHES)


class Carriage:
    """Carries while it is started; the courier starts it while it leads.

    ``tally`` counts (channel, "arrived", "failed" or "dead"). ``jitter``: random, 0 to 1.
    """

    def __init__(
        self, services: Services, channels: Sequence[Channel], *, jitter: Callable[[], float] = random.random
    ) -> None:
        self.tally: Counter[tuple[str, str]] = Counter()
        self._services = services
        self._channels = {channel.name: channel for channel in channels}
        self._jitter = jitter
        self._under_way: dict[int, Due] = {}
        self._troubled: OrderedDict[Road, None] = OrderedDict()
        self._ended: queue.SimpleQueue[tuple[Claimed, Outcome, float]] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name="carriage", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Returns soon; what is still under way then is sent again by whoever follows."""
        if self._thread is None:
            return
        self._stopping.set()
        self._services.doorbell.ring(DISPATCHES)
        self._thread.join()
        self._thread = None

    def empty(self) -> Counter[tuple[str, str]]:
        """Carry, in this thread's time, until nothing is due; returns what was counted. Not while it is started."""
        before = self.tally.copy()
        while self._begin() or self._under_way:
            self._settle(LOOK_SECONDS)
        return self.tally - before

    def _run(self) -> None:
        doorbell, poll_seconds = self._services.doorbell, self._services.limits.poll_seconds
        while not self._stopping.is_set():
            try:
                heard = doorbell.heard()
                begun = self._begin()
                if self._under_way:
                    self._settle(LOOK_SECONDS)
                elif not begun:
                    doorbell.wait(DISPATCHES, poll_seconds, since=heard)
            except Exception:
                # A database that is away, a full disk: it must outlive both.
                _log.exception("Dispatches could not be carried; the courier tries again.")
                self._stopping.wait(poll_seconds)
        until = time.monotonic() + PATIENCE_SECONDS
        try:
            while self._under_way and time.monotonic() < until:
                self._settle(until - time.monotonic())
        except Exception:
            _log.exception("What became of the last dispatches could not be written down; they are sent again.")
        self._under_way.clear()
        self._troubled.clear()

    def _begin(self) -> int:
        """Put on their way as many as may be; returns how many."""
        at_once = {name: channel.at_once for name, channel in self._channels.items()}
        traffic = Traffic(self._under_way.values(), self._troubled, places=PLACES, at_once=at_once)
        if not traffic.free or not self._services.store.has_due_dispatches():
            return 0
        claimed = self._services.store.claim_dispatches(
            traffic.choose, room=traffic.room(), under_way=set(self._under_way)
        )
        for one in claimed:
            self._under_way[one.due.number] = one.due
            threading.Thread(target=self._carry, args=(one,), name="dispatch", daemon=True).start()
        return len(claimed)

    def _carry(self, one: Claimed) -> None:
        began = time.monotonic()
        try:
            outcome: Outcome = self._channels[one.dispatch.road.channel].carry(one.dispatch, one.notice)
        except StoreUnavailable as error:  # no fault of the receiver's
            outcome = NotNow(error=error.message, is_try=False)
        except Exception as error:
            _log.exception("A channel broke over the dispatch %s.", one.dispatch.id)
            outcome = NotNow(error=f"{type(error).__name__}: {error}")
        self._ended.put((one, outcome, time.monotonic() - began))

    def _settle(self, timeout_seconds: float) -> None:
        """Wait for one that has ended, or more, and write down what became of them."""
        try:
            ended = [self._ended.get(timeout=max(0.0, timeout_seconds))]
        except queue.Empty:
            return
        until = time.monotonic() + GATHER_SECONDS
        while len(ended) < len(self._under_way):
            try:
                ended.append(self._ended.get(timeout=max(0.0, until - time.monotonic())))
            except queue.Empty:
                break
        tried = [self._judge(*one) for one in ended]
        try:
            self._services.store.settle_dispatches(tried)
        except Exception:
            for one in ended:  # it is written down as soon as the database takes it
                self._ended.put(one)
            raise
        for (claimed, outcome, _), now in zip(ended, tried, strict=True):
            self._under_way.pop(claimed.due.number, None)
            if outcome.is_try:
                self.tally[claimed.due.road.channel, _WORDS[now.state]] += 1
                self._note(claimed.due.road, outcome)
            if now.state is DispatchState.DEAD and outcome.is_try:
                _log.error("The dispatch %s is given up: %s", claimed.dispatch.id, outcome.error)

    def _judge(self, claimed: Claimed, outcome: Outcome, seconds: float) -> Tried:
        dispatch = claimed.dispatch
        # PostgreSQL keeps no NUL.
        outcome = replace(outcome, error=outcome.error.replace("\0", ""), answer=outcome.answer.replace("\0", ""))
        state, pause = DispatchState.DEAD, None
        if isinstance(outcome, Arrived):
            state = DispatchState.ARRIVED
        elif isinstance(outcome, Held):
            state = DispatchState.HELD
        elif isinstance(outcome, NotNow):
            pauses = self._channels[dispatch.road.channel].pauses_seconds
            pause = pause_seconds(dispatch.failures + 1, self._jitter(), pauses=pauses, wish=outcome.after_seconds)
            state = DispatchState.DEAD if pause is None else DispatchState.WAITING
        return Tried(dispatch=dispatch, outcome=outcome, state=state, pause_seconds=pause or 0.0, seconds=seconds)

    def _note(self, road: Road, outcome: Outcome) -> None:
        """Remember whether the road is in trouble."""
        self._troubled.pop(road, None)
        if not isinstance(outcome, Arrived):
            self._troubled[road] = None
            if len(self._troubled) > TROUBLED_MOST:
                self._troubled.popitem(last=False)
