"""Inputs at the agent: the pictures that shots start from, fetched before these are seated."""

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping

import structlog

from stablehand.agent.backoff import Backoff
from stablehand.agent.client import Refused, Unreachable
from stablehand.agent.session import Session
from stablehand.protocol import Lease

#: Pictures of one job share an input; so much of the latest is kept.
CACHE_BYTES = 128 * 2**20
#: how long an input is asked for before the shot is given up
_FETCH_SECONDS = 30.0

log = structlog.get_logger("agent")


class InputUnavailable(Exception):
    """An input cannot be had. ``is_final``: it will not be had later either."""

    def __init__(self, message: str, *, is_final: bool) -> None:
        super().__init__(message)
        self.is_final = is_final


class Inputs:
    """A small cache by hash: whatever lies in it was checked against its name. Used by several threads."""

    def __init__(self, session: Session, halted: threading.Event, cache_bytes: int = CACHE_BYTES) -> None:
        self._session = session
        self._halted = halted
        self._cache_bytes = cache_bytes
        self._lock = threading.Lock()
        self._cache: OrderedDict[str, bytes] = OrderedDict()

    def bring(self, lease: Lease, still_wanted: Callable[[], bool]) -> Mapping[str, bytes]:
        """The inputs that a lease names, by id. Raises InputUnavailable."""
        return {input_id: self._one(input_id, address, still_wanted) for input_id, address in lease.inputs.items()}

    def _one(self, input_id: str, address: str, still_wanted: Callable[[], bool]) -> bytes:
        with self._lock:
            if input_id in self._cache:
                self._cache.move_to_end(input_id)
                return self._cache[input_id]
        data = self._fetch(input_id, address, still_wanted)
        with self._lock:
            self._cache[input_id] = data
            while len(self._cache) > 1 and sum(map(len, self._cache.values())) > self._cache_bytes:
                self._cache.popitem(last=False)
        return data

    def _fetch(self, input_id: str, address: str, still_wanted: Callable[[], bool]) -> bytes:
        backoff = Backoff()
        end = time.monotonic() + _FETCH_SECONDS
        reason = "the agent ends"
        while not self._halted.is_set() and still_wanted() and time.monotonic() < end:
            try:
                data = self._session.call(lambda: self._session.client.stored(address))
            except Refused as refused:
                raise InputUnavailable(str(refused), is_final=refused.status == 404) from refused
            except Unreachable as trouble:
                reason = str(trouble)
                log.warning("an input is not to be had yet", input=input_id, reason=reason)
                backoff.wait(self._halted, at_least=min(1.0, trouble.retry_after_seconds))
                continue
            if hashlib.sha256(data).hexdigest() == input_id:
                return data
            reason = "its bytes are not what its name says"
            backoff.wait(self._halted)
        raise InputUnavailable(reason, is_final=False)
