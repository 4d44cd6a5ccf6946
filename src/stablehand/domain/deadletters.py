"""Dead letters: shots that ended as failed, kept until somebody retries or discards them."""

from dataclasses import dataclass
from datetime import datetime

from stablehand.domain.attempts import Attempt
from stablehand.domain.jobs import ShotError
from stablehand.domain.recipes import Recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    id: str  #: of the shot
    job_id: str
    account_id: str
    account: str  #: name
    index: int
    tier: str
    pool: str
    checkpoint: str  #: name
    agent: str | None  #: name; of the last attempt
    recipe: Recipe  #: with this shot's own seed
    error: ShotError | None
    errors: int
    losses: int
    ended_at: datetime
    attempts: tuple[Attempt, ...] = ()  #: the latest bad ones, oldest first; only when one letter is looked at


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterFilter:
    """Which dead letters; what is None does not narrow them."""

    id: str | None = None
    job_id: str | None = None
    code: str | None = None
    checkpoint: str | None = None  #: name or id
    agent: str | None = None  #: name or id
    account: str | None = None  #: name or id

    @property
    def is_empty(self) -> bool:
        return self == LetterFilter()


@dataclass(frozen=True, slots=True)
class Refusal:
    """A job whose dead letters could not be ordered again."""

    job_id: str
    error: ShotError


@dataclass(frozen=True, slots=True)
class Retried:
    """What became of dead letters that were to be retried."""

    jobs: tuple[str, ...]  #: ids of the new jobs
    shots: int  #: how many letters they answer
    refused: tuple[Refusal, ...]  #: these letters stay
