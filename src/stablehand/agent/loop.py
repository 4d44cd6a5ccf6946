"""One agent process from first hello to last word: claim, run, report.

Threads: the device thread ticks the runtime; one thread claims; one renews; a few upload and report; one sends
previews; one saves the states of running shots and one fetches them. The main thread waits for a reason to end: a
signal, a dead parent, a runtime that does not start, a server that will not have us.
"""

import os
import signal
import threading
import time
import uuid
from collections.abc import Callable
from types import FrameType

import structlog

from stablehand import __version__
from stablehand.agent.backoff import Backoff
from stablehand.agent.client import Client, Refused, Unreachable
from stablehand.agent.device import DeviceThread
from stablehand.agent.exits import Exit
from stablehand.agent.heartbeat import Heartbeat
from stablehand.agent.inputs import Inputs
from stablehand.agent.ledger import Ledger
from stablehand.agent.parking import Parking
from stablehand.agent.previews import Previews
from stablehand.agent.reports import Reports
from stablehand.agent.session import Session
from stablehand.agent.settings import AgentSettings
from stablehand.domain.parking import drawing_seconds
from stablehand.ports import Runtime, RuntimeFactory
from stablehand.protocol import Claim, Device, Hello, Release

#: how long the device may take to load beside an unanswered first hello before it is loaded anyway
_FIRST_HELLO_SECONDS = 2.0
#: between two looks at whether our parent lives
_PARENT_SECONDS = 0.25
#: the last release of an agent that ends may take this long
_LAST_WORD_SECONDS = 2.0

log = structlog.get_logger("agent")


def run_agent(settings: AgentSettings, make_runtime: RuntimeFactory) -> int:
    """Run until told to stop; returns the exit code. Takes over SIGTERM and SIGINT: call it on the main thread."""
    agent = Agent(settings, make_runtime)
    with _Signals(agent.stop):
        return agent.run()


class Agent:
    """The threads of one incarnation and the order in which they start and end."""

    def __init__(self, settings: AgentSettings, make_runtime: RuntimeFactory) -> None:
        self._settings = settings
        self._closing = threading.Event()  #: claim no more
        self._halted = threading.Event()  #: every thread ends
        self._drop_all = threading.Event()  #: do not wait for running pictures
        self._resident: list[str] = []
        self._seats = 0
        self._client = Client(settings.server, settings.token)
        self._ledger = Ledger()
        hello = Hello(
            incarnation=uuid.uuid4().hex,
            runtime=settings.runtime,
            pool=settings.pool,
            device=Device(kind="none", name="starting"),
            version=__version__,
        )
        self._session = Session(self._client, hello, self._halted)
        self._reports = Reports(self._session, self._ledger, self._halted, upload_threads=settings.upload_threads)
        self._previews = Previews(self._session, self._halted)
        self._parking = Parking(
            self._session, self._ledger, self._reports, self._halted, inputs=Inputs(self._session, self._halted)
        )
        self._device = DeviceThread(
            make_runtime,
            self._ledger,
            self._reports,
            self._halted,
            watched=lambda: self._heartbeat.watched,
            send_preview=self._previews.offer,
            preview_interval_seconds=settings.preview_interval_seconds,
            parking=self._parking,
            on_started=self._describe_runtime,
            on_residents=self._set_residents,
        )
        self._heartbeat = Heartbeat(
            self._session,
            self._ledger,
            self._reports,
            self._halted,
            progress=self._device.progress,
            resident=lambda: self._resident,
            loading=self._device.loading,
            stopwatch=self._device.stopwatch,
        )

    def run(self) -> int:
        """Everything from the first hello to the last word; returns the exit code."""
        threading.Thread(target=self._claim_forever, name="claim", daemon=True).start()
        self._session.introduced.wait(_FIRST_HELLO_SECONDS)
        self._device.start()
        self._heartbeat.start()
        self._previews.start()
        self._reports.start()
        self._parking.start()
        try:
            code = self._wait_for_an_end()
            self._wind_down(code)
        finally:
            self._halt()
        log.info("agent ends", code=int(code))
        return int(code)

    def stop(self) -> None:
        """The first time: finish what fits in the grace. The second time: at once."""
        if self._closing.is_set():
            self._drop_all.set()
        self._closing.set()

    def _wait_for_an_end(self) -> Exit:
        while not self._closing.wait(_PARENT_SECONDS):
            if self._is_orphan():
                _write_nowhere()
                self._drop_all.set()
                return Exit.DONE
            if self._device.start_failure is not None:
                return Exit.NO_RUNTIME
            if self._device.sick is not None:
                return Exit.SICK
            if self._session.dismissed is not None:
                log.error("dismissed", reason=self._session.dismissed)
                return Exit.DISMISSED
        return Exit.DONE

    def _wind_down(self, code: Exit) -> None:
        """Let end what ends within the grace, give back the rest."""
        self._closing.set()
        if code is Exit.NO_RUNTIME:
            self._say_not_ready()
            return
        if code is Exit.DISMISSED or not self._session.introduced.is_set():
            return
        if code is Exit.DONE and not self._drop_all.is_set():
            self._wait_or_park(time.monotonic() + self._settings.grace_seconds)
        elif code is Exit.SICK:
            # The failures of the last tick should still be told.
            self._ledger.wait(_LAST_WORD_SECONDS, self._ledger.is_empty)
        self._leave()

    def _wait_or_park(self, end: float) -> None:
        """Let pictures end that can before ``end`` (monotonic seconds); the states of the others are saved."""
        if self._ledger.is_empty() or time.monotonic() >= end:
            return
        self._say_closing(min(_LAST_WORD_SECONDS, (end - time.monotonic()) / 2))
        drawing_end = time.monotonic() + drawing_seconds(max(0.0, end - time.monotonic()))
        self._reports.release(self._ledger.withdraw())
        while time.monotonic() < drawing_end and not self._ledger.is_empty() and not self._drop_all.is_set():
            self._parking.leave_what_takes_longer(drawing_end - time.monotonic(), self._device.progress())
            self._ledger.wait(0.1, self._ledger.is_empty)
        if not self._drop_all.is_set():
            self._parking.leave_what_takes_longer(0.0, self._device.progress())
        while time.monotonic() < end and not self._ledger.is_empty() and not self._drop_all.is_set():
            self._ledger.wait(0.1, self._ledger.is_empty)

    def _say_closing(self, seconds: float) -> None:
        """Have the server give us nothing more; what we give back would else be leased to us again."""
        message = Release(incarnation=self._session.incarnation, shots=[], closing=True)
        try:
            self._session.call(lambda: self._client.release(message, read_seconds=seconds))
        except (Unreachable, Refused) as trouble:
            log.warning("the server did not hear that we are closing", reason=str(trouble))

    def _leave(self) -> None:
        """Give back every lease and take leave, so that a claim which still waits there gets nothing more."""
        self._session.is_leaving = True
        shots = self._ledger.held({})
        message = Release(incarnation=self._session.incarnation, shots=shots, leaving=True)
        try:
            self._session.call(lambda: self._client.release(message, read_seconds=_LAST_WORD_SECONDS))
        except (Unreachable, Refused) as trouble:
            log.warning(
                "the server did not hear us leave; our leases will expire", shots=len(shots), reason=str(trouble)
            )
        else:
            log.info("left", leases_given_back=len(shots))

    def _say_not_ready(self) -> None:
        self._session.describe(error=self._device.start_failure or "", ready=False)
        try:
            self._session.hello()
        except Unreachable as trouble:
            log.warning("the server did not hear why we end", reason=str(trouble))

    def _halt(self) -> None:
        self._halted.set()
        self._ledger.wake()
        if self._device.started.is_set():
            self._device.join(_LAST_WORD_SECONDS)

    def _describe_runtime(self, runtime: Runtime) -> None:
        self._seats = runtime.seats
        self._resident = runtime.resident()
        self._session.describe(
            ready=True,
            runtime=runtime.name,
            kinds=list(runtime.kinds),
            device=runtime.device,
            seats=runtime.seats,
            resident=self._resident,
        )

    def _set_residents(self, resident: list[str]) -> None:
        if resident != self._resident:
            self._resident = resident
            self._session.describe(resident=resident)

    def _claim_forever(self) -> None:
        """Introduce ourselves, wait for the device, introduce ourselves again, then fill free seats."""
        if self._session.hello_until_heard() is None:
            return
        while not self._device.started.wait(0.1):
            if self._halted.is_set() or self._device.ended.is_set():
                return
        if self._session.hello_until_heard() is None:
            return
        log.info("ready", server=self._settings.server, seats=self._seats)
        backoff = Backoff()
        while not self._closing.is_set():
            if self._heartbeat.drain:
                self._closing.wait(1.0)
                continue
            if not self._ledger.wait(0.5, lambda: self._ledger.free_seats(self._seats) > 0):
                continue
            try:
                self._claim()
                backoff.reset()
            except (Unreachable, Refused) as trouble:
                if self._closing.is_set():
                    return
                log.warning("claim not answered", reason=str(trouble))
                backoff.wait(self._closing, at_least=getattr(trouble, "retry_after_seconds", 0.5))

    def _claim(self) -> None:
        message = Claim(
            incarnation=self._session.incarnation,
            seats=min(256, self._ledger.free_seats(self._seats)),
            resident=self._resident,
            loading=self._device.loading(),
            wait_seconds=self._settings.claim_wait_seconds,
        )
        answer = self._session.call(lambda: self._client.claim(message))
        self._heartbeat.drain = answer.drain
        if answer.leases and self._closing.is_set():
            self._reports.release(answer.leases)
            return
        self._ledger.take(answer.leases)
        self._parking.fetch(answer.leases)

    def _is_orphan(self) -> bool:
        return self._settings.parent_pid is not None and os.getppid() != self._settings.parent_pid


def _write_nowhere() -> None:
    """Our output went through a pipe to the parent that is gone; a word into it would end us before we took leave."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    os.close(nowhere)


class _Signals:
    """SIGTERM and SIGINT call ``stop`` while this is entered; the former handlers come back after."""

    def __init__(self, stop: Callable[[], None]) -> None:
        self._stop = stop
        self._former: dict[signal.Signals, object] = {}

    def __enter__(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            self._former[number] = signal.signal(number, self._handle)

    def __exit__(self, *_: object) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        self._stop()
