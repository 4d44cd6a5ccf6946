"""Links to pictures: made, followed, ended."""

from datetime import timedelta

import pytest

from stablehand.domain.errors import Conflict, InvalidFields, LinkExpired, LinkRevoked, LinkVoid, NotFound
from stablehand.domain.links import REMEMBERED_DAYS, Linked
from stablehand.services.erase import erase
from stablehand.services.gallery import delete_image, restore_image
from stablehand.services.links import (
    HOUR_SECONDS,
    Addresses,
    follow,
    hour_token,
    ids_of,
    list_links,
    make_link,
    picture_of,
    pictures_of,
    revoke_link,
    revoke_links,
    token_of,
)
from stablehand.services.purge import purge
from stablehand.services.suspend import suspend
from stablehand.store import links
from tests.store.house import Clock, House
from tests.store.members import sign_up

KEY = "a secret that signs links in tests"
DAY = timedelta(days=1)


def now(clock: Clock) -> float:
    return clock.now.timestamp()


def draw(house: House, count: int = 1) -> str:
    """Id of a job whose pictures have been delivered."""
    job = house.order(count)
    hand = house.agent()
    hand.deliver(*[hand.upload(lease) for lease in hand.claim(count)])
    return job.id


def as_member(house: House, name: str = "ada") -> None:
    house.account = house.services.store.account(sign_up(house, name))


def test_each_kind_of_link_leads_to_its_pictures_and_not_to_those_in_the_trash(house: House) -> None:
    services, account = house.services, house.account
    job_id = draw(house, 3)
    first, second, third = (image.id for image in house.job(job_id).images)
    until = house.clock.now + DAY
    for what, ids in (
        (Linked.to_image(second), [second]),
        (Linked.to_job(job_id), [first, second, third]),
        (Linked.to_images([third, first, third]), [third, first]),
    ):
        link = make_link(services, account.id, what, until)
        followed = follow(services, KEY, token_of(KEY, link), now=now(house.clock))
        assert [image.id for image in pictures_of(services, followed, ids_of(services, followed))] == ids
        assert picture_of(services, followed, ids[0]).id == ids[0]
        delete_image(services, account, ids[0])
        assert ids_of(services, followed) == ids[1:]
        assert [image.id for image in pictures_of(services, followed, ids)] == ids[1:]
        with pytest.raises(NotFound):
            picture_of(services, followed, ids[0])
        restore_image(services, account, ids[0])


def test_a_link_leads_to_nothing_but_its_own_pictures(house: House) -> None:
    services, account = house.services, house.account
    first, second = house.job(draw(house, 2)).images
    job_id = draw(house)
    for what in (Linked.to_image(first.id), Linked.to_images([first.id]), Linked.to_job(job_id)):
        link = make_link(services, account.id, what, house.clock.now + DAY)
        with pytest.raises(NotFound):
            picture_of(services, follow(services, KEY, token_of(KEY, link), now=now(house.clock)), second.id)


def test_a_link_is_made_only_to_what_is_there_and_ones_own(house: House) -> None:
    services, account = house.services, house.account
    job_id = draw(house)
    [image] = house.job(job_id).images
    until = house.clock.now + DAY
    stranger = sign_up(house, "bob")
    for what in (Linked.to_image(image.id), Linked.to_job(job_id), Linked.to_images([image.id])):
        with pytest.raises(NotFound):
            make_link(services, stranger, what, until)
    for what in (Linked.to_images([image.id, "none"]), Linked.to_job("none")):
        with pytest.raises(NotFound):
            make_link(services, account.id, what, until)
    with pytest.raises(InvalidFields):
        make_link(services, account.id, Linked.to_image(image.id), house.clock.now)
    delete_image(services, account, image.id)
    with pytest.raises(NotFound):
        make_link(services, account.id, Linked.to_image(image.id), until)


def test_what_is_altered_expired_or_revoked_does_not_work_and_says_why(house: House) -> None:
    services, account = house.services, house.account
    what = Linked.to_job(draw(house))
    link = make_link(services, account.id, what, house.clock.now + DAY)
    token = token_of(KEY, link)
    for bad in (token[:-1], token + "x", "", "x" * 600, token_of("another key of the server's", link)):
        with pytest.raises(LinkVoid):
            follow(services, KEY, bad, now=now(house.clock))
    house.clock.turn(86_400)
    with pytest.raises(LinkExpired):
        follow(services, KEY, token, now=now(house.clock))
    other = make_link(services, account.id, what, house.clock.now + DAY)
    revoke_link(services, account, other.id)
    with pytest.raises(LinkRevoked):
        follow(services, KEY, token_of(KEY, other), now=now(house.clock))
    with pytest.raises(NotFound):
        revoke_link(services, account, other.id)
    house.clock.turn(86_400 * (REMEMBERED_DAYS + 2))
    purge(services)
    with pytest.raises(LinkVoid):
        follow(services, KEY, token, now=now(house.clock))


def test_revoking_all_ends_hour_links_too_and_later_ones_work(house: House) -> None:
    services, account = house.services, house.account
    [image] = house.job(draw(house)).images
    kept = [make_link(services, account.id, Linked.to_image(image.id), house.clock.now + DAY) for _ in range(2)]
    hour = hour_token(KEY, image, stamp=services.store.link_stamp(account.id), now=now(house.clock))
    assert follow(services, KEY, hour, now=now(house.clock)).until == now(house.clock) + HOUR_SECONDS
    with pytest.raises(LinkExpired):
        follow(services, KEY, hour, now=now(house.clock) + HOUR_SECONDS)
    assert revoke_links(services, account) == 2
    assert list_links(services, account).items == ()
    for token in (hour, *(token_of(KEY, link) for link in kept)):
        with pytest.raises(LinkRevoked):
            follow(services, KEY, token, now=now(house.clock))
    later = hour_token(KEY, image, stamp=services.store.link_stamp(account.id), now=now(house.clock))
    assert follow(services, KEY, later, now=now(house.clock)).what == Linked.to_image(image.id)
    assert revoke_links(services, account) == 0


def test_an_account_that_may_not_be_used_gives_nothing_away(house: House) -> None:
    as_member(house)
    services, account = house.services, house.account
    [image] = house.job(draw(house)).images
    kept = token_of(KEY, make_link(services, account.id, Linked.to_image(image.id), house.clock.now + DAY))
    hour = hour_token(KEY, image, stamp=0, now=now(house.clock))
    for end in (suspend, erase):
        end(services, account.id, by=None)
        for token in (kept, hour):
            with pytest.raises(LinkVoid):
                follow(services, KEY, token, now=now(house.clock))


def test_links_are_listed_newest_first_and_counted_when_made_by_hand(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    services, account = house.services, house.account
    what = Linked.to_job(draw(house))
    made = []
    for _ in range(3):
        made.append(make_link(services, account.id, what, house.clock.now + DAY, by=account))
        house.clock.turn(1)
    newest = list_links(services, account, limit=2)
    assert newest.items == (made[2], made[1])
    older = list_links(services, account, limit=2, cursor=newest.next_cursor)
    assert (older.items, older.next_cursor) == ((made[0],), None)
    monkeypatch.setattr(links, "LINKS_AT_MOST", 3)
    with pytest.raises(Conflict):
        make_link(services, account.id, what, house.clock.now + DAY, by=account)
    make_link(services, account.id, what, house.clock.now + DAY)
    revoke_link(services, account, made[0].id)
    deeds = [entry.deed.action for entry in services.store.audit_log(limit=9, action="link").items]
    assert deeds == ["link.revoked", "link.made", "link.made", "link.made"]


def test_addresses_stand_under_the_servers_own(house: House) -> None:
    [image] = house.job(draw(house)).images
    link = make_link(house.services, house.account.id, Linked.to_image(image.id), house.clock.now + DAY)
    addresses = Addresses(KEY, "https://pictures.example/")
    token = token_of(KEY, link)
    assert addresses.best(link) == addresses.picture(link) == f"https://pictures.example/api/v1/files/{token}"
    assert addresses.page(link) == f"https://pictures.example/shared/{token}"
    assert KEY not in repr(addresses)
