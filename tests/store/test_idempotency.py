"""Requests with an Idempotency-Key, on both kinds of database."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from stablehand.domain.errors import (
    ChangedMeanwhile,
    IdempotencyConflict,
    RequestInTheMaking,
    RequestUnknown,
    StablehandError,
)
from stablehand.domain.versions import account_version, image_version
from stablehand.services.administration import change_account, show_account
from stablehand.services.gallery import star_image
from stablehand.store.idempotency import CUT_OFF_SECONDS
from tests.store.house import House
from tests.store.members import sign_up


def begin(house: House, print_: str = "p", *, account: str = "a") -> bytes | None:
    return house.services.store.begin_request(account, "k", print_, hours=24)


def test_a_request_begins_once_and_its_answer_is_kept_for_a_day(house: House) -> None:
    store = house.services.store
    assert begin(house) is None
    with pytest.raises(RequestInTheMaking):
        begin(house)
    with pytest.raises(IdempotencyConflict):
        begin(house, "another")
    assert begin(house, "another", account="b") is None
    store.keep_answer("a", "k", b"\0answer")
    assert begin(house) == b"\0answer"
    store.forget_request("b", "k")
    assert begin(house, account="b") is None
    house.clock.turn(CUT_OFF_SECONDS + 1)
    with pytest.raises(RequestUnknown):
        begin(house, account="b")
    house.clock.turn(86_400)
    assert begin(house, "another") is None


def test_of_many_at_once_one_begins(house: House) -> None:
    def ask(_: int) -> str:
        try:
            return "begun" if begin(house) is None else "known"
        except StablehandError as error:
            return error.code

    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(ask, range(8)))
    assert sorted(told) == ["begun"] + ["request_in_the_making"] * 7


def test_an_edit_rests_on_what_was_seen(house: House) -> None:
    services = house.services
    job_id = house.order().id
    hand = house.agent()
    hand.deliver(hand.upload(hand.claim(1)[0]))
    [image] = house.job(job_id).images
    seen = {image_version(image)}
    assert star_image(services, house.account, image.id, True, expected=seen).starred
    with pytest.raises(ChangedMeanwhile):
        star_image(services, house.account, image.id, False, expected=seen)

    account_id = sign_up(house)
    entry = show_account(services, account_id)
    seen = {account_version(entry.account, entry.own_quotas)}
    change_account(services, account_id, by=None, own_quotas={"queued": 5}, expected=seen)
    with pytest.raises(ChangedMeanwhile):
        change_account(services, account_id, by=None, tier="premium", expected=seen)
    entry = show_account(services, account_id)
    assert entry.account.tier == "normal"
    change_account(
        services, account_id, by=None, tier="premium", expected={account_version(entry.account, entry.own_quotas)}
    )
