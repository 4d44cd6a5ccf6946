"""Moves: an account's queued shots exchange their tags among themselves."""

from sqlalchemy import bindparam, select, update

from stablehand.domain.errors import Conflict, NotFound
from stablehand.domain.moves import Waiting, new_tags, rearranged
from stablehand.store.changes import Changes
from stablehand.store.models import IS_QUEUED, AccountRow, JobRow, ShotRow
from stablehand.store.transactions import ONLY_ROW, Transaction, Transactions, repeatable

#: jobs whose readers are told at once; the others see their new place when they look again
JOBS_TOLD = 50


class Moves(Transactions):
    @repeatable
    def move(self, job_id: str, account_id: str, *, before: str | None, front: bool) -> Changes:
        """Put what is queued of a job before what is queued of another one, to the front or to the back.

        Shots that an agent is taking at this moment are left out: they are as good as running. So are those that have
        been claimed before: the largest of their tags is the time by which all others are reckoned.

        Raises:
            NotFound. Conflict: nothing of it waits, or ``before`` stands in another line.
        """
        changes = Changes()
        with self.writing() as tx:
            tx.session.get_one(AccountRow, account_id, with_for_update=ONLY_ROW)
            job = _own(tx, job_id, account_id)
            other = None if before is None else _own(tx, before, account_id)
            if other is not None and (other.pool, other.tier) != (job.pool, job.tier):
                raise Conflict(
                    "These jobs do not stand in one line: their pools or tiers differ.",
                    hint="Move it before a job of the same pool and tier.",
                )
            shots = tx.session.scalars(
                select(ShotRow)
                .where(
                    IS_QUEUED,
                    ShotRow.token == 0,
                    ShotRow.account_id == account_id,
                    ShotRow.pool == job.pool,
                    ShotRow.tier_rank == tx.tiers.get(job.tier).rank,
                )
                .order_by(ShotRow.id)
                .with_for_update(skip_locked=True)
            ).all()
            waiting = [Waiting(shot.id, shot.job_id, shot.tag, shot.index) for shot in shots]
            if not any(shot.job_id == job.id for shot in waiting):
                raise Conflict("No picture of this job waits any more.", hint="It has started, or has ended.")
            if other is not None and other.id != job.id and not any(shot.job_id == other.id for shot in waiting):
                raise Conflict("No picture of the other job waits any more.", hint="Look at the queue again.")
            tags = new_tags(waiting, rearranged(waiting, job.id, before=before, front=front))
            if tags:
                tx.session.connection().execute(
                    update(ShotRow.__table__)  # type: ignore[arg-type]
                    .where(ShotRow.__table__.c.id == bindparam("shot_id"))
                    .values(tag=bindparam("new_tag")),
                    [{"shot_id": shot_id, "new_tag": tag} for shot_id, tag in sorted(tags.items())],
                )
            moved = [job.id, *(shot.job_id for shot in waiting if shot.shot_id in tags)]
            changes.jobs.update(dict.fromkeys(list(dict.fromkeys(moved))[:JOBS_TOLD], account_id))
        return changes


def _own(tx: Transaction, job_id: str, account_id: str) -> JobRow:
    job = tx.session.scalar(select(JobRow).where(JobRow.id == job_id, JobRow.account_id == account_id))
    if job is None:
        raise NotFound("There is no such job.", hint="Look at the list of jobs for the ids that exist.")
    return job
