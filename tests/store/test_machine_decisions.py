"""The same machine, with what owners and administrators decide: moves, dead letters tried again, agents sent away."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule, run_state_machine_as_test
from sqlalchemy import select

from stablehand.domain.deadletters import LetterFilter
from stablehand.domain.errors import Conflict, Superseded, UnknownIncarnation
from stablehand.domain.jobs import State
from stablehand.services import Limits, Services
from stablehand.services.agents import drain_agent, pause_agent, resume_agent
from stablehand.services.deadletters import list_letters, retry_letters
from stablehand.services.move import move
from stablehand.store.models import ShotRow
from tests.store.house import Clock, open_services
from tests.store.test_machine import AGENTS, EXAMPLES, PROFILE, SEATS, Machine


class AdministeredMachine(Machine):
    @precondition(lambda self: len(self.accepted) > 1)
    @rule(data=st.data(), to=st.sampled_from(["front", "back", "before"]))
    def move(self, data: st.DataObject, to: str) -> None:
        job_id, other = (data.draw(st.sampled_from(sorted(self.accepted))) for _ in range(2))
        tags = self.tags()
        with self.may_change([], set()):
            try:
                move(
                    self.services,
                    self.house.account,
                    job_id,
                    before=other if to == "before" else None,
                    front=to == "front",
                )
            except Conflict:
                return
        assert self.tags() == tags, "the places stay the same ones"

    @rule(narrow=st.booleans())
    def retries_dead_letters(self, narrow: bool) -> None:
        wanted = LetterFilter(code="oops") if narrow else LetterFilter()
        waiting = len(list_letters(self.services, wanted, limit=200).items)
        with self.may_change([], set()):
            done = retry_letters(self.services, wanted)
            for job_id in done.jobs:
                self.note_job(job_id, self.house.job(job_id).count)
        assert (done.shots, done.refused) == (waiting, ())
        assert list_letters(self.services, wanted).items == ()

    @rule(name=st.sampled_from(AGENTS), decision=st.sampled_from([drain_agent, pause_agent, resume_agent]))
    def decides_about_an_agent(self, name: str, decision: Callable[[Services, str], object]) -> None:
        hand = self.hands[name]
        with self.may_change(self.held_by(hand) if decision is pause_agent else [], {State.QUEUED, State.CANCELLED}):
            decision(self.services, name)
        if decision is not resume_agent:
            with self.may_change(self.held_by(hand), {State.QUEUED, State.CANCELLED}):
                try:
                    assert hand.claim(SEATS) == []
                except (UnknownIncarnation, Superseded):
                    return

    def tags(self) -> list[tuple[str, int, float]]:
        with self.services.store.reading() as tx:
            query = select(ShotRow.account_id, ShotRow.tier_rank, ShotRow.tag).order_by(
                ShotRow.account_id, ShotRow.tier_rank, ShotRow.tag
            )
            return [(account_id, rank, tag) for account_id, rank, tag in tx.session.execute(query)]


@pytest.mark.timeout(0 if EXAMPLES else 300)
def test_any_order_of_events_and_decisions_keeps_the_laws(database: str, tmp_path: Path) -> None:
    clock = Clock()
    services = open_services(tmp_path, clock=clock, url=database, limits=Limits(retry_count=1))

    class Bound(AdministeredMachine):
        def __init__(self) -> None:
            super().__init__(services, clock)

    run_state_machine_as_test(Bound, settings=PROFILE)
    services.store.close()
