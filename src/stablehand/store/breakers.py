"""Breakers as rows: what domain.breakers decides about lanes, read before a claim and written after a failure."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import bindparam, delete, select

from stablehand.domain.agents import GONE_AFTER
from stablehand.domain.breakers import (
    Admission,
    Bar,
    Breaker,
    BreakerState,
    Fault,
    LaneTrouble,
    admission,
    after_failure,
    after_picture,
    after_restart,
    judge,
)
from stablehand.domain.jobs import ShotError, State
from stablehand.domain.standings import Standing
from stablehand.store.changes import Changes
from stablehand.store.models import IS_QUEUED, AgentRow, BreakerRow, CheckpointRow, ShotRow
from stablehand.store.rows import error_to, shot_from
from stablehand.store.settling import bury, leave_queue, settle
from stablehand.store.transactions import Transaction, Transactions, repeatable

#: queued shots of a condemned lane that fail in one transaction
CONDEMNED_AT_ONCE = 500

Lane = tuple[str, str]  #: pool, checkpoint id


@dataclass(frozen=True, slots=True)
class Admissions:
    """Checkpoints of whose lanes an agent gets nothing, or one shot. All others are open to it."""

    none: frozenset[str]
    one: frozenset[str]


#: what an agent may take where nothing is amiss
ALL_OPEN = Admissions(frozenset(), frozenset())


class Breakers(Transactions):
    def troubled_lanes(self) -> tuple[LaneTrouble, ...]:
        """Every lane with a breaker, by pool and checkpoint."""
        with self.reading() as tx:
            query = (
                select(BreakerRow, CheckpointRow.name)
                .join(CheckpointRow, CheckpointRow.id == BreakerRow.checkpoint_id)
                .order_by(BreakerRow.pool, CheckpointRow.name)
            )
            names = dict(tx.session.execute(select(AgentRow.id, AgentRow.name)).tuples().all())
            return tuple(
                LaneTrouble(
                    pool=row.pool,
                    checkpoint_id=row.checkpoint_id,
                    checkpoint=name,
                    breaker=breaker_from(row),
                    barred=tuple(sorted(names.get(agent_id, agent_id) for agent_id in row.bars)),
                    changed_at=row.changed_at,
                )
                for row, name in tx.session.execute(query).tuples()
            )

    @repeatable
    def judge_lanes(self) -> Changes:
        """Let time and the comings and goings of agents have their say, and fail what waits in condemned lanes."""
        with self.reading() as tx:
            if not any(_is_judged(tx, row) for row in tx.session.scalars(select(BreakerRow))):
                return Changes()
        changes = Changes()
        with self.writing() as tx:
            lanes = tx.session.execute(select(BreakerRow.pool, BreakerRow.checkpoint_id)).tuples().all()
            for lane in sorted(lanes):
                tx.alone(f"lane {lane}")
                row = tx.session.get(BreakerRow, lane)
                if row is None:
                    continue
                judged = judge(breaker_from(row), ready_agents(tx, row.pool), tx.now)
                _write(tx, lane, judged)
                if judged is not None and judged.state is BreakerState.CONDEMNED:
                    fail_lane(tx, lane, judged, changes)
        return changes


def admissions(tx: Transaction, agent: AgentRow, resident: Collection[str]) -> Admissions:
    """What the breakers of its pool let an agent take."""
    none, one = set(), set()
    for row in tx.session.scalars(_OF_POOL, {"pool": agent.pool}):
        probed = row.probe is not None and tx.session.scalar(select(ShotRow.state).where(ShotRow.id == row.probe))
        admitted = admission(
            breaker_from(row),
            agent.id,
            tx.now,
            is_resident=row.checkpoint_id in resident,
            is_probed=probed == State.RUNNING,
        )
        if admitted is Admission.NONE:
            none.add(row.checkpoint_id)
        elif admitted is Admission.ONE:
            one.add(row.checkpoint_id)
    return Admissions(frozenset(none), frozenset(one))


_OF_POOL = select(BreakerRow).where(BreakerRow.pool == bindparam("pool"))


def note_probes(tx: Transaction, pool: str, admitted: Admissions, shot_ids: Sequence[str]) -> None:
    """Of the shots just given to an agent, those of a lane that is open are its probes."""
    if not admitted.one or not shot_ids:
        return
    for shot_id, checkpoint_id in tx.session.execute(
        select(ShotRow.id, ShotRow.checkpoint_id).where(
            ShotRow.id.in_(shot_ids), ShotRow.checkpoint_id.in_(admitted.one)
        )
    ):
        tx.session.get_one(BreakerRow, (pool, checkpoint_id)).probe = shot_id


def load_failed(
    tx: Transaction,
    lane: Lane,
    agent_id: str,
    fault: Fault,
    error: ShotError,
    *,
    chance: Callable[[], float],
) -> Breaker:
    """An agent could not load the lane's checkpoint. The caller fails what waits there if that condemns the lane."""
    tx.alone(f"lane {lane}")  # two agents may be the first to find it bad
    row = tx.session.get(BreakerRow, lane, populate_existing=True)
    before = Breaker() if row is None else breaker_from(row)
    after = after_failure(before, agent_id, fault, error, tx.now, chance=chance())
    judged = judge(after, ready_agents(tx, lane[0]), tx.now) or after
    _write(tx, lane, judged)
    return judged


def picture_drawn(tx: Transaction, lane: Lane, agent_id: str) -> None:
    """The lane's checkpoint has loaded on this agent."""
    if tx.session.get(BreakerRow, lane) is None:
        return
    tx.alone(f"lane {lane}")
    row = tx.session.get(BreakerRow, lane, populate_existing=True)
    if row is not None and (row.state != BreakerState.CLOSED or agent_id in row.bars):
        _write(tx, lane, after_picture(breaker_from(row), agent_id))


def agent_restarted(tx: Transaction, agent: AgentRow) -> None:
    """A new process of the agent may find its files mended."""
    for row in tx.session.scalars(select(BreakerRow).where(BreakerRow.pool == agent.pool)).all():
        if agent.id in row.bars:
            _write(tx, (row.pool, row.checkpoint_id), after_restart(breaker_from(row), agent.id))


def forget_lanes(tx: Transaction, checkpoint_id: str) -> None:
    """The checkpoint's file has changed."""
    tx.session.execute(delete(BreakerRow).where(BreakerRow.checkpoint_id == checkpoint_id))


def fail_lane(tx: Transaction, lane: Lane, breaker: Breaker, changes: Changes) -> None:
    """Fail the queued shots of a condemned lane, so many at once; ``judge_lanes`` comes back for the rest."""
    pool, checkpoint_id = lane
    shots: Sequence[ShotRow] = tx.session.scalars(
        select(ShotRow)
        .where(IS_QUEUED, ShotRow.pool == pool, ShotRow.checkpoint_id == checkpoint_id)
        .limit(CONDEMNED_AT_ONCE)
        .with_for_update(skip_locked=True)
    ).all()
    for shot in shots:
        bury(tx, shot, breaker.error)
        shot.state = State.FAILED
        shot.error = error_to(breaker.error)
        shot.not_before = None
        shot.finished_at = tx.now
        changes.shots.append((shot.account_id, shot.job_id, shot_from(shot)))
    leave_queue(tx, shots, changes)
    settle(tx, {shot.job_id for shot in shots}, changes)


def ready_agents(tx: Transaction, pool: str) -> set[str]:
    """Ids of the agents of a pool that could take work now."""
    query = select(AgentRow.id).where(
        AgentRow.pool == pool,
        AgentRow.ready,
        AgentRow.draining.is_(False),
        AgentRow.incarnation.is_not(None),
        AgentRow.standing == Standing.WORKING,
        AgentRow.last_seen_at > tx.now - GONE_AFTER,
    )
    return set(tx.session.scalars(query))


def breaker_from(row: BreakerRow) -> Breaker:
    return Breaker(
        state=BreakerState(row.state),
        failures=row.failures,
        crashes=row.crashes,
        retry_at=row.retry_at,
        probe=row.probe,
        bars={
            agent_id: Bar(
                Fault(bar["fault"]),
                bar["failures"],
                None if bar["until"] is None else datetime.fromisoformat(bar["until"]),
            )
            for agent_id, bar in row.bars.items()
        },
        error=ShotError(code=row.code, message=row.message, hint=row.hint) if row.code else None,
    )


def _write(tx: Transaction, lane: Lane, breaker: Breaker | None) -> None:
    row = tx.session.get(BreakerRow, lane)
    if breaker is None:
        if row is not None:
            tx.session.delete(row)
            tx.session.flush()
        return
    if row is not None and breaker_from(row) == breaker:
        return
    if row is None:
        row = BreakerRow(pool=lane[0], checkpoint_id=lane[1])
        tx.session.add(row)
    row.state = breaker.state
    row.failures, row.crashes = breaker.failures, breaker.crashes
    row.retry_at, row.probe = breaker.retry_at, breaker.probe
    row.bars = {
        agent_id: {**asdict(bar), "until": None if bar.until is None else bar.until.isoformat()}
        for agent_id, bar in breaker.bars.items()
    }
    row.code, row.message, row.hint = ("", "", "") if breaker.error is None else _words(breaker.error)
    row.changed_at = tx.now
    tx.session.flush()


def _words(error: ShotError) -> tuple[str, str, str]:
    return error.code, error.message, error.hint


def _is_judged(tx: Transaction, row: BreakerRow) -> bool:
    """True when the breaker has changed, or has shots to fail."""
    before = breaker_from(row)
    after = judge(before, ready_agents(tx, row.pool), tx.now)
    if after is None or after != before:
        return True
    if after.state is not BreakerState.CONDEMNED:
        return False
    waiting = select(ShotRow.id).where(IS_QUEUED, ShotRow.pool == row.pool, ShotRow.checkpoint_id == row.checkpoint_id)
    return tx.session.scalar(waiting.limit(1)) is not None
