"""A breaker: a lane that is closed for a while because its checkpoint does not load.

A failure to load is no shot's fault, so nothing is counted against the shots: they wait. Two things follow from it.
The agent is *barred* from the lane: for ever when it is certain that its copy of the file is bad (until its process or
the file changes), for a growing time when the cause may pass (memory, input and output, a crash). And the lane *opens*:
agents that are not barred try it with one shot at a time, until one brings a picture and closes it again.

When every agent that could try says that the file is certainly bad, or when loading it has killed agents again and
again, the lane is *condemned*: its shots fail with that error, instead of waiting for what will not come. A condemned
lane is forgotten after a while, or as soon as the file changes.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from stablehand.domain.jobs import ShotError

#: length of an agent's bar after failures that may pass: doubling from the first to the last
FIRST_BAR_SECONDS = 2.0
LAST_BAR_SECONDS = 600.0
#: failures in a row, whoever had them, after which the whole lane rests as well between two tries
FAILURES_BEFORE_REST = 3
#: agents that find a file bad before nobody else needs to look
CERTAIN_AGENTS_MOST = 3
#: deaths in a row while loading before the lane is condemned
CRASHES_BEFORE_CONDEMNED = 5
#: after so long a condemned lane is tried anew
CONDEMNED_SECONDS = 600.0

#: what an agent reports about a file that will not get better by itself
CERTAIN_CODES = frozenset(
    {
        "checkpoint_broken",
        "checkpoint_missing",
        "checkpoint_unsupported",
        "recipe_unsupported",
        "weights_missing",
    }
)

CRASHED = ShotError(
    code="crashed_while_loading",
    message="Agents died again and again while they loaded this checkpoint.",
    hint="Look at the agent's log: it may need more memory than there is. Use another checkpoint, or another device.",
)


class Fault(StrEnum):
    CERTAIN = "certain"  #: this copy of the file is bad
    PASSING = "passing"  #: memory, input and output: the same file may load later
    CRASH = "crash"  #: the process died while it loaded


class BreakerState(StrEnum):
    CLOSED = "closed"  #: the lane is served; some agents may be barred from it
    OPEN = "open"  #: one shot at a time is tried
    CONDEMNED = "condemned"  #: its shots fail


class Admission(StrEnum):
    """What an agent may take from a lane."""

    ALL = "all"
    ONE = "one"  #: a probe
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Bar:
    fault: Fault
    failures: int  #: of this agent in this lane, in a row
    until: datetime | None  #: None: until its process or the file changes


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    state: BreakerState = BreakerState.CLOSED
    failures: int = 0  #: in a row, whoever had them
    crashes: int = 0  #: of these, deaths
    retry_at: datetime | None = None  #: open: nobody tries before; condemned: when it is forgotten
    probe: str | None = None  #: id of the shot that is tried
    bars: Mapping[str, Bar] = field(default_factory=dict)  #: agent id -> its bar
    error: ShotError | None = None  #: the latest


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneTrouble:
    """A breaker for those who look at the service."""

    pool: str
    checkpoint_id: str
    checkpoint: str  #: name
    breaker: Breaker
    barred: tuple[str, ...]  #: names of agents
    changed_at: datetime


def fault_of(code: str) -> Fault:
    """What an error code says that an agent reported while it loaded a checkpoint."""
    return Fault.CERTAIN if code in CERTAIN_CODES else Fault.PASSING


def wait_seconds(failures: int, chance: float) -> float:
    """The growing time after the ``failures``-th failure in a row (1, 2, …); the jitter takes up to a quarter off."""
    whole = min(LAST_BAR_SECONDS, FIRST_BAR_SECONDS * 2.0 ** min(failures - 1, 30))
    return whole * (1.0 - 0.25 * chance)


def after_failure(
    breaker: Breaker, agent_id: str, fault: Fault, error: ShotError, now: datetime, *, chance: float
) -> Breaker:
    """``agent_id`` could not load the checkpoint. ``chance``: 0 to 1, at random.

    What it says while it is barred still belongs to the failure that barred it: a batch fails shot by shot.
    """
    known = breaker.bars.get(agent_id)
    if breaker.state is BreakerState.CONDEMNED or (known is not None and _is_barred(known, now)):
        return breaker
    own = 1 if known is None else known.failures + 1
    until = None if fault is Fault.CERTAIN else now + timedelta(seconds=wait_seconds(own, chance))
    failures = breaker.failures + 1
    resting = failures - FAILURES_BEFORE_REST + 1
    crashes = breaker.crashes + (fault is Fault.CRASH)
    found = Breaker(
        state=BreakerState.OPEN,
        failures=failures,
        crashes=crashes,
        retry_at=now + timedelta(seconds=wait_seconds(resting, chance)) if resting > 0 else None,
        bars={**breaker.bars, agent_id: Bar(fault, own, until)},
        error=error,
    )
    return _condemn(found, CRASHED, now) if crashes >= CRASHES_BEFORE_CONDEMNED else found


def after_picture(breaker: Breaker, agent_id: str) -> Breaker | None:
    """``agent_id`` drew with the checkpoint, so it loads. Others stay barred. None: there is nothing to remember."""
    bars = {other: bar for other, bar in breaker.bars.items() if other != agent_id}
    return Breaker(bars=bars, error=breaker.error) if bars else None


def after_restart(breaker: Breaker, agent_id: str) -> Breaker | None:
    """A new process of ``agent_id``: what was certain of its copy of the file is so no more."""
    bar = breaker.bars.get(agent_id)
    if bar is None or bar.until is not None:
        return breaker
    bars = {other: bar for other, bar in breaker.bars.items() if other != agent_id}
    return replace(breaker, bars=bars) if bars or breaker.state is BreakerState.CONDEMNED else None


def judge(breaker: Breaker, ready_agents: Collection[str], now: datetime) -> Breaker | None:
    """The breaker as time and the agents of its pool have it. None: it is forgotten.

    ``ready_agents``: those that could try, barred or not.
    """
    if breaker.state is BreakerState.CONDEMNED:
        return None if breaker.retry_at is None or now >= breaker.retry_at else breaker
    if breaker.state is BreakerState.CLOSED:
        return breaker
    certain = {agent_id for agent_id, bar in breaker.bars.items() if bar.until is None}
    tried = bool(ready_agents) and certain.issuperset(ready_agents)
    if breaker.error is not None and (tried or len(certain) >= CERTAIN_AGENTS_MOST):
        return _condemn(breaker, breaker.error, now)
    return breaker


def admission(breaker: Breaker, agent_id: str, now: datetime, *, is_resident: bool, is_probed: bool) -> Admission:
    """What ``agent_id`` may take. ``is_resident``: it has the checkpoint in memory. ``is_probed``: ``probe`` runs."""
    bar = breaker.bars.get(agent_id)
    if breaker.state is BreakerState.CONDEMNED or (bar is not None and _is_barred(bar, now)):
        return Admission.NONE
    if is_resident or breaker.state is BreakerState.CLOSED:
        return Admission.ALL
    if is_probed or (breaker.retry_at is not None and now < breaker.retry_at):
        return Admission.NONE
    return Admission.ONE


def why_closed(breaker: Breaker, checkpoint: str, ready_agents: Collection[str], now: datetime) -> str | None:
    """Why shots of a lane wait, as a sentence for the person who waits; None while they need not."""
    if breaker.error is None:
        return None
    if breaker.state is BreakerState.OPEN:
        return f"The checkpoint {checkpoint} did not load and is tried again by itself: {breaker.error.message}"
    barred = {agent_id for agent_id, bar in breaker.bars.items() if _is_barred(bar, now)}
    if breaker.state is BreakerState.CLOSED and ready_agents and barred.issuperset(ready_agents):
        return f"The agents that are here cannot load the checkpoint {checkpoint}: {breaker.error.message}"
    return None


def _is_barred(bar: Bar, now: datetime) -> bool:
    return bar.until is None or now < bar.until


def _condemn(breaker: Breaker, error: ShotError, now: datetime) -> Breaker:
    return replace(
        breaker,
        state=BreakerState.CONDEMNED,
        retry_at=now + timedelta(seconds=CONDEMNED_SECONDS),
        probe=None,
        error=error,
    )
