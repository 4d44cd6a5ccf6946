"""Wasting: lines of the ledger for device time that brought no picture, written with what ended it.

A delivered picture costs no statement here. The end of leases without pictures costs three, for however many they are.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from stablehand.domain.prices import Money
from stablehand.domain.waste import ENDS_A_LEASE, Reason, device_share, unsaved_seconds
from stablehand.store.columns import table_of
from stablehand.store.ledger_rows import WasteRow
from stablehand.store.models import IS_RUNNING, JobRow, ParkedRow, ShotRow
from stablehand.store.transactions import Transaction

_WASTE = table_of(WasteRow)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedLease:
    """A lease that ended without a picture."""

    shot_id: str
    token: int
    agent_id: str | None
    reason: Reason
    began_at: datetime
    was_named: bool  #: the agent has spoken of it; one that has not, and gave it back, drew nothing


def book_ended(tx: Transaction, ended: Sequence[EndedLease]) -> None:
    """One line for each of these leases, whose shots stand in the database as they are now."""
    if not ended:
        return
    shots = _shots(tx, [lease.shot_id for lease in ended])
    company = Counter(lease.agent_id for lease in ended)
    still = select(ShotRow.agent_id, func.count()).where(IS_RUNNING, ShotRow.agent_id.in_(list(company)))
    for agent_id, running in tx.session.execute(still.group_by(ShotRow.agent_id)):
        company[agent_id] += running
    lines = []
    for lease in ended:
        shot = shots[lease.shot_id]
        saved_at = shot.saved_at if shot.saved_under == lease.token else None
        idle = lease.reason in (Reason.RELEASED, Reason.CANCELLED) and not lease.was_named
        unsaved = unsaved_seconds(began_at=lease.began_at, ended_at=tx.now, saved_at=saved_at)
        lines.append(
            _line(
                tx,
                shot,
                token=lease.token,
                agent_id=lease.agent_id,
                reason=lease.reason,
                held_seconds=unsaved_seconds(began_at=lease.began_at, ended_at=tx.now, saved_at=None),
                device_seconds=0.0 if idle else device_share(unsaved, company[lease.agent_id]),
                began_at=lease.began_at,
            )
        )
    tx.session.execute(insert(_WASTE), lines)


def book_discarded(tx: Transaction, states: Mapping[str, tuple[int, float]]) -> None:
    """Saved states are thrown away, and the time in them is in no charge: shot id -> (token, device-seconds)."""
    if not states:
        return
    shots = _shots(tx, states)
    lines = [
        _line(tx, shots[shot_id], token=token, agent_id=None, reason=Reason.DISCARDED, device_seconds=seconds)
        for shot_id, (token, seconds) in states.items()
    ]
    tx.session.execute(insert(_WASTE), lines)


def book_refused(tx: Transaction, agent_id: str, pictures: Mapping[tuple[str, int], float]) -> None:
    """Pictures came too late: (shot id, token of a lease that has ended) -> device-seconds. One line each, ever.

    The lease has its line already; this one holds only what went on beyond it. Nothing is booked for a lease that is
    not in the ledger, such as one that goes on.
    """
    if not pictures:
        return
    ends = select(WasteRow.shot_id, WasteRow.token, WasteRow.held_seconds, WasteRow.began_at).where(
        WasteRow.shot_id.in_({shot_id for shot_id, _ in pictures}),
        WasteRow.agent_id == agent_id,
        WasteRow.reason.in_([reason.value for reason in ENDS_A_LEASE]),
    )
    found = [end for end in tx.session.execute(ends) if (end.shot_id, end.token) in pictures]
    shots = _shots(tx, {end.shot_id for end in found})
    lines = [
        _line(
            tx,
            shots[end.shot_id],
            token=end.token,
            agent_id=agent_id,
            reason=Reason.REFUSED,
            device_seconds=max(0.0, pictures[end.shot_id, end.token] - end.held_seconds),
            began_at=end.began_at,
        )
        for end in found
    ]
    if lines:
        row = (postgresql.insert if tx.is_postgresql else sqlite.insert)(_WASTE)
        tx.session.execute(row.on_conflict_do_nothing(), lines)


def _shots(tx: Transaction, shot_ids: Iterable[str]) -> dict[str, Row[Any]]:
    """Whose these shots are, and what is saved of them."""
    query = (
        select(
            ShotRow.id,
            ShotRow.account_id,
            ShotRow.job_id,
            ShotRow.checkpoint_id,
            ShotRow.pool,
            JobRow.tier,
            ParkedRow.token.label("saved_under"),
            ParkedRow.created_at.label("saved_at"),
        )
        .join(JobRow, JobRow.id == ShotRow.job_id)
        .outerjoin(ParkedRow, ParkedRow.shot_id == ShotRow.id)
        .where(ShotRow.id.in_(list(shot_ids)))
    )
    return {shot.id: shot for shot in tx.session.execute(query)}


def _line(
    tx: Transaction,
    shot: Row[Any],
    *,
    token: int,
    agent_id: str | None,
    reason: Reason,
    device_seconds: float,
    held_seconds: float = 0.0,
    began_at: datetime | None = None,
) -> dict[str, Any]:
    cost = tx.prices.cost(device_seconds, pool=shot.pool) or Money(0, "")
    return {
        "shot_id": shot.id,
        "token": token,
        "account_id": shot.account_id,
        "job_id": shot.job_id,
        "agent_id": agent_id,
        "checkpoint_id": shot.checkpoint_id,
        "pool": shot.pool,
        "tier": shot.tier,
        "reason": reason.value,
        "held_seconds": held_seconds,
        "device_seconds": device_seconds,
        "cost_micros": cost.micros,
        "currency": cost.currency,
        "began_at": began_at,
        "created_at": tx.now,
    }
