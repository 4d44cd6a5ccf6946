"""What holds in the database after every transaction, whoever wrote and in whatever order."""

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from math import fsum

from sqlalchemy import select

from stablehand.domain.attempts import ATTEMPTS_KEPT
from stablehand.domain.jobs import State, roll_up
from stablehand.domain.prices import NO_PRICES, Prices
from stablehand.domain.waste import ENDS_A_LEASE
from stablehand.store import Store
from stablehand.store.ledger_rows import ChargeRow, WasteRow
from stablehand.store.models import AttemptRow, DeadLetterRow, ImageRow, JobRow, ShotRow
from stablehand.store.outbox_row import OutboxRow


def check_laws(store: Store, *, accepted: dict[str, int] | None = None) -> dict[str, State]:
    """Assert all of them; returns shot id -> state. ``accepted``: job id -> how many pictures were ordered."""
    with store.reading() as tx:
        shots = tx.session.scalars(select(ShotRow)).all()
        jobs = tx.session.scalars(select(JobRow)).all()
        images = tx.session.scalars(select(ImageRow.shot_id)).all()
        charges = tx.session.scalars(select(ChargeRow.shot_id)).all()
        wasted = Counter(tx.session.scalars(select(WasteRow.shot_id).where(WasteRow.reason.in_(ENDS_A_LEASE))))
        letters = tx.session.scalars(select(DeadLetterRow.shot_id)).all()
        attempts = Counter(tx.session.scalars(select(AttemptRow.shot_id)))
        notices = Counter(tx.session.execute(select(OutboxRow.job_id, OutboxRow.kind)).tuples().all())
    assert store.verify_tallies() == [], "what waits in each lane is what a recount says"
    if accepted is not None:
        assert {job.id: job.count for job in jobs} == accepted, "what was accepted is there, and nothing else"
    own: dict[str, list[ShotRow]] = {job.id: [] for job in jobs}
    for shot in shots:
        own[shot.job_id].append(shot)
        running = shot.state == State.RUNNING
        assert running == (shot.lease_until is not None) == (shot.leased_at is not None), (
            "a lease, and only while running"
        )
        assert not running or (shot.agent_id is not None and shot.token > 0)
        assert State(shot.state).is_terminal == (shot.finished_at is not None)
        assert shot.attempt >= 0
        ended = shot.token - running
        assert ended == wasted[shot.id] + (shot.state == State.SUCCEEDED), "each lease ends as one line of the ledger"
    failed = {shot.id for shot in shots if shot.state == State.FAILED}
    assert failed.issuperset(letters), "a dead letter is a shot that failed"
    assert max(attempts.values(), default=0) <= ATTEMPTS_KEPT
    drawn = sorted(shot.id for shot in shots if shot.state == State.SUCCEEDED)
    assert sorted(charges) == drawn, "one charge a delivered shot"
    assert sorted(images) == drawn, "one image a delivered shot"
    for job in jobs:
        states = [State(shot.state) for shot in own[job.id]]
        assert len(states) == job.count, "states add up to what was accepted"
        cancelling = job.cancel_requested_at is not None
        assert job.state == roll_up(states, cancel_requested=cancelling)
        assert (job.finished_at is not None) == State(job.state).is_terminal
        assert not (cancelling and State.QUEUED in states), "nothing of a cancelled job waits"
        assert notices[job.id, "job_submitted"] == 1
        assert notices[job.id, "job_finished"] == State(job.state).is_terminal
        assert notices[job.id, "image_delivered"] == states.count(State.SUCCEEDED)
    return {shot.id: State(shot.state) for shot in shots}


#: which come into force one after another while a machine runs
PRICE_LISTS = (
    NO_PRICES,
    Prices(currency="MAD", device_hour=Decimal("5.26"), tier_factors={"premium": Decimal("1.5")}),
    Prices(currency="EUR", device_hour=Decimal(36)),
    Prices(currency="EUR", pools={"another": Decimal(36)}),
)


@dataclass
class Sums:
    """What the ledger must come to, as somebody knows who saw it all happen."""

    delivered: list[float] = field(default_factory=list)  #: device-seconds of accepted deliveries
    charged_micros: int = 0  #: for them, each by the prices of its moment
    wasted: list[float] = field(default_factory=list)  #: how long leases were held that ended without a picture

    def picture(self, seconds: float, prices: Prices, tier: str) -> None:
        charged = prices.charge(seconds, pool="default", tier=tier)
        self.delivered.append(seconds)
        self.charged_micros += 0 if charged is None else charged.micros


def check_sums(store: Store, sums: Sums) -> None:
    """The ledger says exactly that; nothing is rounded, and nothing is left over."""
    with store.reading() as tx:
        charges = tx.session.execute(select(ChargeRow.device_seconds, ChargeRow.charge_micros)).all()
        held = tx.session.scalars(select(WasteRow.held_seconds).where(WasteRow.reason.in_(ENDS_A_LEASE))).all()
        waste = tx.session.scalars(select(WasteRow.device_seconds).where(WasteRow.reason.in_(ENDS_A_LEASE))).all()
    assert fsum(charge.device_seconds for charge in charges) == fsum(sums.delivered)
    assert sum(charge.charge_micros for charge in charges) == sums.charged_micros
    assert fsum(held) == fsum(sums.wasted)
    assert min(waste, default=0.0) >= 0
    assert fsum(waste) <= fsum(held) + 1e-6, "no more than was held"
