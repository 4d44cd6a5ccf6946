"""Dispatches: one for each destination of a notice, carried until it arrives or is given up; nobody holds up others."""

import threading
from collections import Counter
from collections.abc import Iterator, Sequence

import pytest
from sqlalchemy import event, insert, select, text

from stablehand.domain.dispatches import (
    PAUSES_SECONDS,
    PER_DESTINATION,
    Arrived,
    Dispatch,
    Never,
    NotNow,
    Room,
)
from stablehand.domain.errors import StoreUnavailable
from stablehand.domain.notices import JOB_KINDS, Notice
from stablehand.domain.notify import Notify
from stablehand.ports import Channel
from stablehand.services.cancel import cancel
from stablehand.services.courier import Courier, carry
from stablehand.services.dispatch import Carriage, DispatchSink
from stablehand.services.retry import retry
from stablehand.store import dispatches
from stablehand.store.dispatch_log import DispatchFilter
from stablehand.store.dispatch_rows import DispatchRow
from tests.running import eventually
from tests.store.house import House


class Van:
    """A channel to the destinations it is given, which remembers what it carried."""

    pauses_seconds: Sequence[float] = PAUSES_SECONDS

    def __init__(self, *destinations: str, name: str = "van", at_once: int = 32) -> None:
        self.name = name
        self.at_once = at_once
        self.carried: list[tuple[str, str]] = []  # destination, id of the notice
        self.ends: dict[str, Arrived | NotNow | Never] = {}  # by destination; else it arrives
        self._destinations = destinations

    def destinations(self, notice: Notice) -> Sequence[str]:
        return self._destinations

    def carry(self, dispatch: Dispatch, notice: Notice) -> Arrived | NotNow | Never:
        self.carried.append((dispatch.road.destination, notice.id))
        return self.ends.get(dispatch.road.destination, Arrived(status=200, answer="thank\0s"))


def expand(house: House, *channels: Channel) -> None:
    """Take every notice of the outbox to the sink of dispatches."""
    sink = DispatchSink(house.services, channels)
    while carry(house.services, dict.fromkeys(JOB_KINDS, (sink,)), Counter(), lambda: 0.5):
        pass


def states(house: House, channel: str = "van") -> dict[str, int]:
    counts = house.services.store.dispatch_counts()
    return {one.state.value: one.count for one in counts if one.channel == channel}


def test_a_notice_goes_to_each_destination_once(house: House) -> None:
    house.order()
    van = Van("here", "there")
    expand(house, van)
    carriage = Carriage(house.services, [van])
    assert carriage.empty() == {("van", "arrived"): 2}
    assert sorted(destination for destination, _ in van.carried) == ["here", "there"]
    assert len({notice for _, notice in van.carried}) == 1, "one event, one id"
    assert carriage.empty() == {}


def test_a_notice_that_is_taken_twice_makes_no_second_dispatch(house: House) -> None:
    house.order()
    van = Van("here")
    [notice] = house.services.store.claim_notices(10)
    sink = DispatchSink(house.services, [van])
    sink.take(notice)
    sink.take(notice)
    assert Carriage(house.services, [van]).empty() == {("van", "arrived"): 1}
    sink.take(notice)
    assert Carriage(house.services, [van]).empty() == {}


def test_what_fails_is_tried_again_ever_more_rarely_and_then_given_up(house: House) -> None:
    house.order()
    van = Van("bad", "good")
    van.ends["bad"] = NotNow(error="the road is closed", status=503, answer="sorry")
    expand(house, van)
    carriage = Carriage(house.services, [van], jitter=lambda: 0.5)
    for pause in PAUSES_SECONDS:
        carriage.empty()
        house.clock.turn(pause - 0.1)
        assert carriage.empty() == {}
        house.clock.turn(0.1)
    assert carriage.empty() == {("van", "dead"): 1}
    assert carriage.tally == {("van", "arrived"): 1, ("van", "failed"): len(PAUSES_SECONDS), ("van", "dead"): 1}
    assert states(house) == {"dead": 1}
    assert sum(PAUSES_SECONDS) >= 3 * 86_400, "three days"


def test_every_try_is_written_down_with_the_answer(house: House) -> None:
    house.order()
    van = Van("here")
    van.ends["here"] = NotNow(error="busy", status=503, answer="later")
    expand(house, van)
    carriage = Carriage(house.services, [van])
    carriage.empty()
    van.ends.clear()
    house.clock.turn(PAUSES_SECONDS[0] * 2)
    store = house.services.store
    [claimed] = store.claim_dispatches(
        lambda due: [one.number for one in due], room=Room(channels=frozenset({"van"})), under_way=()
    )
    carriage.empty()
    _, tries = store.dispatch(claimed.dispatch.id, house.account.id)
    assert [(one.status, one.error, one.answer) for one in tries] == [(503, "busy", "later"), (200, "", "thanks")]


def test_a_receiver_may_ask_for_a_longer_pause_and_one_that_never_wants_it_gets_it_once(house: House) -> None:
    house.order()
    van = Van("slow", "never")
    van.ends = {"slow": NotNow(error="429", after_seconds=1_000), "never": Never(error="550 no such mailbox")}
    expand(house, van)
    carriage = Carriage(house.services, [van])
    assert carriage.empty() == {("van", "failed"): 1, ("van", "dead"): 1}
    house.clock.turn(999)
    assert carriage.empty() == {}
    house.clock.turn(2)
    assert carriage.empty() == {("van", "failed"): 1}


def test_a_channel_with_a_bug_costs_a_try(house: House) -> None:
    class Broken(Van):
        def carry(self, dispatch: Dispatch, notice: Notice) -> Arrived:
            raise ZeroDivisionError

    house.order()
    van = Broken("here")
    expand(house, van)
    assert Carriage(house.services, [van]).empty() == {("van", "failed"): 1}


def test_what_no_channel_knows_waits_for_one_that_does_and_hides_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatches, "LOOK", 1)
    house.order()
    van = Van("here")
    expand(house, Van("here", name="pigeons"), van)
    assert Carriage(house.services, [van]).empty() == {("van", "arrived"): 1}
    assert states(house, "pigeons") == {"waiting": 1}


def test_a_database_that_is_away_costs_no_try(house: House) -> None:
    class Cut(Van):
        def carry(self, dispatch: Dispatch, notice: Notice) -> Arrived | NotNow | Never:
            if len(self.carried) == 0:
                super().carry(dispatch, notice)
                raise StoreUnavailable("The database cannot be reached.")
            return super().carry(dispatch, notice)

    house.order()
    van = Cut("here")
    expand(house, van)
    assert Carriage(house.services, [van]).empty() == {}
    house.clock.turn(2 * PAUSES_SECONDS[0])
    assert Carriage(house.services, [van]).empty() == {("van", "arrived"): 1}
    [entry] = house.services.store.dispatches(house.account.id, DispatchFilter(), limit=5, cursor=None).items
    assert entry.tries == 1


def test_the_word_of_a_carrier_that_was_followed_by_another_counts_no_more(house: House) -> None:
    house.order()
    van = Van("here")
    expand(house, van)
    overtaken = threading.Event()

    class Overtaken(Van):
        def carry(self, dispatch: Dispatch, notice: Notice) -> Arrived | NotNow | Never:
            Carriage(house.services, [van]).empty()  # another process leads, and is quicker
            overtaken.set()
            return NotNow(error="too late")

    Carriage(house.services, [Overtaken("here")]).empty()
    assert overtaken.is_set()
    assert states(house) == {}, "it has arrived and stays so"


@pytest.fixture
def stalled() -> Iterator[threading.Event]:
    """A receiver that answers when this is set."""
    event = threading.Event()
    yield event
    event.set()


def test_a_receiver_that_stalls_holds_up_nobody_else(house: House, stalled: threading.Event) -> None:
    class Stalling(Van):
        def carry(self, dispatch: Dispatch, notice: Notice) -> Arrived | NotNow | Never:
            if dispatch.road.destination == "stalls":
                stalled.wait(60)
            return super().carry(dispatch, notice)

    jobs = [house.order() for _ in range(3 * PER_DESTINATION)]
    van = Stalling("stalls", "good")
    expand(house, van)
    carriage = Carriage(house.services, [van])
    carriage.start()
    eventually(lambda: len(van.carried) == len(jobs), "the good one has them all")
    assert {destination for destination, _ in van.carried} == {"good"}
    stalled.set()
    eventually(lambda: states(house) == {}, "and then the other")
    carriage.stop()


def test_the_courier_carries_dispatches_while_it_leads(house: House) -> None:
    van = Van("here")
    carriage = Carriage(house.services, [van])
    courier = Courier(house.services, dict.fromkeys(JOB_KINDS, (DispatchSink(house.services, [van]),)), carriage)
    courier.start()
    eventually(lambda: courier.leads, "it leads")
    job = house.order()
    cancel(house.services, house.account, job.id)
    eventually(lambda: carriage.tally["van", "arrived"] == 2, "both notices are there")
    courier.stop()


def test_whom_a_job_tells_is_kept_with_it_and_goes_along_when_it_is_ordered_again(house: House) -> None:
    notify = Notify(email=False, webhook_url="https://93.184.216.34/hook")
    job = house.order(notify=notify)
    assert job.notify == notify
    cancel(house.services, house.account, job.id)
    assert retry(house.services, house.account, job.id).notify == notify
    assert house.order().notify is None


def test_what_went_to_addresses_of_jobs_is_found_by_its_own_index(house: House) -> None:
    house.order()
    expand(house, Van("https://example.org/of-a-job", name="webhook"))
    engine = house.services.store.engine
    asked: list[tuple[str, object]] = []

    def note(*said: object) -> None:
        _, _, statement, parameters, *_ = said
        if "FROM dispatches" in str(statement):
            asked.append((str(statement), parameters))

    with engine.begin() as connection:
        row = dict(connection.execute(select(DispatchRow.__table__)).mappings().one())
        del row["number"]
        others = [{**row, "id": f"d{n}", "destination": f"w{n % 3}", "notice_id": f"n{n}"} for n in range(2000)]
        connection.execute(insert(DispatchRow), others)
        connection.execute(text("ANALYZE dispatches"))
    event.listen(engine, "before_cursor_execute", note)
    brought = house.services.store.dispatches(house.account.id, DispatchFilter(brought=True), limit=5, cursor=None)
    event.remove(engine, "before_cursor_execute", note)
    assert [entry.destination for entry in brought.items] == ["https://example.org/of-a-job"]
    [(statement, parameters)] = asked
    explain = "EXPLAIN QUERY PLAN" if engine.dialect.name == "sqlite" else "EXPLAIN"
    with engine.connect() as connection:
        plan = connection.exec_driver_sql(f"{explain} {statement}", parameters).all()  # type: ignore[arg-type]
    steps = " / ".join(str(step[-1]) for step in plan)
    assert "dispatches_brought" in steps, steps
    assert "TEMP B-TREE" not in steps, steps
