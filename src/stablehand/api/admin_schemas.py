"""What goes in and out of the administrator's routes."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from stablehand.api.schemas import AgentOut, In, Out, PageQuery, RecipeOut, ShotErrorOut
from stablehand.domain.attempts import Kind


class RunningShotOut(Out):
    job_id: str
    index: int
    checkpoint: str
    progress: float = Field(description="0 to 1.")
    since: datetime | None


class AdminAgentOut(AgentOut):
    id: str
    memory_bytes: int
    version: str
    shots: list[RunningShotOut] = Field(description="What it holds.")
    since: datetime | None = Field(description="Since when it is drained or paused.")
    last_seen_at: datetime | None
    created_at: datetime


class AdminAgentPage(Out):
    items: list[AdminAgentOut]
    next_cursor: str | None


class AgentPatch(In):
    standing: Literal["working", "draining", "paused"] = Field(
        description="`draining`: it finishes what it holds; `paused`: what it holds goes back to the queue at once."
    )
    reason: str = Field("", description="Shown to those who wait.", max_length=500)


class LettersQuery(PageQuery):
    code: str | None = Field(None, max_length=64, description="Only with this error code.")
    checkpoint: str | None = Field(None, max_length=200, description="Only of this checkpoint, by name or id.")
    agent: str | None = Field(None, max_length=64, description="Only last tried by this agent, by name or id.")
    account: str | None = Field(None, max_length=64, description="Only of this account, by name or id.")
    job_id: str | None = Field(None, max_length=64, description="Only of this job.")


class LettersIn(In):
    """Which dead letters. At least one field must be given."""

    code: str | None = Field(None, max_length=64)
    checkpoint: str | None = Field(None, max_length=200, description="Name or id.")
    agent: str | None = Field(None, max_length=64, description="Name or id.")
    account: str | None = Field(None, max_length=64, description="Name or id.")
    job_id: str | None = Field(None, max_length=64)
    all: bool = Field(False, description="True to mean every dead letter.")


class AttemptOut(Out):
    attempt: int = Field(description="Which attempt at the picture, from 1.")
    agent: str
    kind: Kind
    error: ShotErrorOut
    began_at: datetime | None
    ended_at: datetime


class DeadLetterOut(Out):
    id: str
    job_id: str
    account: str
    index: int = Field(description="Which picture of its job, from 0.")
    tier: str
    pool: str
    checkpoint: str
    agent: str | None = Field(description="Who tried it last.")
    error: ShotErrorOut | None
    errors: int = Field(description="Attempts that failed.")
    losses: int = Field(description="Attempts whose agent was lost.")
    ended_at: datetime
    recipe: RecipeOut


class DeadLetterWhole(DeadLetterOut):
    attempts: list[AttemptOut] = Field(description="The latest that ended badly, oldest first.")


class DeadLetterPage(Out):
    items: list[DeadLetterOut]
    next_cursor: str | None


class RefusalOut(Out):
    job_id: str
    error: ShotErrorOut


class RetriedOut(Out):
    jobs: list[str] = Field(description="Ids of the new jobs.")
    shots: int = Field(description="How many dead letters they answer.")
    refused: list[RefusalOut] = Field(description="Jobs whose dead letters stay, and why.")


class DiscardedOut(Out):
    discarded: int


class NoticeOut(Out):
    id: str
    kind: str
    account_id: str
    job_id: str
    created_at: datetime
    dead_at: datetime
    tries: int
    error: str = Field(description="What went wrong at the last try.")


class NoticePage(Out):
    items: list[NoticeOut]
    next_cursor: str | None


class RedeliveredOut(Out):
    redelivered: int


class DeadDispatchOut(Out):
    """A notice that did not reach a destination outside; where that is, is its account's business."""

    id: str
    channel: str
    kind: str
    account_id: str
    job_id: str
    created_at: datetime
    dead_at: datetime | None
    tries: int
    status: int | None = Field(description="Of the last answer.")
    error: str = Field(description="What went wrong at the last try.")


class DispatchCountOut(Out):
    channel: str
    state: str
    count: int


class DeadDispatchPage(Out):
    items: list[DeadDispatchOut]
    next_cursor: str | None
    counts: list[DispatchCountOut] = Field(description="Of all that have not arrived.")
