"""The outbox and its courier: in order for each job, again and again, with one id, until delivered or dead."""

import json
from collections import Counter
from pathlib import Path

import pytest

from stablehand.adapters.notices_file import NoticesFile
from stablehand.domain.events import NoticeGiven
from stablehand.domain.notices import JOB_KINDS, KINDS, PAUSES_SECONDS, Notice
from stablehand.ports import Sink, SinkFailed
from stablehand.services.cancel import cancel
from stablehand.services.courier import Courier, LiveSink, Sinks, carry, list_dead_notices, redeliver
from stablehand.services.purge import purge
from tests.running import eventually
from tests.store.house import House

#: what is told of a job that ends without a picture
ENDED = ["job_submitted", "job_finished"]


def sinks_for(*sinks: Sink) -> Sinks:
    return dict.fromkeys(KINDS, sinks)


class Box:
    """A sink that remembers, and that fails as long as it is told to."""

    def __init__(self) -> None:
        self.taken: list[Notice] = []
        self.failing: set[str] = set()  # jobs

    def take(self, notice: Notice) -> None:
        if notice.job_id in self.failing:
            raise SinkFailed("the road is closed")
        self.taken.append(notice)

    def sinks(self) -> Sinks:
        return sinks_for(self)


def rounds(house: House, box: Box) -> Counter[tuple[str, str]]:
    """Carry until nothing is due."""
    tally: Counter[tuple[str, str]] = Counter()
    while carry(house.services, box.sinks(), tally, lambda: 0.5):
        pass
    return tally


def test_each_notice_comes_once_in_the_order_of_its_job(house: House) -> None:
    first, second = house.order(), house.order()
    cancel(house.services, house.account, second.id)
    hand = house.agent()
    hand.draw(hand.claim_one())
    box = Box()
    tally = rounds(house, box)
    assert len({notice.id for notice in box.taken}) == len(box.taken) == 5
    assert [notice.kind for notice in box.taken if notice.job_id == first.id] == list(JOB_KINDS)
    assert [notice.kind for notice in box.taken if notice.job_id == second.id] == ENDED
    assert {notice.payload["state"] for notice in box.taken if notice.kind == "job_finished"} == {
        "succeeded",
        "cancelled",
    }
    assert tally == {(kind, "delivered"): 1 if kind == "image_delivered" else 2 for kind in JOB_KINDS}
    assert rounds(house, box) == {}


def test_what_fails_holds_up_its_own_job_only_and_comes_with_the_same_id(house: House) -> None:
    bad, good = house.order(), house.order()
    for job in (bad, good):
        cancel(house.services, house.account, job.id)
    box = Box()
    box.failing = {bad.id}
    rounds(house, box)
    assert {notice.job_id for notice in box.taken} == {good.id}
    state = house.services.store.outbox_state()
    assert (state.waiting, state.dead, state.most_tries, state.lag_seconds) == (2, 0, 1, 0.0)
    house.clock.turn(PAUSES_SECONDS[0] - 0.1)
    assert rounds(house, box) == {}
    house.clock.turn(0.2)
    assert house.services.store.outbox_state().lag_seconds == pytest.approx(PAUSES_SECONDS[0] + 0.1)
    box.failing = set()
    rounds(house, box)
    assert [notice.kind for notice in box.taken if notice.job_id == bad.id] == ENDED


def test_after_days_a_notice_is_dead_and_the_next_of_its_job_goes_on(house: House) -> None:
    job = house.order()
    cancel(house.services, house.account, job.id)
    box = Box()
    box.failing = {job.id}
    tally: Counter[tuple[str, str]] = Counter()
    for pause in (*PAUSES_SECONDS, 0):
        tally += rounds(house, box)
        house.clock.turn(pause)
    assert tally == {
        ("job_submitted", "failed"): len(PAUSES_SECONDS),
        ("job_submitted", "dead"): 1,
        ("job_finished", "failed"): 1,
    }
    box.failing = set()
    house.clock.turn(PAUSES_SECONDS[0])
    rounds(house, box)
    assert [notice.kind for notice in box.taken] == ["job_finished"]
    [dead] = list_dead_notices(house.services).items
    assert (dead.kind, dead.job_id, dead.tries) == ("job_submitted", job.id, len(PAUSES_SECONDS) + 1)
    assert dead.error == "the road is closed"
    assert redeliver(house.services, ["unknown"]) == 0
    assert redeliver(house.services, [dead.id]) == 1
    rounds(house, box)
    assert [notice.id for notice in box.taken][1:] == [dead.id]
    assert house.services.store.outbox_state().dead == 0


def test_dead_notices_are_paged_and_revived_all_at_once(house: House) -> None:
    jobs = [house.order() for _ in range(3)]
    box = Box()
    box.failing = {job.id for job in jobs}
    for pause in (*PAUSES_SECONDS, 0):
        rounds(house, box)
        house.clock.turn(pause)
    page = list_dead_notices(house.services, limit=2)
    rest = list_dead_notices(house.services, limit=2, cursor=page.next_cursor)
    assert [notice.job_id for notice in (*page.items, *rest.items)] == [job.id for job in reversed(jobs)]
    assert rest.next_cursor is None
    assert redeliver(house.services, None) == 3


def test_the_word_of_a_courier_that_was_followed_by_another_counts_no_more(house: House) -> None:
    job = house.order()
    store = house.services.store
    [slow] = store.claim_notices(10)
    [quick] = store.claim_notices(10)
    assert (slow.id, slow.job_id, slow.token + 1) == (quick.id, job.id, quick.token)
    assert store.settle_notices([slow], []) == 0
    assert store.outbox_state().waiting == 1
    assert store.settle_notices([quick], []) == 1
    assert store.settle_notices([quick], []) == 0


def test_a_kind_that_nobody_knows_is_kept_for_a_version_that_does(house: House) -> None:
    house.order()
    tally: Counter[tuple[str, str]] = Counter()
    carry(house.services, {}, tally, lambda: 0.5)
    assert tally == {("job_submitted", "failed"): 1}


def test_a_sink_with_a_bug_costs_a_try_not_the_courier(house: House) -> None:
    class Broken:
        def take(self, notice: Notice) -> None:
            raise ZeroDivisionError

    house.order()
    tally: Counter[tuple[str, str]] = Counter()
    assert carry(house.services, {"job_submitted": [Broken()]}, tally, lambda: 0.5) == 1
    assert tally == {("job_submitted", "failed"): 1}


def test_only_what_was_delivered_is_swept(house: House) -> None:
    told, untold = house.order(), house.order()
    box = Box()
    box.failing = {untold.id}
    rounds(house, box)
    house.clock.turn(house.services.limits.outbox_days * 86_400 + 1)
    purge(house.services)
    [left] = house.services.store.claim_notices(10)
    assert left.job_id == untold.id
    assert told.id != untold.id


def test_one_leads_and_the_next_follows(house: House) -> None:
    store = house.services.store
    lead = store.try_lead("courier")
    assert lead is not None
    assert lead.holds()
    assert store.try_lead("courier") is None
    other = store.try_lead("upkeep")
    assert other is not None
    other.close()
    lead.close()
    with_again = store.try_lead("courier")
    assert with_again is not None
    with_again.close()


def test_the_thread_carries_what_is_written_while_it_runs(house: House, tmp_path: Path) -> None:
    path = tmp_path / "notices.jsonl"
    sinks = sinks_for(LiveSink(house.services.feed), NoticesFile(path))
    courier = Courier(house.services, sinks)
    waiting = Courier(house.services, sinks)
    with house.services.feed.subscribe(house.account.id) as mine:
        courier.start()
        eventually(lambda: courier.leads, "it leads")
        waiting.start()
        job = house.order()
        cancel(house.services, house.account, job.id)
        eventually(lambda: path.exists() and len(path.read_text().splitlines()) == 2, "both are delivered")
        assert not waiting.leads
        courier.stop()
        eventually(lambda: waiting.leads, "the other follows")
        waiting.stop()
        events = [event for event in iter(lambda: mine.get(0), None) if isinstance(event, NoticeGiven)]
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["kind"] for line in lines] == ENDED
    assert lines == [event.notice.as_dict() for event in events]
    assert set(lines[0]) == {"id", "kind", "account_id", "job_id", "created_at", "count"}


def test_a_file_that_cannot_be_written_fails_as_sinks_do(tmp_path: Path, house: House) -> None:
    house.order()
    [notice] = house.services.store.claim_notices(1)
    with pytest.raises(SinkFailed, match="cannot be written"):
        NoticesFile(tmp_path / "missing" / "notices.jsonl").take(notice)
