"""The device thread: owns the runtime, seats leases, ticks, and hands on what comes out."""

import base64
import threading
import time
from collections.abc import Callable, Mapping

import structlog

from stablehand.agent.ledger import Ledger
from stablehand.agent.parking import Parking
from stablehand.agent.reports import Reports
from stablehand.agent.stopwatch import Stopwatch
from stablehand.domain.errors import StablehandError
from stablehand.domain.recipes import Recipe
from stablehand.ports import Broken, Drawn, Order, Parked, Runtime, RuntimeFactory
from stablehand.protocol import Lease

#: ticks in a row that may raise before the process makes room for a fresh one
BROKEN_TICKS_MOST = 3
#: characters of a data URL that the protocol lets through
_PREVIEW_MOST = 65536
#: characters of a foreign exception that people are shown
_REASON_MOST = 300

log = structlog.get_logger("agent")

PreviewSink = Callable[[Lease, float, str], None]


class DeviceThread:
    """Nobody else calls the runtime, but for ``progress``, which any thread may ask.

    ``started`` is set when jobs can run; ``failed`` holds the reason when they never will. A tick that raises fails the
    shots that were seated and the thread goes on; after several such ticks in a row, or when the runtime calls itself
    sick, it gives up, because a device whose driver has fallen over does not come back within one process.
    """

    def __init__(
        self,
        make_runtime: RuntimeFactory,
        ledger: Ledger,
        reports: Reports,
        halted: threading.Event,
        *,
        watched: Callable[[], frozenset[str]],
        send_preview: PreviewSink,
        preview_interval_seconds: float,
        parking: Parking,
        on_started: Callable[[Runtime], None],
        on_residents: Callable[[list[str]], None],
    ) -> None:
        self.started = threading.Event()
        self.ended = threading.Event()
        self.start_failure: str | None = None  #: why the runtime could not start
        self.stopwatch = Stopwatch()
        self.sick: str | None = None  #: why a started runtime was given up
        self._make_runtime = make_runtime
        self._runtime: Runtime | None = None
        self._ledger = ledger
        self._reports = reports
        self._halted = halted
        self._watched = watched
        self._send_preview = send_preview
        self._preview_interval_seconds = preview_interval_seconds
        self._previewed: dict[str, float] = {}
        self._parking = parking
        self._on_started = on_started
        self._on_residents = on_residents
        self._thread = threading.Thread(target=self._run, name="device", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def join(self, seconds: float) -> None:
        self._thread.join(seconds)

    def loading(self) -> str | None:
        """Id of the checkpoint that is being brought into memory just now."""
        return self._runtime.loading() if self._runtime is not None and self.started.is_set() else None

    def progress(self) -> Mapping[str, float]:
        return self._runtime.progress() if self._runtime is not None and self.started.is_set() else {}

    def _run(self) -> None:
        try:
            runtime = self._make_runtime()
            runtime.start()
        except Exception as error:
            log.exception("the runtime did not start")
            self.start_failure = f"{_reason(error)} {classify(error)[2]}".strip()
            self.ended.set()
            return
        self._runtime = runtime
        self._on_started(runtime)
        self.started.set()
        try:
            self._tick_until_halted(runtime)
        finally:
            self.ended.set()
            runtime.close()

    def _tick_until_halted(self, runtime: Runtime) -> None:
        broken_ticks = 0
        while not self._halted.is_set():
            drops, leases = self._ledger.turn()
            try:
                for shot_id in drops:
                    runtime.drop(shot_id)
                    self._previewed.pop(shot_id, None)
                for lease in leases:
                    self._seat(runtime, lease)
                self._stop_overdue()
                self._park(runtime)
                if not runtime.busy():
                    self._ledger.wait(0.5, lambda: self._ledger.has_turn() or self._halted.is_set())
                    continue
                began = time.monotonic()
                ended = runtime.tick()
                self.stopwatch.note_tick(time.monotonic() - began, runtime.resident())
            except Exception as error:
                broken_ticks += 1
                log.exception("the runtime raised", ticks_in_a_row=broken_ticks)
                self._fail_all(runtime, error)
                if broken_ticks >= BROKEN_TICKS_MOST:
                    self.sick = _reason(error)
                    return
                continue
            broken_ticks = 0
            self._on_residents(runtime.resident())
            for result in ended:
                self._hand_on(result)
                if isinstance(result, Broken) and result.error_class == "agent_sick":
                    self.sick = result.message
            if self.sick is not None:
                return
            self._show_previews(runtime)

    def _seat(self, runtime: Runtime, lease: Lease) -> None:
        try:
            recipe = Recipe.from_dict(lease.recipe)
        except TypeError as error:
            # A newer server's recipe. What we do not understand we must not draw; another agent may know it.
            if self._ledger.end(lease.shot_id) is not None:
                self._reports.failure(
                    lease,
                    error_class="retry",
                    code="recipe_unsupported",
                    message=f"This agent does not understand the recipe: {error}.",
                    hint="Update the agent to the server's version.",
                )
            return
        state = self._ledger.take_state(lease.shot_id)
        runtime.add(
            Order(
                shot_id=lease.shot_id,
                recipe=recipe,
                checkpoint=lease.checkpoint,
                addons=lease.addons,
                refiner=lease.refiner,
                inputs=self._ledger.take_inputs(lease.shot_id),
                owner=lease.account_id,
                resume_from=state,
            )
        )

    def _park(self, runtime: Runtime) -> None:
        """Save the state of one shot whose time has come, and take out those that are to leave."""
        shot_id = self._parking.next_due(runtime.progress)
        if shot_id is not None:
            self._parking.saved(shot_id, _state_of(runtime, shot_id))
        for leaving in self._parking.to_leave():
            state = _state_of(runtime, leaving)
            runtime.drop(leaving)
            self._previewed.pop(leaving, None)
            self._parking.left(leaving, state)

    def _hand_on(self, result: Drawn | Broken) -> None:
        self._previewed.pop(result.shot_id, None)
        lease = self._ledger.end(result.shot_id)
        if lease is None:
            return  # cancelled or lost while it was being drawn
        if isinstance(result, Drawn):
            self._reports.picture(lease, result)
        else:
            self._reports.failure(
                lease,
                error_class=result.error_class,
                code=result.code,
                message=result.message,
                hint=result.hint,
                at_load=result.at_load,
            )

    def _stop_overdue(self) -> None:
        for lease in self._ledger.overdue():
            self._reports.failure(
                lease,
                error_class="retry",
                code="attempt_timeout",
                message=f"The picture was not done after {lease.timeout_seconds:g} seconds.",
                hint="Ask for fewer steps or a smaller picture, or raise queue.timeout.",
            )

    def _fail_all(self, runtime: Runtime, error: Exception) -> None:
        error_class, code, hint = classify(error)
        for shot_id in self._ledger.drawing():
            lease = self._ledger.end(shot_id)
            if lease is not None:
                self._reports.failure(lease, error_class=error_class, code=code, message=_reason(error), hint=hint)
            try:
                runtime.drop(shot_id)
            except Exception:
                log.exception("the runtime would not drop a shot", shot=shot_id)

    def _show_previews(self, runtime: Runtime) -> None:
        now = time.monotonic()
        progress: Mapping[str, float] | None = None
        for shot_id in self._watched():
            lease = self._ledger.lease(shot_id)
            if lease is None or now - self._previewed.get(shot_id, -1e9) < self._preview_interval_seconds:
                continue
            try:
                picture = runtime.preview(shot_id)
            except Exception:
                log.exception("no preview", shot=shot_id)
                picture = None
            self._previewed[shot_id] = now
            if picture is None:
                continue
            data_url = "data:image/jpeg;base64," + base64.b64encode(picture).decode()
            if len(data_url) <= _PREVIEW_MOST:
                progress = runtime.progress() if progress is None else progress
                self._send_preview(lease, progress.get(shot_id, 0.0), data_url)


def _state_of(runtime: Runtime, shot_id: str) -> Parked | None:
    """What the runtime can save of a shot; a failure costs the saved state, never the shot."""
    try:
        return runtime.park(shot_id)
    except Exception:
        log.exception("the state of a shot could not be copied", shot=shot_id)
        return None


def classify(error: Exception) -> tuple[str, str, str]:
    """The one table from exceptions to (class, code, hint). What nobody foresaw may be the company's fault: retry."""
    if isinstance(error, StablehandError):
        return "final", error.code, error.hint
    if isinstance(error, MemoryError):
        return "final", "out_of_memory", "Ask for a smaller picture, or give the agent more memory."
    return "retry", "runtime_error", "The agent's log has the whole story."


def _reason(error: Exception) -> str:
    """One short line for people: the exception's own words if it is ours, else with its type. The log has it whole."""
    if isinstance(error, StablehandError):
        return error.message
    first_line = str(error).strip().split("\n", 1)[0][:_REASON_MOST]
    return f"{type(error).__name__}: {first_line}" if first_line else type(error).__name__
