"""courier: carry notices from the outbox to their sinks, one process at a time, until each is delivered or dead."""

import logging
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from stablehand.domain.events import NoticeGiven
from stablehand.domain.notices import DeadNotice, Notice, pause_seconds
from stablehand.domain.pages import LIMIT_DEFAULT, Page, check_limit
from stablehand.ports import Sink, SinkFailed
from stablehand.services import Services
from stablehand.services.announce import OUTBOX
from stablehand.services.dispatch import Carriage
from stablehand.services.feed import Feed
from stablehand.store.leading import Lead
from stablehand.store.outbox import OutboxState, Undelivered

MATTER = "courier"
#: notices claimed at once
BATCH = 50
#: tries are written down at least this often while a batch is under way: what is not, a successor repeats
SETTLE_SECONDS = 1.0

_log = logging.getLogger(__name__)

#: kind of notice -> where it goes
Sinks = Mapping[str, Sequence[Sink]]


class LiveSink:
    """Implements ports.Sink: tells the account's browsers. Whoever is not listening has missed it."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed

    def take(self, notice: Notice) -> None:
        self._feed.publish(NoticeGiven(notice.account_id, notice))


def carry(services: Services, sinks: Sinks, tally: Counter[tuple[str, str]], jitter: Callable[[], float]) -> int:
    """One round: try what is due, write down how it ended; returns how many were tried.

    ``tally`` counts (kind, "delivered", "failed" or "dead"). ``jitter``: random, 0 to 1.
    """
    store = services.store
    if not store.has_due_notices():
        return 0
    notices = store.claim_notices(BATCH)
    delivered: list[Notice] = []
    failed: list[Undelivered] = []
    held_up: set[str] = set()  # jobs of which an earlier notice has just failed
    settled_at = time.monotonic()
    for notice in notices:
        if notice.job_id in held_up:
            continue
        error = _hand_over(notice, sinks)
        if error is None:
            delivered.append(notice)
            tally[notice.kind, "delivered"] += 1
        else:
            pause = pause_seconds(notice.tries + 1, jitter())
            failed.append(Undelivered(notice, error, pause))
            tally[notice.kind, "failed" if pause is not None else "dead"] += 1
            if pause is not None:
                held_up |= {notice.job_id} - {""}
            else:
                _log.error(
                    "The notice %s (%s) is given up after %d tries: %s", notice.id, notice.kind, notice.tries + 1, error
                )
        if time.monotonic() - settled_at > SETTLE_SECONDS:
            store.settle_notices(delivered, failed)
            delivered, failed, settled_at = [], [], time.monotonic()
    if delivered or failed:
        store.settle_notices(delivered, failed)
    return len(notices)


def list_dead_notices(services: Services, *, limit: int = LIMIT_DEFAULT, cursor: str | None = None) -> Page[DeadNotice]:
    """Those that were given up, the newest first. Raises InvalidFields."""
    check_limit(limit)
    return services.store.dead_notices(limit=limit, cursor=cursor)


def redeliver(services: Services, ids: Sequence[str] | None) -> int:
    """Try dead notices anew; None: all of them. Returns how many."""
    revived = services.store.redeliver(ids)
    services.doorbell.ring(OUTBOX)
    return revived


def outbox_state(services: Services) -> OutboxState:
    """How the outbox stands."""
    return services.store.outbox_state()


class Courier:
    """The thread that carries while it leads, and waits for its turn while another process does."""

    def __init__(self, services: Services, sinks: Sinks, carriage: Carriage | None = None) -> None:
        """``carriage``: carries dispatches as long as this leads."""
        self.tally: Counter[tuple[str, str]] = Counter()
        self.leads = False
        self._services = services
        self._sinks = sinks
        self._carriage = carriage
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="courier", daemon=True)

    @property
    def dispatch_tally(self) -> Mapping[tuple[str, str], int]:
        """(channel, how a try ended) -> how many."""
        return {} if self._carriage is None else self._carriage.tally

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Returns when the round in hand is over."""
        self._stopping.set()
        self._services.doorbell.ring(OUTBOX)
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        poll_seconds = self._services.limits.poll_seconds
        while not self._stopping.is_set():
            try:
                lead = self._services.store.try_lead(MATTER)
                if lead is not None:
                    with lead:
                        self._lead(lead)
            except Exception:
                # A database that is away, a full disk: it must outlive both.
                _log.exception("The courier could not go on; it tries again.")
            finally:
                self.leads = False
            self._stopping.wait(poll_seconds)

    def _lead(self, lead: Lead) -> None:
        self.leads = True
        if self._carriage is not None:
            self._carriage.start()
        try:
            while not self._stopping.is_set() and lead.holds():
                heard = self._services.doorbell.heard()
                if not carry(self._services, self._sinks, self.tally, random.random):
                    self._services.doorbell.wait(OUTBOX, self._services.limits.poll_seconds, since=heard)
        finally:
            if self._carriage is not None:
                self._carriage.stop()


def _hand_over(notice: Notice, sinks: Sinks) -> str | None:
    """Give it to all its sinks; returns what went wrong. After a failure all of them get it again."""
    wanted = sinks.get(notice.kind)
    if wanted is None:
        return f"This version knows no place for notices of the kind {notice.kind}."
    for sink in wanted:
        try:
            sink.take(notice)
        except SinkFailed as error:
            return str(error)
        except Exception as error:
            _log.exception("A sink broke over the notice %s.", notice.id)
            return f"{type(error).__name__}: {error}"
    return None
