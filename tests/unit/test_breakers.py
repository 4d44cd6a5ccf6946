"""Breakers under any order of failures, pictures, restarts and time."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from stablehand.domain.breakers import (
    CERTAIN_AGENTS_MOST,
    CONDEMNED_SECONDS,
    CRASHES_BEFORE_CONDEMNED,
    FAILURES_BEFORE_REST,
    LAST_BAR_SECONDS,
    Admission,
    Breaker,
    BreakerState,
    Fault,
    admission,
    after_failure,
    after_picture,
    after_restart,
    fault_of,
    judge,
    wait_seconds,
    why_closed,
)
from stablehand.domain.jobs import ShotError

START = datetime(2026, 1, 1, tzinfo=UTC)
BROKEN = ShotError("checkpoint_broken", "The file is cut short.")
AGENTS = ("one", "two", "three")


def admitted(breaker: Breaker, agent: str, now: datetime, *, resident: bool = False, probed: bool = False) -> Admission:
    return admission(breaker, agent, now, is_resident=resident, is_probed=probed)


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_waits_grow_to_a_limit(failures: int, chance: float) -> None:
    assert 0 < wait_seconds(failures, chance) <= wait_seconds(failures + 1, chance) <= LAST_BAR_SECONDS


def test_a_bad_file_condemns_its_lane_once_everybody_has_looked() -> None:
    breaker = after_failure(Breaker(), "one", Fault.CERTAIN, BROKEN, START, chance=0)
    assert judge(breaker, {"one", "two"}, START) == breaker, "another agent may have a good copy"
    assert admitted(breaker, "one", START + timedelta(days=9)) is Admission.NONE
    assert admitted(breaker, "two", START) is Admission.ONE
    alone = judge(breaker, {"one"}, START)
    assert alone is not None
    assert (alone.state, alone.error) == (BreakerState.CONDEMNED, BROKEN)
    both = judge(after_failure(breaker, "two", Fault.CERTAIN, BROKEN, START, chance=0), {"one", "two"}, START)
    assert both is not None
    assert both.state is BreakerState.CONDEMNED
    assert judge(both, set(), START + timedelta(seconds=CONDEMNED_SECONDS)) is None, "in the end it is tried anew"


def test_enough_agents_speak_for_all() -> None:
    breaker = Breaker()
    for number in range(CERTAIN_AGENTS_MOST):
        assert breaker.state is not BreakerState.CONDEMNED
        breaker = after_failure(breaker, f"agent {number}", Fault.CERTAIN, BROKEN, START, chance=0)
    judged = judge(breaker, {f"agent {number}" for number in range(99)}, START)
    assert judged is not None
    assert judged.state is BreakerState.CONDEMNED


def test_trouble_that_may_pass_never_condemns_and_is_probed() -> None:
    breaker, now = Breaker(), START
    error = ShotError("checkpoint_unreadable", "The disk does not answer.")
    assert fault_of(error.code) is Fault.PASSING
    assert fault_of(BROKEN.code) is Fault.CERTAIN
    for _ in range(30):
        breaker = after_failure(breaker, "one", Fault.PASSING, error, now, chance=0)
        assert judge(breaker, {"one"}, now) == breaker
        assert admitted(breaker, "one", now) is Admission.NONE
        assert error.message in str(why_closed(breaker, "alpha", {"one"}, now))
        now += timedelta(seconds=LAST_BAR_SECONDS)
        assert admitted(breaker, "one", now) is Admission.ONE
        assert admitted(breaker, "one", now, probed=True) is Admission.NONE, "one probe at a time"
    assert after_picture(breaker, "one") is None


def test_crashes_condemn_after_so_many_in_a_row() -> None:
    breaker, now = Breaker(), START
    for _ in range(CRASHES_BEFORE_CONDEMNED):
        assert breaker.state is not BreakerState.CONDEMNED
        breaker = after_failure(breaker, "one", Fault.CRASH, BROKEN, now, chance=0)
        now += timedelta(seconds=LAST_BAR_SECONDS)
    assert breaker.state is BreakerState.CONDEMNED
    assert breaker.error is not None
    assert breaker.error.code == "crashed_while_loading"


def test_the_lane_rests_as_a_whole_after_some_failures() -> None:
    breaker = Breaker()
    for number in range(FAILURES_BEFORE_REST):
        assert admitted(breaker, "fresh", START) is not Admission.NONE
        breaker = after_failure(breaker, f"agent {number}", Fault.PASSING, BROKEN, START, chance=0)
    assert admitted(breaker, "fresh", START) is Admission.NONE
    assert admitted(breaker, "fresh", START, resident=True) is Admission.ALL, "where it is loaded nothing can fail"


def test_a_new_process_is_believed_anew_about_its_copy() -> None:
    certain = after_failure(Breaker(), "one", Fault.CERTAIN, BROKEN, START, chance=0)
    assert after_restart(certain, "one") is None
    assert after_restart(certain, "two") == certain
    crash = after_failure(Breaker(), "one", Fault.CRASH, BROKEN, START, chance=0)
    assert after_restart(crash, "one") == crash, "a crash ends with a new process every time"


class Lane(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.breaker: Breaker | None = None
        self.now = START
        self.crashes = 0  # since the last picture

    @rule(agent=st.sampled_from(AGENTS), fault=st.sampled_from(list(Fault)), chance=st.floats(0, 1))
    def fails(self, agent: str, fault: Fault, chance: float) -> None:
        before = self.breaker or Breaker()
        after = after_failure(before, agent, fault, BROKEN, self.now, chance=chance)
        self.crashes += fault is Fault.CRASH
        if before.state is not BreakerState.CONDEMNED:
            assert admitted(after, agent, self.now) is Admission.NONE, "who failed does not try again at once"
            assert after.failures - before.failures in (0, 1)
        else:
            assert after == before
        self.breaker = judge(after, {agent}, self.now) or after

    @rule(agent=st.sampled_from(AGENTS))
    def draws(self, agent: str) -> None:
        if self.breaker is None:
            return
        self.breaker = after_picture(self.breaker, agent)
        self.crashes = 0
        assert self.breaker is None or self.breaker.state is BreakerState.CLOSED
        assert self.breaker is None or admitted(self.breaker, agent, self.now) is Admission.ALL

    @rule(agent=st.sampled_from(AGENTS))
    def restarts(self, agent: str) -> None:
        if self.breaker is not None:
            self.breaker = after_restart(self.breaker, agent)

    @rule(seconds=st.floats(0, 2000), ready=st.sets(st.sampled_from(AGENTS)))
    def time_passes(self, seconds: float, ready: set[str]) -> None:
        self.now += timedelta(seconds=seconds)
        if self.breaker is not None:
            before = self.breaker
            self.breaker = judge(before, ready, self.now)
            if self.breaker is not None and before.state is not BreakerState.CONDEMNED:
                assert self.breaker in (before, replace(self.breaker, state=BreakerState.CONDEMNED))

    @invariant()
    def nothing_waits_for_ever_without_a_reason(self) -> None:
        if self.breaker is None:
            return
        later = self.now + timedelta(seconds=LAST_BAR_SECONDS)
        free = [agent for agent in AGENTS if admitted(self.breaker, agent, later) is not Admission.NONE]
        barred = [agent for agent, bar in self.breaker.bars.items() if bar.until is None]
        assert self.breaker.state is BreakerState.CONDEMNED or len(free) + len(barred) == len(AGENTS)
        assert self.breaker.crashes <= self.crashes
        if self.breaker.state is BreakerState.OPEN:
            assert all(admitted(self.breaker, agent, later) is not Admission.ALL for agent in AGENTS)
            assert why_closed(self.breaker, "alpha", AGENTS, self.now) is not None


TestLane = Lane.TestCase
