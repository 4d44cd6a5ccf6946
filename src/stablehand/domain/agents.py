"""An agent: the process that owns one device, as the server knows it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from stablehand.domain.standings import Standing

#: An agent that has been silent for longer is called gone: three long polls, so one lost answer does not count.
GONE_AFTER = timedelta(seconds=60)


class AgentState(StrEnum):
    STARTING = "starting"  #: it has said hello; its device is not ready
    READY = "ready"  #: it can run shots
    DRAINING = "draining"  #: it finishes what it holds and claims no more
    PAUSED = "paused"  #: it is given nothing, as was decided or because it failed everything
    GONE = "gone"  #: it has never said hello, or has been silent for too long


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentDevice:
    kind: str  #: cpu, cuda, mps or none
    name: str
    precision: str  #: what the engine computes in
    memory_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningShot:
    """A shot that an agent holds."""

    job_id: str
    index: int
    checkpoint: str  #: name
    progress: float  #: 0 to 1
    since: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    id: str
    name: str
    pool: str
    state: AgentState
    incarnation: str | None  #: of its process; None before the first hello and after its death was seen
    runtime: str | None
    device: AgentDevice | None
    seats: int  #: shots it can run at once
    running: int  #: shots it holds leases for
    resident: tuple[str, ...]  #: ids of the checkpoints in its memory
    last_seen_at: datetime | None
    created_at: datetime
    version: str = ""  #: of its program
    standing: Standing = Standing.WORKING  #: as it was decided; ``state`` says what comes of it
    reason: str = ""  #: why it is paused or drained
    since: datetime | None = None  #: when that began
    error: str = ""  #: why it could not get its device ready; empty once it could


def state_of(
    *,
    incarnation: str | None,
    ready: bool,
    draining: bool,
    standing: Standing = Standing.WORKING,
    last_seen_at: datetime | None,
    now: datetime,
) -> AgentState:
    """What an agent is, from what it said and when it was last heard."""
    if incarnation is None or last_seen_at is None or now - last_seen_at > GONE_AFTER:
        return AgentState.GONE
    if standing is Standing.PAUSED:
        return AgentState.PAUSED
    if draining or standing is Standing.DRAINING:
        return AgentState.DRAINING
    return AgentState.READY if ready else AgentState.STARTING


def waiting_reason(
    states: Iterable[AgentState], *, errors: Iterable[str] = (), reasons: Iterable[str] = ()
) -> str | None:
    """Why nothing in a pool moves, as a sentence for the person who waits; None while an agent is ready.

    ``errors`` says of agents that could not get their device ready why not; it outranks all but a ready agent, since
    such an agent is started again and again and would otherwise look as if it only needed patience. ``reasons`` says of
    paused and drained agents why they are.
    """
    seen = set(states)
    if AgentState.READY in seen:
        return None
    if failure := next((error for error in errors if error), None):
        return f"The agent cannot start: {failure}"
    why = next((reason for reason in reasons if reason), "")
    if AgentState.STARTING in seen:
        return "The agent is getting its device ready."
    if AgentState.PAUSED in seen:
        return f"Every agent that could draw this is paused. {why}".strip()
    if AgentState.DRAINING in seen:
        return f"Every agent is being drained and takes no new work. {why or 'Resume or restart one of them.'}"
    return "No agent is connected yet. It starts by itself with `stablehand serve`, or run `stablehand agent`."
