"""Dead letters: listed, looked at, discarded. A retry takes them away in the transaction that submits the new job."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Select, delete, or_, select

from stablehand.domain.attempts import Attempt, Kind
from stablehand.domain.deadletters import DeadLetter, LetterFilter
from stablehand.domain.errors import NotFound
from stablehand.domain.jobs import ShotError
from stablehand.domain.pages import Page, decode_cursor, encode_cursor
from stablehand.domain.recipes import Recipe
from stablehand.store.models import AccountRow, AgentRow, AttemptRow, CheckpointRow, DeadLetterRow, JobRow, ShotRow
from stablehand.store.rows import error_from
from stablehand.store.transactions import Transaction, Transactions, repeatable

LIST = "dead-letters"

_T = TypeVar("_T", bound=tuple[Any, ...])


@dataclass(frozen=True, slots=True, kw_only=True)
class LettersOfJob:
    """What it takes to order a job's dead letters again."""

    job_id: str
    account_id: str
    tier: str
    recipe: Recipe
    shot_ids: Sequence[str]
    seeds: Sequence[int]  #: in the order of the shots


class DeadLetters(Transactions):
    def list_letters(self, wanted: LetterFilter, *, limit: int, cursor: str | None) -> Page[DeadLetter]:
        """Newest first, without their attempts. Raises InvalidFields for a bad cursor."""
        query = _narrowed(_whole(), wanted).order_by(DeadLetterRow.number.desc()).limit(limit + 1)
        if cursor is not None:
            query = query.where(DeadLetterRow.number < decode_cursor(LIST, cursor))
        with self.reading() as tx:
            rows = tx.session.execute(query).tuples().all()
            more = len(rows) > limit
            rows = rows[:limit]
            return Page(
                items=tuple(_letter_from(*row) for row in rows),
                next_cursor=encode_cursor(LIST, rows[-1][0].number) if more else None,
            )

    def letter(self, letter_id: str) -> DeadLetter:
        """One with its attempts. Raises NotFound."""
        with self.reading() as tx:
            row = tx.session.execute(_narrowed(_whole(), LetterFilter(id=letter_id))).tuples().one_or_none()
            if row is None:
                raise NotFound(
                    "There is no such dead letter.", hint="It may have been retried or discarded; look at the list."
                )
            return _letter_from(*row, attempts=_attempts(tx, letter_id))

    def jobs_of_letters(self, wanted: LetterFilter) -> list[str]:
        """Ids of the jobs that have such letters, oldest letter first."""
        with self.reading() as tx:
            query = _narrowed(select(DeadLetterRow.job_id), wanted).order_by(DeadLetterRow.number)
            return list(dict.fromkeys(tx.session.scalars(query)))

    def letters_of_job(self, job_id: str, wanted: LetterFilter) -> LettersOfJob | None:
        """Those of one job that fit; None when none is left."""
        with self.reading() as tx:
            query = _narrowed(_whole(), wanted).where(DeadLetterRow.job_id == job_id).order_by(ShotRow.index)
            rows = tx.session.execute(query).tuples().all()
            if not rows:
                return None
            _, _, job, *_ = rows[0]
            return LettersOfJob(
                job_id=job_id,
                account_id=job.account_id,
                tier=job.tier,
                recipe=Recipe.from_dict(job.recipe),
                shot_ids=[row[1].id for row in rows],
                seeds=[row[1].seed for row in rows],
            )

    @repeatable
    def discard_letters(self, wanted: LetterFilter) -> int:
        """Forget such letters and their attempts; returns how many. Their jobs stay as they ended."""
        with self.writing() as tx:
            ids = tx.session.scalars(_narrowed(select(DeadLetterRow.shot_id), wanted).with_for_update(of=DeadLetterRow))
            gone = list(ids)
            for start in range(0, len(gone), 500):
                some = gone[start : start + 500]
                tx.session.execute(delete(DeadLetterRow).where(DeadLetterRow.shot_id.in_(some)))
                tx.session.execute(delete(AttemptRow).where(AttemptRow.shot_id.in_(some)))
            return len(gone)


def _whole() -> Select[tuple[DeadLetterRow, ShotRow, JobRow, str, str, str]]:
    # The agent's name may be missing all the same: the letters of a condemned lane were never drawn.
    return (
        select(DeadLetterRow, ShotRow, JobRow, AccountRow.name, CheckpointRow.name, AgentRow.name)
        .join(ShotRow, ShotRow.id == DeadLetterRow.shot_id)
        .join(JobRow, JobRow.id == DeadLetterRow.job_id)
        .join(AccountRow, AccountRow.id == DeadLetterRow.account_id)
        .join(CheckpointRow, CheckpointRow.id == DeadLetterRow.checkpoint_id)
        .join(AgentRow, AgentRow.id == DeadLetterRow.agent_id, isouter=True)
    )


def _narrowed(query: Select[_T], wanted: LetterFilter) -> Select[_T]:
    if wanted.id is not None:
        query = query.where(DeadLetterRow.shot_id == wanted.id)
    if wanted.job_id is not None:
        query = query.where(DeadLetterRow.job_id == wanted.job_id)
    if wanted.code is not None:
        query = query.where(DeadLetterRow.code == wanted.code)
    if wanted.checkpoint is not None:
        named = select(CheckpointRow.id).where(
            or_(CheckpointRow.id == wanted.checkpoint, CheckpointRow.name == wanted.checkpoint)
        )
        query = query.where(DeadLetterRow.checkpoint_id.in_(named))
    if wanted.agent is not None:
        named = select(AgentRow.id).where(or_(AgentRow.id == wanted.agent, AgentRow.name == wanted.agent))
        query = query.where(DeadLetterRow.agent_id.in_(named))
    if wanted.account is not None:
        named = select(AccountRow.id).where(or_(AccountRow.id == wanted.account, AccountRow.name == wanted.account))
        query = query.where(DeadLetterRow.account_id.in_(named))
    return query


def _attempts(tx: Transaction, shot_id: str) -> tuple[Attempt, ...]:
    query = (
        select(AttemptRow, AgentRow.name)
        .join(AgentRow, AgentRow.id == AttemptRow.agent_id, isouter=True)
        .where(AttemptRow.shot_id == shot_id)
        .order_by(AttemptRow.number)
    )
    return tuple(
        Attempt(
            agent=name or row.agent_id,
            attempt=row.attempt,
            kind=Kind(row.kind),
            error=ShotError(row.code, row.message, row.hint),
            began_at=row.began_at,
            ended_at=row.ended_at,
        )
        for row, name in tx.session.execute(query).tuples()
    )


def _letter_from(  # noqa: PLR0917  (the columns of _whole, in their order)
    letter: DeadLetterRow,
    shot: ShotRow,
    job: JobRow,
    account: str,
    checkpoint: str,
    agent: str | None,
    *,
    attempts: tuple[Attempt, ...] = (),
) -> DeadLetter:
    return DeadLetter(
        id=shot.id,
        job_id=job.id,
        account_id=job.account_id,
        account=account,
        index=shot.index,
        tier=job.tier,
        pool=letter.pool,
        checkpoint=checkpoint,
        agent=agent,
        recipe=Recipe.from_dict(job.recipe).with_seed(shot.seed),
        error=error_from(shot.error),
        errors=shot.errors,
        losses=shot.losses,
        ended_at=letter.ended_at,
        attempts=attempts,
    )
