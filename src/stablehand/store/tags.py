"""Fair tags: given when shots are queued, moved when an account was charged for what it did not use.

Everything an account's clock depends on stands on its own row, which its own orders alone lock. The virtual time V is
not stored anywhere: it is the largest tag among shots that were ever claimed, found at the end of an index. It never
falls, because tags of such shots never do and no tag is moved below it.
"""

from collections.abc import Iterable, Sequence

from sqlalchemy import exists, func, select, update

from stablehand.domain.shares import GivenBack, Waiting, retag, settled, tag_shots
from stablehand.store.ledger_rows import ChargeRow
from stablehand.store.models import IS_QUEUED, WAS_CLAIMED, AccountRow, ShotRow
from stablehand.store.transactions import ONLY_ROW, Transaction

#: Shots move by the same distance unless rounding says otherwise.
_ROUNDING = 1e-6


def virtual_time(tx: Transaction) -> float:
    """V: the largest tag that was ever claimed; 0 before the first claim."""
    return tx.session.scalar(select(func.max(ShotRow.tag)).where(WAS_CLAIMED)) or 0.0


def tags_for(tx: Transaction, account_id: str, seconds: Sequence[float], *, weight: float) -> tuple[float, ...]:
    """Tags of an account's new shots, one after another; moves its clock behind them.

    What its delivered pictures really took, against what they were reckoned at, is settled first.
    """
    account = _locked(tx, account_id)
    _settle_charges(tx, account)
    tagged = tag_shots(seconds, virtual_time=virtual_time(tx), finish=account.finish_tag, weight=weight)
    account.finish_tag = tagged.finish
    tx.session.flush()
    return tagged.tags


def tags_quoted(
    tx: Transaction, account: AccountRow, seconds: float, count: int, *, weight: float
) -> tuple[float, float]:
    """The first and the last tag that so many shots of ``seconds`` each would get now. Moves no clock."""
    took = select(func.sum((ChargeRow.device_seconds - ChargeRow.estimate_seconds) / ChargeRow.weight))
    due = tx.session.scalar(took.where(ChargeRow.account_id == account.id, ~ChargeRow.corrected)) or 0.0
    finish, _ = settled(account.finish_tag, owed=account.owed_tag, due=due, has_queued=_has_queued(tx, account))
    start = max(virtual_time(tx), finish)
    return start, start + (count - 1) * seconds / weight


def give_back(tx: Transaction, account_id: str, unused: Iterable[GivenBack]) -> None:
    """Move an account's queued shots, and its clock, forward by what it was charged for nothing.

    ``unused``: costs over the weight of their shots' tiers, in virtual seconds. Shots given back must have left the
    queue already.
    """
    refunds = [refund for refund in unused if refund.cost > 0]
    if not refunds:
        return
    account = _locked(tx, account_id)
    mine = select(ShotRow.id, ShotRow.tag, ShotRow.estimate_seconds).where(IS_QUEUED, ShotRow.account_id == account_id)
    # Those that an agent is being given at this moment keep their tags: waiting for them could end in a circle.
    queued = tx.session.execute(mine.with_for_update(skip_locked=True, **ONLY_ROW))
    waiting = [Waiting(shot_id, tag, seconds) for shot_id, tag, seconds in queued]
    moved = retag(waiting, given_back=refunds, virtual_time=virtual_time(tx), finish=account.finish_tag, weight=1.0)
    account.finish_tag = moved.finish
    old = {shot.shot_id: shot.tag for shot in waiting}
    for low, high, distance in _runs(sorted((old[shot_id], tag) for shot_id, tag in moved.tags.items())):
        run = select(ShotRow.id).where(IS_QUEUED, ShotRow.account_id == account_id, ShotRow.tag.between(low, high))
        tx.session.execute(
            update(ShotRow)
            .where(ShotRow.id.in_(run.with_for_update(skip_locked=True)))
            .values(tag=ShotRow.tag - distance),
            execution_options={"synchronize_session": False},
        )
    tx.session.flush()


def _runs(moves: list[tuple[float, float]]) -> list[tuple[float, float, float]]:
    """(smallest old tag, largest old tag, distance) of neighbours that move alike; ``moves``: (old, new), by old tag.

    Runs are carried out in this order: a moved shot ends up below all that follow, so none is moved twice.
    """
    runs: list[tuple[float, float, float]] = []
    for old, new in moves:
        if runs and abs(runs[-1][2] - (old - new)) <= _ROUNDING:
            runs[-1] = (runs[-1][0], old, runs[-1][2])
        else:
            runs.append((old, old, old - new))
    return runs


def _settle_charges(tx: Transaction, account: AccountRow) -> None:
    """Correct the clock by the difference between measured and reckoned time of what was delivered since last time.

    Done here rather than at each delivery, which would make the deliveries of one account wait for each other.
    """
    charges = tx.session.execute(
        update(ChargeRow)
        .where(ChargeRow.account_id == account.id, ~ChargeRow.corrected)
        .values(corrected=True)
        .returning(ChargeRow.device_seconds, ChargeRow.estimate_seconds, ChargeRow.weight),
        execution_options={"synchronize_session": False},
    )
    due = sum((actual - reckoned) / weight for actual, reckoned, weight in charges)
    account.finish_tag, account.owed_tag = settled(
        account.finish_tag, owed=account.owed_tag, due=due, has_queued=_has_queued(tx, account)
    )


def _has_queued(tx: Transaction, account: AccountRow) -> bool:
    return bool(tx.session.scalar(select(exists().where(IS_QUEUED, ShotRow.account_id == account.id))))


def _locked(tx: Transaction, account_id: str) -> AccountRow:
    return tx.session.get_one(AccountRow, account_id, with_for_update=ONLY_ROW, populate_existing=True)
