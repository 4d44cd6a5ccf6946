"""The laws of the store under any order of events: a machine of random agents, losses and cancellations."""

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import select

from stablehand.domain.attempts import runs_alone
from stablehand.domain.errors import LeaseLost
from stablehand.domain.jobs import State, roll_up
from stablehand.protocol import Lease
from stablehand.services.cancel import cancel
from stablehand.services.expire import expire, expire_agent
from stablehand.services.retry import retry
from stablehand.store.models import ChargeRow, ImageRow, JobRow, ShotRow
from stablehand.store.outbox_row import OutboxRow
from tests.store.house import Clock, Hand, House, open_services

AGENTS = ("one", "two")
SEATS = 3


class Laws(RuleBasedStateMachine):
    @initialize()
    def build(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.clock = Clock()
        self.house = House(open_services(Path(self.folder.name), clock=self.clock), self.clock)
        self.hands = {name: self.house.agent(name, seats=SEATS, incarnation="0") for name in AGENTS}
        self.lives = 0
        self.leases: list[tuple[Hand, str, Lease]] = []  # every lease ever given, with the incarnation it was given to
        self.jobs: list[str] = []
        self.ended: dict[str, State] = {}
        self.tokens: dict[str, int] = {}

    def teardown(self) -> None:
        if hasattr(self, "house"):
            self.house.services.store.close()
            self.folder.cleanup()

    @rule(count=st.integers(1, 4), tier=st.sampled_from(["premium", "normal"]))
    def submit(self, count: int, tier: str) -> None:
        self.jobs.append(self.house.order(count=count, tier=tier).id)

    @rule(name=st.sampled_from(AGENTS), seats=st.integers(1, 4))
    def claim(self, name: str, seats: int) -> None:
        hand = self.hands[name]
        for lease in hand.claim(seats):
            assert lease.token > self.tokens.get(lease.shot_id, 0), "tokens only grow"
            self.tokens[lease.shot_id] = lease.token
            self.leases.append((hand, hand.incarnation, lease))

    @precondition(lambda self: self.leases)
    @rule(data=st.data(), act=st.sampled_from(["draw", "retry", "final", "release", "renew"]))
    def speak_of_any_lease(self, data: st.DataObject, act: str) -> None:
        """Also of one that is long lost: then it must change nothing."""
        hand, incarnation, lease = data.draw(st.sampled_from(self.leases))
        if incarnation != hand.incarnation:
            return
        if act == "draw":
            try:
                hand.draw(lease)
            except LeaseLost:
                assert self.shot(lease).token != lease.token or self.shot(lease).state != State.RUNNING
        elif act == "release":
            hand.release(lease)
        elif act == "renew":
            answer = hand.renew(lease)
            mine = (self.shot(lease).token, self.shot(lease).state) == (lease.token, State.RUNNING)
            assert (lease.shot_id not in answer.lost + answer.cancelled) == mine
        else:
            hand.fail(lease, act)

    @precondition(lambda self: self.jobs)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        cancel(self.house.services, self.house.account, data.draw(st.sampled_from(self.jobs)))

    @precondition(lambda self: self.ended)
    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        job = self.house.job(data.draw(st.sampled_from(self.jobs)))
        missing = [shot.seed for shot in job.shots if shot.state is not State.SUCCEEDED]
        if job.state.is_terminal and missing:
            again = retry(self.house.services, self.house.account, job.id)
            assert [shot.seed for shot in again.shots] == missing
            self.jobs.append(again.id)

    @rule(seconds=st.sampled_from([1, 6, 20, 31, 700]))
    def time_passes(self, seconds: int) -> None:
        self.clock.turn(seconds)
        expire(self.house.services)

    @rule(name=st.sampled_from(AGENTS), seen=st.booleans())
    def agent_dies_and_comes_back(self, name: str, seen: bool) -> None:
        hand = self.hands[name]
        if seen:
            expire_agent(self.house.services, hand.agent.id)
        self.lives += 1
        hand.hello(str(self.lives))

    def shot(self, lease: Lease) -> ShotRow:
        with self.house.services.store.reading() as tx:
            return tx.session.get_one(ShotRow, lease.shot_id)

    @invariant()
    def everything_fits(self) -> None:
        if not hasattr(self, "house"):
            return
        with self.house.services.store.reading() as tx:
            shots = tx.session.scalars(select(ShotRow)).all()
            jobs = tx.session.scalars(select(JobRow)).all()
            images = tx.session.scalars(select(ImageRow.shot_id)).all()
            charges = tx.session.scalars(select(ChargeRow.shot_id)).all()
            ends = tx.session.scalars(select(OutboxRow.job_id).where(OutboxRow.kind == "job_finished")).all()
        for shot in shots:
            assert (shot.state == State.RUNNING) == (shot.lease_until is not None)
            assert shot.attempt >= 0
            if shot.id in self.ended:
                assert shot.state == self.ended[shot.id], "terminal states absorb"
            if State(shot.state).is_terminal:
                self.ended[shot.id] = State(shot.state)
        drawn = sorted(shot.id for shot in shots if shot.state == State.SUCCEEDED)
        assert sorted(images) == sorted(charges) == drawn
        for job in jobs:
            own = [State(shot.state) for shot in shots if shot.job_id == job.id]
            assert job.state == roll_up(own, cancel_requested=job.cancel_requested_at is not None)
            assert (job.finished_at is not None) == State(job.state).is_terminal
            assert ends.count(job.id) == State(job.state).is_terminal
        held: dict[str | None, int] = {}
        for shot in shots:
            if shot.state == State.RUNNING:
                held[shot.agent_id] = held.get(shot.agent_id, 0) + 1
        assert all(count <= 2 * SEATS for count in held.values()), "seats, and as many pictures on their way"
        for shot in shots:
            if shot.state == State.RUNNING and runs_alone(shot.losses):
                assert held[shot.agent_id] == 1, "nothing joins a shot that runs alone"


TestLaws = Laws.TestCase
TestLaws.settings = settings(
    max_examples=10,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=True,
)
