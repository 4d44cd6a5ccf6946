"""Calls that wait: they go through the queue like any order, outlive whoever waits, and are taken up again."""

from dataclasses import replace

import pytest

from stablehand.domain.calls import RESUME_SECONDS, Call, fingerprint_of
from stablehand.domain.credentials import Caller
from stablehand.domain.errors import CallerGone, NotFound, StillDrawing
from stablehand.domain.jobs import Job, State
from stablehand.domain.orders import JobOrder
from stablehand.services.cancel import cancel
from stablehand.services.draw import Begun, Patience, await_call, begin_call, newest_call, pending_calls
from stablehand.services.jobs import get_job
from tests.store.house import House

NO_TIME = Patience(seconds=0.0)


def caller(house: House, *, other: bool = False) -> Caller:
    """The owner; ``other``: the same account at another door."""
    return OtherCaller(house.account) if other else Caller(house.account)


class OtherCaller(Caller):
    @property
    def credential(self) -> str:
        return "key:another"


def begin(house: House, who: Caller, body: str = "a red house", **given: str) -> Begun:
    return begin_call(
        house.services,
        who,
        kind="txt2img",
        fingerprint=fingerprint_of("txt2img", {"prompt": body}),
        order=lambda: JobOrder(prompt=body),
        **given,  # type: ignore[arg-type]
    )


def draw_all(house: House) -> None:
    agent = house.agent()
    for lease in agent.claim(8):
        agent.draw(lease)


def test_a_call_is_an_order_and_its_answer_the_job_that_has_ended(house: House) -> None:
    begun = begin(house, caller(house), task_id="mine")
    assert begun.job.tier == "premium", "the best that the account may use"
    draw_all(house)
    job = await_call(house.services, caller(house), begun, Patience(seconds=60.0))
    assert (job.id, job.state, len(job.images)) == (begun.job.id, State.SUCCEEDED, 1)
    assert newest(house, caller(house)) == ("mine", begun.job.id)


def newest(house: House, who: Caller, task_id: str | None = None) -> tuple[str, str] | None:
    found: tuple[Call, Job] | None = newest_call(house.services, who, task_id=task_id)
    return None if found is None else (found[0].task_id, found[1].id)


def test_what_nobody_waited_for_to_the_end_goes_on_and_is_taken_up_by_the_same_body(house: House) -> None:
    who = caller(house)
    begun = begin(house, who)
    with pytest.raises(StillDrawing) as late:
        await_call(house.services, who, begun, NO_TIME)
    assert late.value.job_id == begun.job.id
    assert late.value.job_id in late.value.message
    assert begin(house, who, "a blue house").job.id != begun.job.id, "another body is another order"
    assert begin(house, caller(house, other=True)).job.id != begun.job.id, "and another client has its own"

    again = begin(house, who)
    assert again.resumed
    assert again.job.id == begun.job.id
    draw_all(house)
    assert await_call(house.services, who, again, Patience(seconds=60.0)).state is State.SUCCEEDED
    assert begin(house, who).job.id != begun.job.id, "what was answered is not answered twice"


def test_after_ten_minutes_the_same_body_is_a_new_order(house: House) -> None:
    who = caller(house)
    begun = begin(house, who)
    with pytest.raises(StillDrawing):
        await_call(house.services, who, begun, NO_TIME)
    house.clock.turn(RESUME_SECONDS + 1)
    fresh = begin(house, who)
    assert not fresh.resumed
    assert fresh.job.id != begun.job.id


def test_what_was_cancelled_meanwhile_is_ordered_anew(house: House) -> None:
    who = caller(house)
    begun = begin(house, who)
    with pytest.raises(StillDrawing):
        await_call(house.services, who, begun, NO_TIME)
    cancel(house.services, house.account, begun.job.id)
    assert begin(house, who).job.id != begun.job.id


def test_two_bodies_that_are_never_waited_for_are_two_orders(house: House) -> None:
    assert begin(house, caller(house)).job.id != begin(house, caller(house)).job.id


@pytest.mark.parametrize(("cancels", "state"), [(True, State.CANCELLED), (False, State.QUEUED)])
def test_a_client_that_hangs_up_takes_its_order_along_or_not(house: House, cancels: bool, state: State) -> None:
    who = caller(house)
    begun = begin(house, who)
    with pytest.raises(CallerGone):
        await_call(house.services, who, begun, Patience(seconds=60.0, hung_up=lambda: True, cancels=cancels))
    assert get_job(house.services, house.account, begun.job.id).state is state
    assert begin(house, who).resumed is not cancels, "what goes on is taken up again"


def test_each_client_sees_its_own_calls_the_newest_first(house: House) -> None:
    mine, theirs = caller(house), caller(house, other=True)
    assert newest(house, mine) is None
    first = begin(house, mine, task_id="first")
    other = begin(house, theirs, task_id="theirs")
    second = begin(house, mine, task_id="second")
    assert newest(house, mine) == ("second", second.job.id)
    assert newest(house, mine, "first") == ("first", first.job.id)
    assert newest(house, mine, "theirs") is None
    assert newest(house, theirs) == ("theirs", other.job.id)
    assert [call.task_id for call in pending_calls(house.services, mine)] == ["first", "second"]
    cancel(house.services, house.account, second.job.id)
    assert newest(house, mine) == ("first", first.job.id), "what goes on is asked for, not what has ended"
    draw_all(house)
    assert pending_calls(house.services, mine) == ()
    assert newest(house, mine) == ("second", second.job.id)


def test_a_stranger_neither_sees_nor_takes_up_a_call(house: House) -> None:
    begun = begin(house, caller(house))
    with pytest.raises(StillDrawing):
        await_call(house.services, caller(house), begun, NO_TIME)
    stranger = Caller(replace(house.account, id="stranger"))
    assert newest(house, stranger) is None
    with pytest.raises(NotFound):
        await_call(house.services, stranger, begun, NO_TIME)


def test_old_calls_are_forgotten_with_the_rest(house: House) -> None:
    who = caller(house)
    begin(house, who)
    house.clock.turn(3 * 86_400)
    house.services.store.forget_old_rows(idempotency_hours=24, outbox_days=7, attempts_days=30)
    assert newest(house, who) is None


def test_what_a_client_sets_is_its_own(house: House) -> None:
    store = house.services.store
    store.set_client_options("key:a", house.account.id, {"samples_format": "jpeg", "CLIP_stop_at_last_layers": 2})
    store.set_client_options("key:b", house.account.id, {"samples_format": "webp"})
    store.set_client_options("key:a", house.account.id, {"samples_format": "png"})
    assert store.client_options("key:a") == {"samples_format": "png"}
    assert store.client_options("key:b") == {"samples_format": "webp"}
    store.set_client_options("key:b", house.account.id, {})
    assert store.client_options("key:b") == {}
