"""Who joins what is under way; pauses; what is signed."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook as Verifier

from stablehand.domain.dispatches import (
    JITTER,
    LONGEST_WISH_SECONDS,
    PAUSES_SECONDS,
    PER_ACCOUNT,
    PER_DESTINATION,
    Due,
    Road,
    Traffic,
    pause_seconds,
)
from stablehand.domain.webhooks import OLD_SECRET_HOURS, SigningKey, is_address, secret_of, signatures, wish_seconds

PLACES = 12
AT_ONCE = {"webhook": 12, "mail": 2}


def due(number: int, destination: str, account: str = "", channel: str = "webhook") -> Due:
    return Due(number, Road(channel, destination), account or destination)


def traffic(under_way: list[Due], *troubled: str) -> Traffic:
    return Traffic(under_way, {Road("webhook", name) for name in troubled}, places=PLACES, at_once=AT_ONCE)


def test_one_destination_takes_a_few_places_and_the_next_ones_theirs() -> None:
    many = [due(number, "busy") for number in range(100)]
    chosen = traffic([]).choose([*many, due(100, "other")])
    assert chosen == [*range(PER_DESTINATION), 100]


def test_one_in_trouble_takes_one_place_and_all_of_those_half_of_them() -> None:
    bad = [f"bad-{number}" for number in range(20)]
    waiting = [due(index, name) for index, name in enumerate(name for name in bad for _ in range(2))]
    good = [due(1000 + number, f"good-{number}") for number in range(20)]
    chosen = traffic([], *bad).choose([*waiting, *good])
    assert [number for number in chosen if number < 1000] == [0, 2, 4, 6, 8, 10]
    assert len(chosen) == PLACES


def test_channels_and_accounts_have_their_own_bounds() -> None:
    letters = [due(number, f"box-{number}", channel="mail") for number in range(5)]
    assert traffic([]).choose(letters) == [0, 1]
    assert traffic([]).choose([due(1, "a", channel="pigeons")]) == []
    one = [due(number, f"hook-{number}", account="ada") for number in range(20)]
    assert len(traffic([]).choose(one)) == PER_ACCOUNT


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3), st.sampled_from(["webhook", "mail"])), max_size=60),
    st.sets(st.integers(0, 5)),
    st.integers(0, 60),
)
def test_what_has_no_room_is_never_chosen(
    drawn: list[tuple[int, int, str]], troubled: set[int], under_way: int
) -> None:
    everything = [
        due(number, f"to-{to}", f"account-{account}", channel) for number, (to, account, channel) in enumerate(drawn)
    ]
    names = [f"to-{number}" for number in troubled]
    first = traffic([], *names).choose(everything[:under_way])
    carried = [one for one in everything if one.number in first]
    room = traffic(carried, *names).room()
    for number in traffic(carried, *names).choose(one for one in everything if one.number not in first):
        one = everything[number]
        assert one.road not in room.full_roads
        assert one.account_id not in room.full_accounts
        assert one.road.channel in room.channels


def test_pauses_grow_differ_by_chance_and_respect_what_is_asked_for() -> None:
    for failures, pause in enumerate(PAUSES_SECONDS, start=1):
        assert pause_seconds(failures, 0.0) == pytest.approx(pause * (1 - JITTER))
        assert pause_seconds(failures, 1.0) == pytest.approx(pause * (1 + JITTER))
    assert pause_seconds(len(PAUSES_SECONDS) + 1, 0.5) is None
    assert pause_seconds(1, 0.5, wish=600) == 600
    assert pause_seconds(1, 0.5, wish=10**9) == LONGEST_WISH_SECONDS
    assert [wish_seconds(text) for text in ("30", "", "-1", "Fri, 31 Dec 1999 23:59:59 GMT", "٣")] == [30, 0, 0, 0, 0]


def test_signatures_are_what_the_public_package_makes_and_takes() -> None:
    now = datetime.now(UTC)
    key = SigningKey(owner="hook", version=3, rotated_at=now - timedelta(hours=OLD_SECRET_HOURS - 1))
    new, old = (secret_of("server", key, version) for version in key.versions(now))
    body = '{"wörds": 1}'
    seconds = int(now.timestamp())
    header = signatures([new, old], "id", seconds, body.encode())
    assert header.split(" ") == [Verifier(secret).sign("id", now, body) for secret in (new, old)]
    headers = {"webhook-id": "id", "webhook-timestamp": str(seconds), "webhook-signature": header}
    for secret in (new, old):
        assert Verifier(secret).verify(body, headers) == {"wörds": 1}
    assert key.versions(now + timedelta(hours=2)) == (3,)
    assert secret_of("another server", key, 3) != new


def test_an_address_is_told_from_an_id() -> None:
    assert is_address("https://example.org/hook")
    assert not is_address("01k8z7j2h2v9s8q0m3b7c5d4e6")
