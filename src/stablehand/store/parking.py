"""Parked states: noted, offered to the next agent, forgotten once their shots have ended."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, delete, insert, select, update

from stablehand.domain.agents import AgentDevice
from stablehand.domain.attempts import runs_alone
from stablehand.domain.errors import LeaseLost, NotFound
from stablehand.domain.jobs import State
from stablehand.domain.parking import Bench, Saved, Weights, may_resume
from stablehand.domain.recipes import Recipe
from stablehand.store.holdings import valid
from stablehand.store.models import (
    AgentRow,
    CheckpointRow,
    DoomedObjectRow,
    JobRow,
    ParkedRow,
    ShotRow,
)
from stablehand.store.transactions import Transaction, Transactions
from stablehand.store.wasting import book_discarded


@dataclass(frozen=True, slots=True, kw_only=True)
class NewParked:
    """A state that was just stored."""

    shot_id: str
    token: int
    object_key: str
    size_bytes: int
    sha256: str
    step: int
    steps: int
    device_seconds: float


@dataclass(frozen=True, slots=True)
class Offer:
    """A parked state that the holder of a lease may go on from."""

    object_key: str
    sha256: str
    step: int
    steps: int

    @property
    def progress(self) -> float:
        return self.step / self.steps


class Parking(Transactions):
    def park(self, agent_id: str, incarnation: str, new: NewParked) -> None:
        """Note a stored state as the newest of its shot. Raises LeaseLost for one that is not the agent's."""
        with self.writing() as tx:
            shots = valid(tx, agent_id, incarnation, {new.shot_id: new.token})
            agent = tx.session.get(AgentRow, agent_id)
            if not shots or agent is None:
                raise LeaseLost("This shot is no longer yours.", hint="Drop it and claim other work.")
            [shot] = shots
            # A later state of the same drawing holds all that is in the earlier one; one begun anew does not.
            book_discarded(
                tx,
                {
                    old.shot_id: (old.token, old.device_seconds)
                    for old in _take_out(tx, [shot.id])
                    if old.device_seconds > new.device_seconds
                },
            )
            bench, weights = _bench_of(agent), _weights_of(tx, shot.checkpoint_id)
            tx.session.add(
                ParkedRow(
                    shot_id=shot.id,
                    token=new.token,
                    object_key=new.object_key,
                    size_bytes=new.size_bytes,
                    sha256=new.sha256,
                    created_at=tx.now,
                    offers=0,
                    step=new.step,
                    steps=new.steps,
                    device_seconds=new.device_seconds,
                    recipe_fingerprint=_recipe_of(tx, shot).fingerprint,
                    checkpoint_sha256=weights.sha256,
                    checkpoint_stamp=weights.stamp,
                    runtime=bench.runtime,
                    version=bench.version,
                    device_kind=bench.device_kind,
                    device_name=bench.device_name,
                    precision=bench.precision,
                )
            )

    def parked(self, agent_id: str, shot_id: str, token: int) -> Offer:
        """The state that this lease may go on from. Raises LeaseLost, NotFound."""
        with self.reading() as tx:
            shot = tx.session.get(ShotRow, shot_id)
            if shot is None or shot.state != State.RUNNING or (shot.agent_id, shot.token) != (agent_id, token):
                raise LeaseLost("This shot is no longer yours.", hint="Drop it and claim other work.")
            row = tx.session.get(ParkedRow, shot_id)
            if row is None:
                raise NotFound("Nothing is parked of this shot.", hint="Begin it anew.")
            return _offer_from(row)

    def forget_ended_parked(self, *, at_most: int = 500) -> int:
        """Doom the states of shots that neither wait nor run; returns how many there were."""
        with self.writing() as tx:
            ended = tx.session.scalars(
                select(ParkedRow.shot_id)
                .join(ShotRow, ShotRow.id == ParkedRow.shot_id)
                .where(ShotRow.state.not_in([State.QUEUED.value, State.RUNNING.value]))
                .limit(at_most)
            ).all()
            forget_parked(tx, ended)
            return len(ended)


def forget_parked(tx: Transaction, shot_ids: Iterable[str]) -> None:
    """The states of these shots are not wanted any more; their objects are doomed.

    The time in them is wasted, unless the shot has a picture that was drawn on from it. A picture whose lease was told
    of the state counts as one: it may have begun anew nevertheless, but waste is only what surely is.
    """
    gone = _take_out(tx, shot_ids)
    if not gone:
        return
    shots = select(ShotRow.id, ShotRow.token).where(
        ShotRow.id.in_([old.shot_id for old in gone]), ShotRow.state == State.SUCCEEDED.value
    )
    drawn = dict(tx.session.execute(shots).tuples().all())
    book_discarded(
        tx,
        {
            old.shot_id: (old.token, old.device_seconds)
            for old in gone
            if old.shot_id not in drawn or (old.offers == 0 and old.token < drawn[old.shot_id])
        },
    )


def _take_out(tx: Transaction, shot_ids: Iterable[str]) -> Sequence[Row[Any]]:
    """Delete the rows of these shots' states, and doom their objects."""
    gone = tx.session.execute(
        delete(ParkedRow)
        .where(ParkedRow.shot_id.in_(list(shot_ids)))
        .returning(ParkedRow.shot_id, ParkedRow.token, ParkedRow.device_seconds, ParkedRow.offers, ParkedRow.object_key)
    ).all()
    if gone:
        tx.session.execute(insert(DoomedObjectRow), [{"key": old.object_key} for old in gone])
    return gone


def take_back_offers(tx: Transaction, shot_ids: Iterable[str]) -> None:
    """The leases of these shots were given back: nothing is known against the states that they were told of."""
    tx.session.execute(
        update(ParkedRow)
        .where(ParkedRow.shot_id.in_(list(shot_ids)), ParkedRow.offers > 0)
        .values(offers=ParkedRow.offers - 1)
    )


def offer_parked(
    tx: Transaction, agent: AgentRow, shots: Sequence[Row[Any]], recipes: dict[str, Recipe]
) -> dict[str, Offer]:
    """Shot id -> the state to go on from, of shots just leased to ``agent``; counts each offer.

    ``shots``: those of which something is parked, with id, checkpoint_id and losses;
    ``recipes``: shot id -> its recipe with its own seed.
    """
    rows = tx.session.scalars(select(ParkedRow).where(ParkedRow.shot_id.in_([shot.id for shot in shots]))).all()
    by_id = {shot.id: shot for shot in shots}
    offers = {
        row.shot_id: _offer_from(row)
        for row in rows
        if may_resume(
            _saved_from(row),
            _bench_of(agent),
            _weights_of(tx, by_id[row.shot_id].checkpoint_id),
            recipe_fingerprint=recipes[row.shot_id].fingerprint,
            exact=recipes[row.shot_id].exact,
            runs_alone=runs_alone(by_id[row.shot_id].losses),
        )
    }
    if offers:
        tx.session.execute(update(ParkedRow).where(ParkedRow.shot_id.in_(offers)).values(offers=ParkedRow.offers + 1))
    return offers


def _offer_from(row: ParkedRow) -> Offer:
    return Offer(row.object_key, row.sha256, row.step, row.steps)


def _saved_from(row: ParkedRow) -> Saved:
    return Saved(
        bench=Bench(
            runtime=row.runtime,
            version=row.version,
            device_kind=row.device_kind,
            device_name=row.device_name,
            precision=row.precision,
        ),
        weights=Weights(sha256=row.checkpoint_sha256, stamp=row.checkpoint_stamp),
        recipe_fingerprint=row.recipe_fingerprint,
        offers=row.offers,
    )


def _bench_of(agent: AgentRow) -> Bench:
    device = AgentDevice(**(agent.device or {"kind": "none", "name": "", "precision": "", "memory_bytes": 0}))
    return Bench(
        runtime=agent.runtime or "",
        version=agent.version,
        device_kind=device.kind,
        device_name=device.name,
        precision=device.precision,
    )


def _weights_of(tx: Transaction, checkpoint_id: str) -> Weights:
    checkpoint = tx.session.get_one(CheckpointRow, checkpoint_id)
    return Weights(sha256=checkpoint.sha256, stamp=checkpoint.stamp)


def _recipe_of(tx: Transaction, shot: ShotRow) -> Recipe:
    job = tx.session.scalars(select(JobRow).where(JobRow.id == shot.job_id)).one()
    return Recipe.from_dict(job.recipe).with_seed(shot.seed)
