"""Ranks: unfinished shots carry the rank of their tier, which must follow when tiers are changed."""

from sqlalchemy import or_, select, update

from stablehand.store.models import IS_QUEUED, IS_RUNNING, JobRow, ShotRow, TallyRow
from stablehand.store.tallies import Move, came, move_of, withdrawn
from stablehand.store.transactions import Transaction, Transactions, repeatable

#: Shots that change their rank in one transaction.
AT_ONCE = 2000


class Ranks(Transactions):
    def adopt_tiers(self) -> int:
        """Give unfinished shots the rank that their job's tier has now, or that of the plain one where it is gone.

        Their tags and weights stay: an account's clock was moved by them already. Returns how many changed.
        """
        changed = 0
        while moved := self._adopt_some():
            changed += moved
        return changed

    @repeatable
    def _adopt_some(self) -> int:
        """Shots that are being claimed at this moment are left for the next time."""
        with self.writing() as tx:
            wrong = _wrong(tx)
            if not wrong:
                return 0
            old, new = wrong[0]
            shots = tx.session.scalars(
                select(ShotRow)
                .where(or_(IS_QUEUED, IS_RUNNING), ShotRow.tier_rank == old, ShotRow.job_id.in_(_jobs_of(tx, new)))
                .order_by(ShotRow.id)
                .limit(AT_ONCE)
                .with_for_update(skip_locked=True)
            ).all()
            tx.session.execute(
                update(ShotRow).where(ShotRow.id.in_([shot.id for shot in shots])).values(tier_rank=new),
                execution_options={"synchronize_session": False},
            )
            moves = [move_of(shot) for shot in shots if shot.state == "queued"]
            _move(tx, moves, new)
            return len(shots)


def _wrong(tx: Transaction) -> list[tuple[int, int]]:
    """(rank, rank it should be) of unfinished shots that carry another one than their tier's."""
    found = tx.session.execute(
        select(JobRow.tier, ShotRow.tier_rank)
        .join(JobRow, JobRow.id == ShotRow.job_id)
        .where(or_(IS_QUEUED, IS_RUNNING))
        .distinct()
    ).tuples()
    pairs = {(rank, tx.tiers.get(tier).rank) for tier, rank in found}
    return sorted((rank, wanted) for rank, wanted in pairs if rank != wanted)


def _jobs_of(tx: Transaction, rank: int):  # type: ignore[no-untyped-def]
    """Jobs whose tier has this rank now."""
    others = [tier.name for tier in tx.tiers if tier.rank != rank]
    return select(JobRow.id).where(JobRow.tier.not_in(others), JobRow.finished_at.is_(None))


def _move(tx: Transaction, moves: list[Move], rank: int) -> None:
    """Carry the shots from their tallies to those of another rank, which wait as long as these did."""
    keys = {move.key for move in moves}
    waited = {
        key: tx.session.scalar(
            select(TallyRow.waiting_since).where(
                *(getattr(TallyRow, name) == value for name, value in key._asdict().items())
            )
        )
        for key in sorted(keys)
    }
    came(tx, [Move(move.key._replace(tier_rank=rank), move.seconds) for move in moves], is_new=False)
    for key, since in waited.items():
        target = key._replace(tier_rank=rank)
        tx.session.execute(
            update(TallyRow)
            .where(
                *(getattr(TallyRow, name) == value for name, value in target._asdict().items()),
                TallyRow.waiting_since > since,
            )
            .values(waiting_since=since)
        )
    withdrawn(tx, moves)
