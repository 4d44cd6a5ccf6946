"""Jobs: submitted, read, cancelled."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, func, insert, select

from stablehand.domain.errors import AccountSuspended, Conflict, IdempotencyConflict, NotFound
from stablehand.domain.estimates import Calibration, Rate, RateKey
from stablehand.domain.jobs import TERMINAL, Job, Shot, ShotError, State
from stablehand.domain.notes import Note
from stablehand.domain.notify import Notify
from stablehand.domain.pace import cost_of
from stablehand.domain.pages import Page, decode_cursor, encode_cursor
from stablehand.domain.quotes import Kept
from stablehand.domain.recipes import Recipe
from stablehand.store.changes import Changes
from stablehand.store.idempotency_row import IdempotencyRow
from stablehand.store.measures import measured_calibration, measured_rates, reckoned_seconds
from stablehand.store.models import (
    IS_RUNNING,
    IS_WAITING,
    AccountRow,
    CheckpointRow,
    DeadLetterRow,
    ImageRow,
    JobRow,
    ShotRow,
    TallyRow,
)
from stablehand.store.places import Places
from stablehand.store.quotas import admit
from stablehand.store.rows import Progress, error_from, job_from, no_progress, notes_from, shot_from
from stablehand.store.settling import notice, settle
from stablehand.store.tags import tags_for
from stablehand.store.tallies import Key, Move, came
from stablehand.store.transactions import ONLY_ROW, Transaction, Transactions, repeatable

#: what a job may come with in a list; without its images it shows the first few
PARTS = frozenset({"shots", "images"})
FIRST_IMAGES = 8

#: what ``list_jobs`` may be asked for besides a single state
STATE_GROUPS: dict[str, tuple[State, ...]] = {
    "active": (State.QUEUED, State.RUNNING),
    "finished": tuple(sorted(TERMINAL)),
    **{state.value: (state,) for state in State},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """A job that has been checked and only needs writing down."""

    id: str
    account_id: str
    tier: str
    pool: str
    recipe: Recipe
    seeds: Sequence[int]  #: one a shot, in order
    retry_of: str | None = None
    letters: Sequence[str] | None = None  #: dead letters that it answers; None: all there are of ``retry_of``
    notify: Notify | None = None
    quote: Kept | None = None  #: that was in force


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """An Idempotency-Key and the order that came with it."""

    key: str
    fingerprint: str
    hours: float  #: how long it is remembered


class Jobs(Transactions):
    @repeatable
    def submit(self, new: NewJob, *, remembered: Remembered | None = None) -> tuple[str, bool]:
        """Write job, shots and outbox entry; returns the job's id and whether it is a new one.

        Raises:
            As ``admit``, AccountSuspended, IdempotencyConflict; Conflict when a dead letter that it answers is gone.
        """
        with self.writing() as tx:
            # One order of an account at a time: two together could pass its limit, or share an Idempotency-Key.
            account = tx.session.get_one(AccountRow, new.account_id, with_for_update=ONLY_ROW)
            if account.suspended_at is not None:  # since the caller was looked at
                raise AccountSuspended(account.suspended_reason)
            if remembered is not None:
                known = _remembered_job(tx, new.account_id, remembered)
                if known is not None:
                    return known, False
            admit(tx, account, new.recipe, len(new.seeds), new.pool)
            job = JobRow(
                id=new.id,
                account_id=new.account_id,
                state=State.QUEUED,
                tier=new.tier,
                recipe=new.recipe.as_dict(),
                checkpoint_id=new.recipe.checkpoint_id,
                pool=new.pool,
                count=len(new.seeds),
                created_at=tx.now,
                retry_of=new.retry_of,
                notify=None if new.notify is None else new.notify.as_dict(),
                quote=None if new.quote is None else new.quote.as_dict(),
            )
            tx.session.add(job)
            tx.session.flush()
            _insert_shots(tx, job, new)
            _take_letters(tx, new)
            tx.session.add(notice(tx, job.account_id, job.id, "job_submitted", {"count": job.count}))
            if remembered is not None:
                tx.session.execute(
                    delete(IdempotencyRow).where(
                        IdempotencyRow.account_id == new.account_id, IdempotencyRow.key == remembered.key
                    )
                )
                tx.session.add(
                    IdempotencyRow(
                        account_id=new.account_id,
                        key=remembered.key,
                        fingerprint=remembered.fingerprint,
                        job_id=new.id,
                        created_at=tx.now,
                    )
                )
        return new.id, True

    def remembered_job(self, account_id: str, remembered: Remembered) -> str | None:
        """The id of the job that came with this Idempotency-Key. Raises IdempotencyConflict for another order."""
        with self.reading() as tx:
            return _remembered_job(tx, account_id, remembered)

    def job(
        self,
        job_id: str,
        *,
        account_id: str | None = None,
        progress: Progress = no_progress,
    ) -> Job:
        """One job with everything in it; of ``account_id``, when given. Raises NotFound."""
        with self.reading() as tx:
            row = _job_row(tx, job_id, account_id)
            return _assemble(tx, [row], progress)[0]

    def notify_of(self, job_id: str) -> Notify | None:
        """Whom a job tells; None as well when there is no such job."""
        with self.reading() as tx:
            return Notify.from_dict(tx.session.scalar(select(JobRow.notify).where(JobRow.id == job_id)))

    def job_state(self, job_id: str, account_id: str) -> State:
        """Only the state of a job. Raises NotFound."""
        with self.reading() as tx:
            return State(_job_row(tx, job_id, account_id).state)

    def shots(self, shot_ids: Sequence[str], *, progress: Progress) -> list[tuple[str, str, Shot]]:
        """(account id, job id, shot) of these shots."""
        with self.reading() as tx:
            rows = tx.session.scalars(select(ShotRow).where(ShotRow.id.in_(shot_ids))).all()
            return [(row.account_id, row.job_id, shot_from(row, progress)) for row in rows]

    def list_jobs(
        self,
        account_id: str,
        *,
        limit: int,
        cursor: str | None,
        states: Sequence[State],
        progress: Progress,
        include: Collection[str],
    ) -> Page[Job]:
        """Newest first. ``include``: of ``PARTS``, what they come with.

        Raises InvalidFields for a bad cursor.
        """
        query = select(JobRow).where(JobRow.account_id == account_id).order_by(JobRow.number.desc()).limit(limit + 1)
        if states:
            query = query.where(JobRow.state.in_(states))
            if TERMINAL.isdisjoint(states):
                query = query.where(JobRow.finished_at.is_(None))  # as the index of active jobs says it
        if cursor is not None:
            query = query.where(JobRow.number < decode_cursor("jobs", cursor))
        with self.reading() as tx:
            rows = tx.session.scalars(query).all()
            more = len(rows) > limit
            rows = rows[:limit]
            return Page(
                items=tuple(_assemble(tx, rows, progress, include)),
                next_cursor=encode_cursor("jobs", rows[-1].number) if more else None,
            )

    @repeatable
    def cancel(self, job_id: str, account_id: str) -> Changes:
        """End the queued shots; running ones end at their agent's next renewal. Raises NotFound."""
        changes = Changes()
        with self.writing() as tx:
            job = _job_row(tx, job_id, account_id)
            if State(job.state).is_terminal or job.cancel_requested_at is not None:
                return changes
            job.cancel_requested_at = tx.now
            # The job changes for its reader even while running shots keep its state; it shows all its shots, so a
            # thousand cancelled ones need no announcement each.
            changes.jobs[job.id] = job.account_id
            settle(tx, [job.id], changes)  # ends the queued ones
        return changes

    def unfinished(self, job_id: str, account_id: str) -> tuple[Job, list[int]]:
        """A terminal job, and the seeds of the pictures that it has not brought.

        Raises:
            NotFound. Conflict: it is still active, or nothing is missing.
        """
        with self.reading() as tx:
            row = _job_row(tx, job_id, account_id)
            if not State(row.state).is_terminal:
                raise Conflict("The job is still active.", hint="Wait until it has ended, or cancel it first.")
            seeds = tx.session.scalars(
                select(ShotRow.seed)
                .where(ShotRow.job_id == row.id, ShotRow.state != State.SUCCEEDED)
                .order_by(ShotRow.index)
            ).all()
            if not seeds:
                raise Conflict("Every picture of this job has been delivered.", hint="Order a new job for more.")
            return _assemble(tx, [row], no_progress)[0], list(seeds)

    def queue_counts(self) -> tuple[int, int]:
        """How many shots are queued and running."""
        with self.reading() as tx:
            queued = tx.session.scalar(select(func.sum(TallyRow.queued)).where(IS_WAITING))
            running = tx.session.scalar(select(func.count()).select_from(ShotRow).where(IS_RUNNING))
            return queued or 0, running or 0

    def calibration(self) -> Calibration | None:
        """How the latest pictures' times compare with what was expected of them; None before the second one."""
        with self.reading() as tx:
            return measured_calibration(tx)

    def rates(self) -> dict[RateKey, Rate]:
        """How long pictures took lately, by family, device and size."""
        with self.reading() as tx:
            return measured_rates(tx)


def _insert_shots(tx: Transaction, job: JobRow, new: NewJob) -> None:
    tier = tx.tiers.get(job.tier)
    cost = cost_of(new.recipe)
    checkpoint = tx.session.get_one(CheckpointRow, job.checkpoint_id)
    seconds = reckoned_seconds(tx, checkpoint.family, cost)
    tags = tags_for(tx, job.account_id, [seconds] * len(new.seeds), weight=tier.weight)
    shared = {
        "job_id": job.id,
        "account_id": job.account_id,
        "checkpoint_id": job.checkpoint_id,
        "state": State.QUEUED.value,
        "pool": job.pool,
        "tier_rank": tier.rank,
        "weight": tier.weight,
        "kind": new.recipe.kind,
        "cost": cost,
        "estimate_seconds": seconds,
        "attempt": 0,
        "errors": 0,
        "losses": 0,
        "token": 0,
        "confirmed": False,
    }
    tx.session.execute(
        insert(ShotRow),
        [
            {"id": f"{job.id}-{index}", "index": index, "seed": seed, "tag": tag, **shared}
            for index, (seed, tag) in enumerate(zip(new.seeds, tags, strict=True))
        ],
    )
    key = Key(job.pool, job.checkpoint_id, tier.rank, job.account_id)
    came(tx, [Move(key, seconds)] * len(new.seeds), is_new=True)


def _take_letters(tx: Transaction, new: NewJob) -> None:
    """The dead letters that a retry answers are gone with it. Raises Conflict when one of them was gone before."""
    if new.letters is None:
        if new.retry_of is not None:
            tx.session.execute(delete(DeadLetterRow).where(DeadLetterRow.job_id == new.retry_of))
        return
    gone = tx.session.execute(
        delete(DeadLetterRow).where(DeadLetterRow.shot_id.in_(new.letters)).returning(DeadLetterRow.shot_id)
    )
    if len(gone.all()) != len(new.letters):
        raise Conflict("These dead letters have just been retried or discarded.", hint="Look at the list again.")


def _remembered_job(tx: Transaction, account_id: str, remembered: Remembered) -> str | None:
    row = tx.session.get(IdempotencyRow, (account_id, remembered.key))
    if row is None or tx.now - row.created_at > timedelta(hours=remembered.hours):
        return None
    if row.fingerprint != remembered.fingerprint:
        raise IdempotencyConflict(
            "This Idempotency-Key came with another order before.", hint="Use a new key for a new order."
        )
    return row.job_id


def _job_row(tx: Transaction, job_id: str, account_id: str | None) -> JobRow:
    query = select(JobRow).where(JobRow.id == job_id)
    row = tx.session.scalar(query.with_for_update(**ONLY_ROW) if tx.writes else query)
    if row is None or (account_id is not None and row.account_id != account_id):
        raise NotFound("There is no such job.", hint="Look at the list of jobs for the ids that exist.")
    return row


def _assemble(
    tx: Transaction,
    rows: Sequence[JobRow],
    progress: Progress,
    include: Collection[str] = PARTS,
) -> list[Job]:
    ids = [row.id for row in rows]
    shots: dict[str, list[ShotRow]] = {job_id: [] for job_id in ids}
    if "shots" in include:
        query = select(ShotRow).where(ShotRow.job_id.in_(ids)).order_by(ShotRow.job_id, ShotRow.index)
        for shot in tx.session.scalars(query):
            shots[shot.job_id].append(shot)
    images: dict[str, list[ImageRow]] = {job_id: [] for job_id in ids}
    shown = select(ImageRow).where(ImageRow.deleted_at.is_(None)).order_by(ImageRow.index)
    if "images" in include:
        for image in tx.session.scalars(shown.where(ImageRow.job_id.in_(ids))):
            images[image.job_id].append(image)
    else:
        for job_id in ids:
            images[job_id] += tx.session.scalars(shown.where(ImageRow.job_id == job_id).limit(FIRST_IMAGES))
    counts = _counts(tx, ids)
    notes = _notes(tx, ids)
    places = Places(tx, progress)
    return [
        job_from(
            row,
            shots[row.id],
            images[row.id],
            None if State(row.state).is_terminal else places.of(row),
            progress,
            counts=counts[row.id],
            error=_first_error(tx, row.id) if counts[row.id].get(State.FAILED) else None,
            notes=notes[row.id],
        )
        for row in rows
    ]


def _counts(tx: Transaction, job_ids: Sequence[str]) -> dict[str, dict[State, int]]:
    """job id -> how many of its shots stand in each state that any does."""
    counts: dict[str, dict[State, int]] = {job_id: {} for job_id in job_ids}
    query = select(ShotRow.job_id, ShotRow.state, func.count()).where(ShotRow.job_id.in_(job_ids))
    for job_id, state, count in tx.session.execute(query.group_by(ShotRow.job_id, ShotRow.state)).tuples():
        counts[job_id][State(state)] = count
    return counts


def _notes(tx: Transaction, job_ids: Sequence[str]) -> dict[str, dict[Note, int]]:
    """job id -> what had to be done otherwise while its pictures were drawn, and for how many."""
    noted: dict[str, Counter[Note]] = {job_id: Counter() for job_id in job_ids}
    query = select(ImageRow.job_id, ImageRow.notes, func.count()).where(
        ImageRow.job_id.in_(job_ids), ImageRow.notes.is_not(None)
    )
    for job_id, codes, count in tx.session.execute(query.group_by(ImageRow.job_id, ImageRow.notes)).tuples():
        for note in notes_from(codes):
            noted[job_id][note] += count
    return {job_id: {note: counted[note] for note in Note if note in counted} for job_id, counted in noted.items()}


def _first_error(tx: Transaction, job_id: str) -> ShotError | None:
    """Why its first failed shot failed: one reason is usually every shot's reason."""
    failed = select(ShotRow.error).where(ShotRow.job_id == job_id, ShotRow.state == State.FAILED)
    return error_from(tx.session.scalar(failed.order_by(ShotRow.index).limit(1)))
