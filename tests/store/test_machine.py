"""The Store under any order of events, on both databases, against a small model of it.

The model knows of each shot its state, its token and who holds it. Before each step it says which shots the step may
change, and into what; afterwards nothing else may have changed, and the laws of ``tests/store/laws.py`` hold.

A long run: ``MACHINE_EXAMPLES=2000 python -m pytest tests/store/test_machine.py``, with other random steps each time.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select

from stablehand.domain.attempts import runs_alone
from stablehand.domain.errors import LeaseLost, Superseded, UnknownIncarnation
from stablehand.domain.jobs import State
from stablehand.domain.prices import NO_PRICES, Prices
from stablehand.protocol import Lease
from stablehand.services import Limits, Services
from stablehand.services.cancel import cancel
from stablehand.services.expire import expire, expire_agent, judge_lanes
from stablehand.services.retry import retry
from stablehand.store.models import ShotRow
from tests.store.emptying import empty
from tests.store.house import Clock, Hand, House, open_services
from tests.store.laws import PRICE_LISTS, Sums, check_laws, check_sums

EXAMPLES = int(os.environ.get("MACHINE_EXAMPLES", "0"))
PROFILE = settings(
    max_examples=EXAMPLES or 15,
    stateful_step_count=60 if EXAMPLES else 40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=not EXAMPLES,
    print_blob=True,
)

AGENTS = ("one", "two", "three")
SEATS = 3
#: What may become of a shot that comes back from an agent.
BACK = {State.QUEUED, State.FAILED, State.CANCELLED}


@dataclass(frozen=True)
class Known:
    """What the model knows of one shot."""

    job: str
    state: State
    token: int = 0
    holder: tuple[str, str] | None = None  #: agent id and incarnation, while it runs
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class Given:
    """A lease that was once given, and to whom."""

    hand: Hand
    incarnation: str
    agent_id: str
    lease: Lease

    def __repr__(self) -> str:
        return f"<{self.lease.shot_id} under {self.lease.token} for {self.hand.name} in life {self.incarnation}>"

    def speaker(self) -> Hand:
        """The process that got it, be it long replaced."""
        return replace(self.hand, incarnation=self.incarnation)


class Machine(RuleBasedStateMachine):
    def __init__(self, services: Services, clock: Clock) -> None:
        super().__init__()
        self.services, self.clock = services, clock
        self.shots: dict[str, Known] = {}
        self.accepted: dict[str, int] = {}  # job id -> pictures
        self.cancelled: set[str] = set()
        self.given: list[Given] = []
        self.lives, self.sums = 0, Sums()
        self.allowed: dict[str, set[State]] = {}  # what the step in hand may change

    @initialize()
    def build(self) -> None:
        empty(self.services)
        self.services.store.prices = NO_PRICES
        self.clock.now = datetime.fromisoformat("2026-01-01T00:00:00+00:00")
        self.house = House(self.services, self.clock)
        self.hands = {name: self.house.agent(name, seats=SEATS, incarnation="0") for name in AGENTS}

    # What people do

    @rule(
        count=st.integers(1, 4),
        tier=st.sampled_from(["premium", "normal"]),
        checkpoint=st.sampled_from(["alpha", "beta"]),
    )
    def submit(self, count: int, tier: str, checkpoint: str) -> None:
        self.note_job(self.house.order(count=count, tier=tier, checkpoint=checkpoint).id, count)

    @precondition(lambda self: self.accepted)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        job_id = data.draw(st.sampled_from(sorted(self.accepted)))
        waiting = [shot for shot, known in self.shots.items() if known.job == job_id and known.state is State.QUEUED]
        unfinished = any(not known.state.is_terminal for known in self.shots.values() if known.job == job_id)
        with self.may_change(waiting, {State.CANCELLED}):
            cancel(self.services, self.house.account, job_id)
        if unfinished:
            self.cancelled.add(job_id)
        assert all(self.shots[shot].state is State.CANCELLED for shot in waiting)

    @precondition(lambda self: any(known.state.is_terminal for known in self.shots.values()))
    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        job = self.house.job(data.draw(st.sampled_from(sorted(self.accepted))))
        missing = [shot.seed for shot in job.shots if shot.state is not State.SUCCEEDED]
        if job.state.is_terminal and missing:
            again = retry(self.services, self.house.account, job.id)
            assert [shot.seed for shot in again.shots] == missing
            self.note_job(again.id, len(missing))

    @rule(prices=st.sampled_from(PRICE_LISTS))
    def prices_change(self, prices: Prices) -> None:
        self.services.store.prices = prices

    # What agents do

    @rule(name=st.sampled_from(AGENTS), seats=st.integers(1, 4))
    def claim(self, name: str, seats: int) -> None:
        hand = self.hands[name]
        mine = self.held_by(hand)
        waiting = [shot for shot, known in self.shots.items() if known.state is State.QUEUED]
        # What it never named comes back when it asks again, and may be given to it once more.
        with self.may_change(mine, {*BACK, State.RUNNING}), self.may_change(waiting, {State.RUNNING}):
            leases = hand.claim(seats)
        for lease in leases:
            known = self.shots[lease.shot_id]
            assert lease.shot_id in waiting or lease.shot_id in mine, "only what waited"
            assert known.job not in self.cancelled
            assert known.token == lease.token
            assert known.holder == (hand.agent.id, hand.incarnation)
            self.given.append(Given(hand, hand.incarnation, hand.agent.id, lease))
        running = [shot for shot, known in self.shots.items() if known.state is State.RUNNING and shot in waiting]
        assert set(running) <= {lease.shot_id for lease in leases}, "nothing runs that nobody was told of"

    # Without a lease most of what an agent can say is idle talk, so each of these steps sees to one first.

    @rule(data=st.data(), name=st.sampled_from(AGENTS), act=st.sampled_from(["claim", "draw", "renew", "again"]))
    def goes_well(self, data: st.DataObject, name: str, act: str) -> None:
        self.see_to_a_lease(name)
        if act == "draw":
            self.draw(data)
        elif act == "renew":
            self.renew(data, data.draw(st.booleans()))
        elif act == "again":
            self.speaks_under_an_older_token(data, data.draw(st.sampled_from(["fail", "release", "renew", "deliver"])))
        else:
            self.claim(name, SEATS)

    @rule(
        data=st.data(), name=st.sampled_from(AGENTS), act=st.sampled_from(["retry", "final", "agent_sick", "release"])
    )
    def goes_badly(self, data: st.DataObject, name: str, act: str) -> None:
        self.see_to_a_lease(name)
        if act == "release":
            self.release(data, data.draw(st.booleans()))
        else:
            self.fail(data, act, data.draw(st.booleans()))

    def see_to_a_lease(self, name: str) -> None:
        if not any(self.is_valid(given) for given in self.given):
            if not any(known.state is State.QUEUED for known in self.shots.values()):
                self.submit(3, "normal", "beta")
            self.claim(name, 2)

    def draw(self, data: st.DataObject) -> None:
        given = self.choose(data)
        if given is None:
            return
        known = self.shots[given.lease.shot_id]
        token_agent = known.token == given.lease.token and self.agent_of(given) == given.agent_id
        valid, speaker = self.is_valid(given), given.speaker()
        with self.may_change([given.lease.shot_id] if valid else [], {State.SUCCEEDED}):
            try:
                seconds = data.draw(st.sampled_from([0.0, 0.1, 2.0, 33.3]))
                picture = speaker.upload(given.lease, device_seconds=seconds)
            except LeaseLost:
                assert known.state is not State.RUNNING or not token_agent
                return
            answer = speaker.deliver(picture)
        assert (answer.accepted == [given.lease.shot_id]) == valid
        if valid:
            assert self.shots[given.lease.shot_id].state is State.SUCCEEDED
            self.sums.picture(seconds, self.services.store.prices, self.house.job(known.job).tier)
            assert speaker.deliver(picture).accepted == [given.lease.shot_id], "the answer may have been lost"

    def fail(self, data: st.DataObject, error_class: str, at_load: bool) -> None:
        given = self.choose(data)
        if given is None:
            return
        valid = self.is_valid(given)
        lane = self.shots if valid and at_load else [given.lease.shot_id]
        with self.may_change(lane if valid else [], BACK):
            done = given.speaker().fail(given.lease, error_class, at_load=at_load)
        assert (done.accepted == [given.lease.shot_id]) == valid

    def release(self, data: st.DataObject, leaving: bool) -> None:
        given = self.choose(data)
        if given is None:
            return
        valid = self.is_valid(given)
        present = self.hands[given.hand.name].incarnation == given.incarnation
        also = self.held_by(given.hand) if leaving and present else []
        with self.may_change([*also, *([given.lease.shot_id] if valid else [])], {State.QUEUED, State.CANCELLED}):
            done = given.speaker().release(given.lease, leaving=leaving)
        assert (given.lease.shot_id in done.accepted) == valid
        if leaving and present:
            self.comes_back(given.hand)

    def speaks_under_an_older_token(self, data: st.DataObject, act: str) -> None:
        """Its own shot, given back and claimed again: the same process, the same shot, another lease."""
        valid = [given for given in self.given if self.is_valid(given)]
        if not valid:
            return
        given = data.draw(st.sampled_from(valid))
        shot_id, hand = given.lease.shot_id, given.hand
        with self.may_change([], set()):
            picture = hand.upload(given.lease)
        with self.may_change([shot_id], {State.QUEUED, State.CANCELLED}):
            hand.release(given.lease)
        self.claim(hand.name, 4)
        if self.shots[shot_id].state is not State.RUNNING:
            return
        assert self.shots[shot_id].token > given.lease.token
        with self.may_change(self.held_by(hand) if act == "renew" else [], {State.QUEUED, State.CANCELLED}):
            if act == "renew":
                assert hand.renew(given.lease).lost == [shot_id]
            elif act == "deliver":
                assert hand.deliver(picture).accepted == []
            else:
                assert (hand.fail(given.lease) if act == "fail" else hand.release(given.lease)).accepted == []

    def renew(self, data: st.DataObject, others: bool) -> None:
        given = self.choose(data)
        if given is None:
            return
        valid = self.is_valid(given)
        mine = [one for one in self.given if one.incarnation == given.incarnation and one.hand is given.hand]
        named = {one.lease.shot_id: one.lease for one in (mine if others else [given])}
        with self.may_change(self.held_by(given.hand), {State.QUEUED, State.CANCELLED}):
            try:
                answer = given.speaker().renew(*named.values())
            except (UnknownIncarnation, Superseded):
                assert self.hands[given.hand.name].incarnation != given.incarnation
                return
        stopped = {*answer.lost, *answer.cancelled}
        goes_on = named[given.lease.shot_id].token == given.lease.token and given.lease.shot_id not in stopped
        if named[given.lease.shot_id].token == given.lease.token:
            assert goes_on == (valid and self.shots[given.lease.shot_id].job not in self.cancelled)

    @precondition(lambda self: any(known.holder for known in self.shots.values()))
    @rule(name=st.sampled_from(AGENTS), seen=st.booleans())
    def agent_dies_and_comes_back(self, name: str, seen: bool) -> None:
        hand = self.hands[name]
        with self.may_change(self.held_by(hand), BACK):
            if seen:
                expire_agent(self.services, hand.agent.id)
                assert self.held_by(hand, look=True) == []
            self.comes_back(hand)

    # What time does

    @precondition(lambda self: self.given)
    @rule(seconds=st.sampled_from([0.5, 6, 20, 31, 90, 700, 4000, -1, -15, -45, -3700]))
    def clock_jumps(self, seconds: float) -> None:
        self.clock.turn(seconds)
        now, limits = self.clock.now, self.services.limits
        due = [
            shot
            for shot, known in self.shots.items()
            if known.until is not None
            and known.since is not None
            and (known.until <= now or known.since <= now - timedelta(seconds=limits.timeout_seconds))
        ]
        with self.may_change(due, BACK):
            expire(self.services)
        assert not [shot for shot in due if self.shots[shot].state is State.RUNNING]
        with self.may_change(self.shots, {State.FAILED}):
            judge_lanes(self.services)

    @invariant()
    def everything_fits(self) -> None:
        states = check_laws(self.services.store, accepted=self.accepted)
        assert states == {shot: known.state for shot, known in self.shots.items()}
        check_sums(self.services.store, self.sums)
        with self.services.store.reading() as tx:
            rows = tx.session.scalars(select(ShotRow).where(ShotRow.state == State.RUNNING)).all()
        for row in rows:
            company = sum(other.agent_id == row.agent_id for other in rows)
            assert company <= 2 * SEATS, "seats, and as many pictures on their way"
            assert company == 1 or not runs_alone(row.losses), "nothing joins a shot that runs alone"

    # The model

    def note_job(self, job_id: str, count: int) -> None:
        self.accepted[job_id] = count
        self.shots |= {f"{job_id}-{index}": Known(job_id, State.QUEUED) for index in range(count)}

    def choose(self, data: st.DataObject) -> Given | None:
        """A lease that holds, one that its own process lost and may have again by now, or any that was ever given."""
        present = [one for one in self.given if one.incarnation == self.hands[one.hand.name].incarnation]
        kinds = [
            [one for one in present if self.is_valid(one)],
            [one for one in present if not self.is_valid(one)],
            self.given,
        ]
        if not self.given:
            return None
        kind = data.draw(st.sampled_from([kind for kind in kinds if kind]))
        return kind[-1 - data.draw(st.integers(0, len(kind) - 1))]

    def is_valid(self, given: Given) -> bool:
        known = self.shots[given.lease.shot_id]
        return known.token == given.lease.token and known.holder == (given.agent_id, given.incarnation)

    def agent_of(self, given: Given) -> str | None:
        holder = self.shots[given.lease.shot_id].holder
        return None if holder is None else holder[0]

    def held_by(self, hand: Hand, *, look: bool = False) -> list[str]:
        if look:
            self.take_note({shot: set(State) for shot in self.shots})
        agent_id = hand.agent.id
        return [shot for shot, known in self.shots.items() if known.holder is not None and known.holder[0] == agent_id]

    def comes_back(self, hand: Hand) -> None:
        self.lives += 1
        hand.hello(str(self.lives))

    @contextmanager
    def may_change(self, shots: Iterable[str], into: set[State]) -> Iterator[None]:
        """Nothing but these shots changes, and only into one of these states. Blocks inside each other add up."""
        outermost = not self.allowed
        for shot in list(shots):
            self.allowed.setdefault(shot, set()).update(into)
        self.allowed.setdefault("", set())
        yield
        if outermost:
            allowed, self.allowed = self.allowed, {}
            self.take_note(allowed)

    def take_note(self, allowed: dict[str, set[State]]) -> None:
        with self.services.store.reading() as tx:
            rows = tx.session.scalars(select(ShotRow)).all()
        assert {row.id for row in rows} == set(self.shots)
        for row in rows:
            known, state = self.shots[row.id], State(row.state)
            changed = state is not known.state or row.token != known.token
            if changed:
                if known.since is not None and state is not State.SUCCEEDED:
                    self.sums.wasted.append(max(0.0, (self.clock.now - known.since).total_seconds()))
                assert not known.state.is_terminal, "terminal states absorb"
                assert state in allowed.get(row.id, set()), f"{row.id} went from {known.state} to {state}"
                assert row.token >= known.token, "tokens only grow"
                assert (row.token > known.token) == (state is State.RUNNING), "a token a claim"
            holder = None
            if state is State.RUNNING and row.agent_id is not None and row.incarnation is not None:
                holder = (row.agent_id, row.incarnation)
                assert changed or holder == known.holder
            self.shots[row.id] = Known(known.job, state, row.token, holder, row.leased_at, row.lease_until)


@pytest.mark.timeout(0 if EXAMPLES else 300)
def test_any_order_of_events_keeps_the_laws(database: str, tmp_path: Path) -> None:
    clock = Clock()
    services = open_services(tmp_path, clock=clock, url=database, limits=Limits(retry_count=1))

    class Bound(Machine):
        def __init__(self) -> None:
            super().__init__(services, clock)

    run_state_machine_as_test(Bound, settings=PROFILE)
    services.store.close()
