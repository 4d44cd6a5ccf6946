"""Jobs and shots: the life of an order, as a state machine.

    (nothing) --a: submit--> queued --b: claim--> running --c: deliver--> succeeded
                               |  ^                  | |
                               |  `-d: release/expire' `--e: fail, final or retries spent--> failed
                               `--f: cancel (queued: at once; running: at its next step)--> cancelled

Drawn for a shot. A job is terminal when all its shots are. Terminal states absorb: retrying makes a new job.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from stablehand.domain.images import Image
from stablehand.domain.notes import Note
from stablehand.domain.notify import MailPromise, Notify
from stablehand.domain.prospects import Due
from stablehand.domain.recipes import Recipe
from stablehand.domain.waiting import HeldBy


class State(StrEnum):
    QUEUED = "queued"  #: waits in a lane
    RUNNING = "running"  #: an agent holds its lease
    SUCCEEDED = "succeeded"  #: its image is stored
    FAILED = "failed"  #: ended without an image; a dead letter
    CANCELLED = "cancelled"  #: ended on request

    @property
    def is_terminal(self) -> bool:
        return self in TERMINAL


TERMINAL = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED})


@dataclass(frozen=True, slots=True)
class ShotError:
    """Why a shot has not become a picture."""

    code: str
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """One picture of a job: what is queued, leased, retried and counted."""

    id: str
    index: int
    seed: int
    state: State
    progress: float = 0.0  #: 0 to 1
    image_id: str | None = None
    error: ShotError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePlace:
    """Where a job stands, for the person who waits."""

    ahead: int  #: shots that will be claimed before its next one
    eta_seconds: float | None  #: until its last picture is done; None while nothing has been measured
    reason: str | None  #: a sentence: why its next shot waits
    eta_low_seconds: float | None = None  #: the range in which that should lie
    eta_high_seconds: float | None = None
    held_by: HeldBy | None = None  #: what ``reason`` speaks of
    due: Due | None = None  #: of its queued shots; None when none is queued, or nothing has been measured


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One order by one account."""

    id: str
    account_id: str
    state: State
    tier: str
    recipe: Recipe
    count: int
    created_at: datetime
    finished_at: datetime | None
    cancel_requested: bool
    retry_of: str | None
    counts: Mapping[State, int]  #: its shots by state
    error: ShotError | None  #: of its first failed shot
    shots: tuple[Shot, ...]  #: none where a list has left them out
    images: tuple[Image, ...]  #: the first few where a list has left the rest out
    queue: QueuePlace | None  #: None once terminal
    notes: Mapping[Note, int] = field(default_factory=dict)  #: what had to be done otherwise -> for how many pictures
    notify: Notify | None = None
    mail: MailPromise | None = None  #: None: nothing comes by mail, or it is over


def roll_up(shots: Iterable[State], *, cancel_requested: bool) -> State:
    """The state of a job from those of its shots.

    ``cancelled`` if cancel was asked and a shot was cancelled, else ``failed`` if any failed, else ``succeeded``; while
    shots are unfinished, ``running`` as soon as one has left the queue, else ``queued``.
    """
    states = list(shots)
    if all(state.is_terminal for state in states):
        if cancel_requested and State.CANCELLED in states:
            return State.CANCELLED
        return State.FAILED if State.FAILED in states else State.SUCCEEDED
    return State.QUEUED if all(state is State.QUEUED for state in states) else State.RUNNING
