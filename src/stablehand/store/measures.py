"""Measures: what work really took, learned from the latest lines of the ledger, and how long loads take.

Nothing is kept besides the ledger itself: an average over the last few lines of a kind is read in a fraction of a
millisecond, is right after every delivery, and makes no two deliveries write the same row.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, select

from stablehand.domain.estimates import (
    FIRST_SECONDS_PER_COST,
    Calibration,
    Rate,
    RateKey,
    calibration,
    draw_seconds,
    learn_rate,
    stand_in,
)
from stablehand.domain.loads import learn_load
from stablehand.domain.prospects import learn_handling
from stablehand.domain.quotes import Kept
from stablehand.store.ledger_rows import ChargeRow
from stablehand.store.models import AgentRow, JobRow, LoadRow
from stablehand.store.transactions import Transaction

#: Lines of the ledger that a rate is learned from; older ones would weigh less than a thousandth.
MEASUREMENTS = 32

#: Lines of the ledger that the calibration looks back on.
OUTCOMES = 200

#: Lines of the ledger whose jobs show what is no drawing.
HANDLED = 64

#: Lines of the ledger that rates of all kinds are learned from.
KINDS_MEASUREMENTS = 5000


def device_of(agent: AgentRow) -> str:
    """What devices must have in common to be as fast as each other: their name; empty while it is unknown."""
    return str((agent.device or {}).get("name", ""))


def rate_of(tx: Transaction, key: RateKey) -> Rate | None:
    """The rate of such pictures on such a device, else of any of the family, as a stand-in; None without either."""
    exact = _learned(
        tx, ChargeRow.family == key.family, ChargeRow.device == key.device, ChargeRow.size_class == key.size_class
    )
    if exact is not None:
        return exact
    other = family_rate(tx, key.family)
    return None if other is None else stand_in(other)


def family_rate(tx: Transaction, family: str) -> Rate | None:
    """The rate of the latest pictures of a family, on whatever device."""
    return _learned(tx, ChargeRow.family == family)


def reckoned_seconds(tx: Transaction, family: str, cost: float) -> float:
    """What an account is charged for a picture until it is drawn, in device-seconds."""
    rate = family_rate(tx, family) or _learned(tx)
    return cost * (rate.seconds_per_cost if rate else FIRST_SECONDS_PER_COST)


def measured_calibration(tx: Transaction) -> Calibration | None:
    """How the latest pictures' times compare with the estimates that the ones before them gave."""
    lines = tx.session.execute(
        select(ChargeRow.family, ChargeRow.device, ChargeRow.size_class, ChargeRow.cost, ChargeRow.device_seconds)
        .where(ChargeRow.cost > 0, ChargeRow.device_seconds > 0)
        .order_by(ChargeRow.number.desc())
        .limit(OUTCOMES)
    ).all()
    rates: dict[RateKey, Rate] = {}
    outcomes = []
    for family, device, size_class, cost, seconds in reversed(lines):
        key = RateKey(family, device, size_class)
        if key in rates:
            outcomes.append((draw_seconds(rates[key], cost), seconds))
        rates[key] = learn_rate(rates.get(key), cost=cost, seconds=seconds)
    return calibration(outcomes)


def measured_rates(tx: Transaction) -> dict[RateKey, Rate]:
    """The rate of each kind of picture among the latest ones."""
    lines = tx.session.execute(
        select(ChargeRow.family, ChargeRow.device, ChargeRow.size_class, ChargeRow.cost, ChargeRow.device_seconds)
        .where(ChargeRow.cost > 0, ChargeRow.device_seconds > 0)
        .order_by(ChargeRow.number.desc())
        .limit(KINDS_MEASUREMENTS)
    ).all()
    rates: dict[RateKey, Rate] = {}
    for family, device, size_class, cost, seconds in reversed(lines):
        key = RateKey(family, device, size_class)
        rates[key] = learn_rate(rates.get(key), cost=cost, seconds=seconds)
    return rates


def handling_seconds(tx: Transaction) -> float:
    """Of the latest jobs: what they took that is no drawing (domain.prospects.learn_handling)."""
    latest = (
        select(ChargeRow.job_id, ChargeRow.device_seconds, ChargeRow.created_at)
        .order_by(ChargeRow.number.desc())
        .limit(HANDLED)
        .subquery()
    )
    lines = tx.session.execute(
        select(latest, JobRow.created_at.label("ordered_at"), JobRow.count.label("pictures"), JobRow.quote)
        .join(JobRow, JobRow.id == latest.c.job_id)
        .where(JobRow.quote.is_not(None))
    ).all()
    jobs: dict[str, list[Row[Any]]] = {}
    for line in lines:
        jobs.setdefault(line.job_id, []).append(line)
    whole = [pictures for pictures in jobs.values() if len(pictures) == pictures[0].pictures]
    besides = (
        Kept.from_dict(pictures[0].quote).besides(
            device_seconds=sum(picture.device_seconds for picture in pictures),
            last_seconds=(max(picture.created_at for picture in pictures) - pictures[0].ordered_at).total_seconds(),
        )
        for pictures in whole
    )
    return learn_handling(seconds for seconds in besides if seconds is not None)


def note_loads(tx: Transaction, agent_id: str, loads: Sequence[tuple[str, float]]) -> None:
    """Learn from loads (checkpoint id, seconds) that an agent has measured."""
    if not loads:
        return
    for checkpoint_id, seconds in loads:
        row = tx.session.get(LoadRow, (checkpoint_id, agent_id))
        if row is None:
            row = LoadRow(
                checkpoint_id=checkpoint_id, agent_id=agent_id, seconds=learn_load(None, seconds), measured_at=tx.now
            )
            tx.session.add(row)
        else:
            row.seconds, row.measured_at = learn_load(row.seconds, seconds), tx.now
    tx.session.flush()


def _learned(tx: Transaction, *kind: ColumnElement[bool]) -> Rate | None:
    lines = tx.session.execute(
        select(ChargeRow.cost, ChargeRow.device_seconds)
        .where(*kind, ChargeRow.cost > 0, ChargeRow.device_seconds > 0)
        .order_by(ChargeRow.number.desc())
        .limit(MEASUREMENTS)
    ).all()
    rate = None
    for cost, seconds in reversed(lines):
        rate = learn_rate(rate, cost=cost, seconds=seconds)
    return rate
