"""What leaves the agent: pictures, failures, shots given back. Nothing is forgotten before the server has answered."""

import hashlib
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from stablehand.agent.backoff import Backoff
from stablehand.agent.client import Refused, Unreachable
from stablehand.agent.ledger import Ledger
from stablehand.agent.session import Session
from stablehand.ports import Drawn
from stablehand.protocol import Deliver, Done, Fail, Failure, Held, Lease, Picture, Release, Stage

#: pictures, failures or releases in one call
_BATCH = 32
#: uploads of one picture that a full disk may refuse before the shot fails for it
_STORAGE_FULL_TRIES = 3
#: after the object store would not take a picture, how long pictures go through the server
_STAGE_AGAIN_SECONDS = 60.0

log = structlog.get_logger("agent")


@dataclass(frozen=True, slots=True)
class _Reported:
    """A picture whose bytes have been sent."""

    lease: Lease
    picture: Picture
    drawn: Drawn | None  #: kept while the server has not seen the bytes with its own eyes


class Reports:
    """Uploads pictures on a few threads and reports their ends in batches on one.

    A finished picture is kept and offered again until the server accepts it, refuses it, or says in a heartbeat that
    its lease is lost; so it survives a server that restarts.
    """

    def __init__(self, session: Session, ledger: Ledger, halted: threading.Event, *, upload_threads: int) -> None:
        self._session = session
        self._ledger = ledger
        self._halted = halted
        self._ready = threading.Condition()
        self._drawn: deque[tuple[Lease, Drawn]] = deque()
        self._pictures: list[_Reported] = []
        self._stage_again_at = 0.0  #: monotonic seconds until which links into the object store are not asked for
        self._failures: list[tuple[Lease, Failure]] = []
        self._releases: list[Lease] = []
        self._threads = [
            threading.Thread(target=self._upload_forever, name=f"upload-{number}", daemon=True)
            for number in range(upload_threads)
        ]
        self._threads.append(threading.Thread(target=self._report_forever, name="report", daemon=True))

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def picture(self, lease: Lease, drawn: Drawn) -> None:
        with self._ready:
            self._drawn.append((lease, drawn))
            self._ready.notify_all()

    def failure(
        self, lease: Lease, *, error_class: str, code: str, message: str, hint: str = "", at_load: bool = False
    ) -> None:
        """The shot has not become a picture. ``error_class`` as in protocol.Failure; an unknown one counts as retry."""
        if error_class not in ("retry", "final", "agent_sick"):
            log.error("a runtime named an unknown class of error", error_class=error_class, code=code)
            error_class = "retry"
        failure = Failure.model_validate(
            {
                "shot_id": lease.shot_id,
                "token": lease.token,
                "error_class": error_class,
                "code": code,
                "message": message,
                "hint": hint,
                "at_load": at_load,
            }
        )
        with self._ready:
            self._failures.append((lease, failure))
            self._ready.notify_all()

    def release(self, leases: list[Lease]) -> None:
        with self._ready:
            self._releases.extend(leases)
            self._ready.notify_all()

    def _upload_forever(self) -> None:
        while not self._halted.is_set():
            with self._ready:
                if not self._ready.wait_for(lambda: bool(self._drawn), timeout=0.5):
                    continue
                lease, drawn = self._drawn.popleft()
            self._upload(lease, drawn)

    def _send(self, lease: Lease, drawn: Drawn) -> tuple[str, bool, list[str]]:
        """Put a picture into the object store, or where that cannot be, send it to the server.

        Returns the upload's name, whether the server has not seen it yet, and what the server has to say of it.
        Raises Unreachable, Refused.
        """
        welcome = self._session.welcome
        if welcome is not None and welcome.stages and time.monotonic() >= self._stage_again_at:
            sha256 = hashlib.sha256(drawn.data).hexdigest()
            message = Stage(
                incarnation=self._session.incarnation,
                shot_id=lease.shot_id,
                token=lease.token,
                size_bytes=len(drawn.data),
                sha256=sha256,
            )
            staged = self._session.call(lambda: self._session.client.stage(message))
            try:
                if staged.url is not None:
                    self._session.client.put_staged(staged, drawn.data)
                    return staged.upload, True, []
            except Unreachable as trouble:
                log.warning("the object store does not take pictures from here", reason=str(trouble))
            self._stage_again_at = time.monotonic() + _STAGE_AGAIN_SECONDS
        uploaded = self._session.call(lambda: self._session.client.upload(lease.shot_id, lease.token, drawn.data))
        return uploaded.upload, False, uploaded.notes

    def _upload(self, lease: Lease, drawn: Drawn) -> None:
        backoff = Backoff()
        full = 0
        while self._ledger.holds(lease) and not self._halted.is_set():
            try:
                upload, is_staged, said = self._send(lease, drawn)
            except Unreachable as trouble:
                log.warning("a picture waits for the server", shot=lease.shot_id, reason=str(trouble))
                backoff.wait(self._halted, at_least=trouble.retry_after_seconds)
                continue
            except Refused as refused:
                full += refused.is_storage_full
                if refused.is_storage_full and full < _STORAGE_FULL_TRIES:
                    backoff.wait(self._halted, at_least=0.5 * full)
                    continue
                self._upload_refused(lease, refused)
                return
            picture = Picture(
                shot_id=lease.shot_id,
                token=lease.token,
                upload=upload,
                width=drawn.width,
                height=drawn.height,
                format=str(lease.recipe.get("format", "webp")),
                seed=int(lease.recipe.get("seed", 0)),
                infotext=drawn.infotext,
                device_seconds=drawn.device_seconds,
                notes=[*drawn.notes, *said],
                manifest=None if drawn.manifest is None else drawn.manifest.as_dict(),
            )
            with self._ready:
                self._pictures.append(_Reported(lease, picture, drawn if is_staged else None))
                self._ready.notify_all()
            return

    def _upload_refused(self, lease: Lease, refused: Refused) -> None:
        if refused.is_lease_lost:
            log.info("a picture came too late, its lease was no longer ours", shot=lease.shot_id)
            self._ledger.settle(lease)
            return
        log.error("the server refused a picture", shot=lease.shot_id, reason=str(refused))
        self.failure(lease, error_class="final", code=refused.code, message=refused.message, hint=refused.hint)

    def _report_forever(self) -> None:
        backoff = Backoff()
        while not self._halted.is_set():
            with self._ready:
                if not self._ready.wait_for(self._has_words, timeout=0.5):
                    continue
            try:
                self._report()
                backoff.reset()
            except Unreachable as trouble:
                backoff.wait(self._halted, at_least=trouble.retry_after_seconds)

    def _has_words(self) -> bool:
        return bool(self._pictures or self._failures or self._releases)

    def _report(self) -> None:
        """Say what is ready; what was said is forgotten only once it was answered. Raises Unreachable."""
        with self._ready:
            pictures, failures = self._pictures[:_BATCH], self._failures[:_BATCH]
            releases = self._releases[:_BATCH]
        if pictures:
            self._deliver(pictures)
        if failures:
            message = Fail(incarnation=self._session.incarnation, failures=[failure for _, failure in failures])
            self._say(lambda: self._session.client.fail(message), "failures")
            self._settle([lease for lease, _ in failures])
            with self._ready:
                del self._failures[: len(failures)]
        if releases:
            shots = [Held(shot_id=lease.shot_id, token=lease.token) for lease in releases]
            given = Release(incarnation=self._session.incarnation, shots=shots)
            self._say(lambda: self._session.client.release(given), "releases")
            self._settle(releases)
            with self._ready:
                del self._releases[: len(releases)]

    def _deliver(self, pictures: list[_Reported]) -> None:
        message = Deliver(incarnation=self._session.incarnation, pictures=[one.picture for one in pictures])
        log.debug("delivering", pictures=[(one.shot_id, one.token, one.device_seconds) for one in message.pictures])
        try:
            delivered = self._session.call(lambda: self._session.client.deliver(message))
        except Refused as refused:
            log.error("the server refused a delivery", reason=str(refused))
            for lease in (one.lease for one in pictures):
                self.failure(lease, error_class="retry", code=refused.code, message=refused.message, hint=refused.hint)
        else:
            if delivered.refused:
                log.info("pictures came too late, their leases were no longer ours", shots=delivered.refused)
            missing = [one for one in pictures if one.picture.shot_id in delivered.missing]
            if missing:
                self._send_again(missing)
            self._settle([one.lease for one in pictures if one not in missing])
        with self._ready:
            del self._pictures[: len(pictures)]

    def _send_again(self, missing: list[_Reported]) -> None:
        """The object store has lost or spoilt these: from now on the server is the way, for a while."""
        log.warning("pictures were not found in the object store", shots=[one.lease.shot_id for one in missing])
        self._stage_again_at = time.monotonic() + _STAGE_AGAIN_SECONDS
        with self._ready:
            self._drawn.extend((one.lease, one.drawn) for one in missing if one.drawn is not None)
            self._ready.notify_all()

    def _say(self, ask: Callable[[], Done], what: str) -> None:
        """Send words that the server may find stale but must not find wrong; its refusal is final either way."""
        try:
            self._session.call(ask)
        except Refused as refused:
            log.error("the server refused a report; its shots will expire there", what=what, reason=str(refused))

    def _settle(self, leases: list[Lease]) -> None:
        for lease in leases:
            self._ledger.settle(lease)
