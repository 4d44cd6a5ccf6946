"""Moving a job among one's own, on both stores."""

import pytest
from sqlalchemy import select

from stablehand.domain.errors import Conflict, NotFound
from stablehand.services.cancel import cancel
from stablehand.services.move import move
from stablehand.store.models import AccountRow, ShotRow
from tests.store.house import House


def tags(house: House) -> dict[str, list[float]]:
    """account id -> its tags, in order of size."""
    with house.services.store.reading() as tx:
        found: dict[str, list[float]] = {}
        for account_id, tag in tx.session.execute(select(ShotRow.account_id, ShotRow.tag).order_by(ShotRow.tag)):
            found.setdefault(account_id, []).append(tag)
        return found


def drawn(house: House) -> list[str]:
    """Ids of the jobs in the order in which an agent gets them."""
    hand = house.agent()
    order: list[str] = []
    while leases := hand.claim(1):
        for lease in leases:
            hand.draw(lease)
            order.append(lease.job_id)
    return list(dict.fromkeys(order))


def stranger(house: House) -> House:
    """The same house with another account."""
    with house.services.store.writing() as tx:
        tx.session.add(AccountRow(id="stranger", name="stranger", role="user", created_at=tx.now))
    other = House(house.services, house.clock)
    other.account = house.services.store.account("stranger")
    return other


def test_jobs_change_places_and_nobody_elses_place_changes(house: House) -> None:
    other = stranger(house)
    mine = [house.order(count=2, tier="normal").id]
    theirs = [other.order(tier="normal").id]
    mine += [house.order(count=3, tier="normal").id, house.order(tier="normal").id]
    theirs += [other.order(count=2, tier="normal").id]
    before = tags(house)
    first, second, third = mine
    move(house.services, house.account, third, front=True)
    move(house.services, house.account, first, before=second)
    move(house.services, house.account, second)
    assert tags(house) == before
    order = drawn(house)
    assert [job_id for job_id in order if job_id in mine] == [third, first, second]
    assert [job_id for job_id in order if job_id in theirs] == theirs


def test_only_what_waits_moves(house: House) -> None:
    first, second = house.order(count=2).id, house.order().id
    hand = house.agent()
    running = hand.claim_one()
    move(house.services, house.account, first)
    assert [lease.job_id for lease in hand.claim(8)] == [second, first]
    with pytest.raises(Conflict):
        move(house.services, house.account, first, front=True)
    assert hand.draw(running).accepted


def test_what_cannot_be_moved_says_so(house: House) -> None:
    premium, normal = house.order(tier="premium").id, house.order(tier="normal").id
    with pytest.raises(Conflict):
        move(house.services, house.account, premium, before=normal)
    gone = house.order(tier="normal").id
    cancel(house.services, house.account, gone)
    for job_id, before in ((gone, normal), (normal, gone)):
        with pytest.raises(Conflict):
            move(house.services, house.account, job_id, before=before)
    foreign = stranger(house).order(tier="normal").id
    for job_id in (foreign, "nothing"):
        with pytest.raises(NotFound):
            move(house.services, house.account, job_id)
    with pytest.raises(NotFound):
        move(house.services, house.account, normal, before=foreign)
