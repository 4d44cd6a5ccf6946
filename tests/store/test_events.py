"""What browsers hear, and only after it is true."""

from typing import Any

import pytest

from stablehand.domain.errors import NotFound
from stablehand.domain.events import Event, ImageAdded, JobChanged, PreviewShown, ShotChanged
from stablehand.domain.jobs import Job, State
from stablehand.protocol import Preview
from stablehand.services.cancel import cancel
from stablehand.services.feed import Subscription
from stablehand.services.jobs import get_job
from stablehand.services.preview import preview
from stablehand.services.watch import unwatch, watch
from tests.store.house import House


def heard(subscription: Subscription) -> list[Event]:
    events = []
    while (event := subscription.get(0)) is not None:
        events.append(event)
    return events


def test_a_job_is_told_from_order_to_picture(house: House) -> None:
    with house.services.feed.subscribe(house.account.id) as mine, house.services.feed.subscribe("stranger") as other:
        job = house.order()
        hand = house.agent()
        [told] = heard(mine)
        assert isinstance(told, JobChanged)
        assert told.job.id == job.id
        assert told.job.state is State.QUEUED
        lease = hand.claim_one()
        shot, changed = heard(mine)
        assert isinstance(shot, ShotChanged)
        assert shot.shot.state is State.RUNNING
        assert isinstance(changed, JobChanged)
        assert changed.job.state is State.RUNNING
        hand.renew(lease, progress=0.5)
        hand.renew(lease, progress=0.5)
        [moved] = heard(mine)
        assert isinstance(moved, ShotChanged)
        assert (moved.job_id, moved.shot.progress) == (job.id, 0.5)
        hand.draw(lease)
        ended, added, finished = heard(mine)
        assert isinstance(ended, ShotChanged)
        assert (ended.shot.state, ended.shot.progress) == (State.SUCCEEDED, 1.0)
        assert isinstance(added, ImageAdded)
        assert added.image.job_id == job.id
        assert isinstance(finished, JobChanged)
        assert finished.job == house.job(job.id)
        assert house.services.feed.board._progress == {}
        assert heard(other) == []


def test_a_cancelled_job_is_one_event_however_many_shots_it_has(house: House) -> None:
    job = house.order(count=500)
    with house.services.feed.subscribe(house.account.id) as mine:
        cancel(house.services, house.account, job.id)
        [told] = heard(mine)
        assert isinstance(told, JobChanged)
        assert told.job.state is State.CANCELLED


def test_what_is_refused_is_not_told(house: House) -> None:
    house.order()
    hand = house.agent()
    lease = hand.claim_one()
    hand.release(lease)
    with house.services.feed.subscribe() as everything:
        hand.fail(lease)
        hand.release(lease)
        hand.renew(lease, progress=0.9)
        assert heard(everything) == []
    assert house.services.feed.progress(lease.shot_id) == 0.0


def test_previews_flow_only_while_somebody_watches(house: House) -> None:
    job = house.order()
    hand = house.agent()
    lease = hand.claim_one()
    message = Preview(
        incarnation=hand.incarnation,
        shot_id=lease.shot_id,
        token=lease.token,
        progress=0.5,
        data_url="data:image/jpeg;base64,AAAA",
    )
    with house.services.feed.subscribe(house.account.id) as mine:
        assert hand.renew(lease).watched == []
        heard(mine)
        assert preview(house.services, hand.agent, message).accepted == [lease.shot_id]
        assert heard(mine) == []
        watch(house.services, house.account, job.id)
        assert hand.renew(lease).watched == [lease.shot_id]
        preview(house.services, hand.agent, message)
        [shown] = heard(mine)
        assert shown == PreviewShown(house.account.id, job.id, 0, 0.5, "data:image/jpeg;base64,AAAA")
        late = message.model_copy(update={"token": lease.token + 1})
        assert preview(house.services, hand.agent, late).accepted == []
        unwatch(house.services, job.id)
        assert hand.renew(lease).watched == []
        with pytest.raises(NotFound):
            watch(house.services, house.account, "no-such-job")


def test_a_picture_that_is_delivered_while_its_job_is_looked_at_has_not_just_begun(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = house.order()
    hand = house.agent()
    hand.renew(hand.claim_one(), progress=0.9)
    read = house.services.store.job

    def delivered_meanwhile(*which: str, **how: Any) -> Job:
        house.services.feed.forget_progress([shot.id for shot in read(*which, **how).shots])
        return read(*which, **how)  # as of the moment before: it runs

    monkeypatch.setattr(house.services.store, "job", delivered_meanwhile)
    [shot] = get_job(house.services, house.account, job.id).shots
    assert (shot.state, shot.progress) == (State.RUNNING, 0.9)
