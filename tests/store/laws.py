"""What holds in the database after every transaction, whoever wrote and in whatever order."""

from collections import Counter

from sqlalchemy import select

from stablehand.domain.attempts import ATTEMPTS_KEPT
from stablehand.domain.jobs import State, roll_up
from stablehand.store import Store
from stablehand.store.models import AttemptRow, ChargeRow, DeadLetterRow, ImageRow, JobRow, ShotRow
from stablehand.store.outbox_row import OutboxRow


def check_laws(store: Store, *, accepted: dict[str, int] | None = None) -> dict[str, State]:
    """Assert all of them; returns shot id -> state. ``accepted``: job id -> how many pictures were ordered."""
    with store.reading() as tx:
        shots = tx.session.scalars(select(ShotRow)).all()
        jobs = tx.session.scalars(select(JobRow)).all()
        images = tx.session.scalars(select(ImageRow.shot_id)).all()
        charges = tx.session.scalars(select(ChargeRow.shot_id)).all()
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
