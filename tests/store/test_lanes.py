"""Who is given what: lanes by policy, shots by tier and tag, shares by weight, through the real Store."""

from collections import Counter
from dataclasses import dataclass, field, replace

import pytest
from sqlalchemy import select, update

from stablehand.domain.accounts import Account
from stablehand.domain.jobs import Job
from stablehand.domain.orders import JobOrder
from stablehand.domain.tiers import SHIPPED
from stablehand.protocol import Lease
from stablehand.services import Limits
from stablehand.services.agents import hash_token, register_agent
from stablehand.services.cancel import cancel
from stablehand.services.expire import expire
from stablehand.services.submit import submit
from stablehand.services.told import told
from stablehand.store.lanes import ACCOUNTS_COUNTED, fleet_of, lane_views, waiting_lanes
from stablehand.store.measures import note_loads
from stablehand.store.models import AccountRow, AgentRow, ShotRow, TallyRow
from stablehand.store.tags import virtual_time
from tests.store.house import Hand, House, found

CHECKPOINTS = ("alpha", "beta", "gamma", "delta")


def account(house: House, name: str) -> Account:
    """Another account, with both tiers."""
    with house.services.store.writing() as tx:
        tx.session.add(AccountRow(id=name, name=name, role="user", created_at=tx.now))
    return replace(house.account, id=name, name=name)


def order(house: House, who: Account, count: int, **fields: str | int) -> Job:
    values: dict[str, str | int] = {"checkpoint": "alpha", "tier": "normal", **fields}
    return submit(house.services, who, JobOrder(prompt="x", count=count, **values))  # type: ignore[arg-type]


def tags(house: House, job: Job) -> list[float]:
    with house.services.store.reading() as tx:
        return list(tx.session.scalars(select(ShotRow.tag).where(ShotRow.job_id == job.id).order_by(ShotRow.index)))


def v(house: House) -> float:
    with house.services.store.reading() as tx:
        return virtual_time(tx)


def hand_with(house: House, name: str, *resident: str, seats: int = 8) -> Hand:
    register_agent(house.services, name, "default", hash_token(name))
    return Hand(house.services, name, seats, resident=tuple(f"id-{name}" for name in resident)).hello("1")


def owners(house: House, leases: list[Lease]) -> list[str]:
    return [lease.account_id for lease in leases]


def test_inside_a_lane_the_order_is_tier_then_tag(house: House) -> None:
    one, two = account(house, "one"), account(house, "two")
    order(house, one, 3)
    order(house, two, 2)
    order(house, two, 1, tier="premium")
    hand = hand_with(house, "hand", "alpha", seats=16)
    given = [(lease.account_id, lease.index) for lease in hand.claim(6)]
    assert given[0] == ("two", 0), "premium"
    assert given[1] == ("one", 0)
    assert Counter(given[1:]) == Counter([("one", 0), ("one", 1), ("one", 2), ("two", 0), ("two", 1)])
    assert [who for who, _ in given[1:5]] == ["one", "one", "two", "two"] or given[1:5] != [("one", 0)] * 4


def test_two_accounts_that_wait_share_by_tags_whatever_each_has_ordered(house: House) -> None:
    hog, light = account(house, "hog"), account(house, "light")
    order(house, hog, 200)
    order(house, light, 20)
    hand = hand_with(house, "hand", "alpha", seats=16)
    counts: Counter[str] = Counter()
    for _ in range(20):
        for lease in hand.claim(2):
            counts[lease.account_id] += 1
            hand.draw(lease)
    assert abs(counts["hog"] - counts["light"]) <= 2, counts


def test_an_idle_account_saves_nothing_up_and_a_busy_one_owes_nothing_to_newcomers(house: House) -> None:
    hog, late = account(house, "hog"), account(house, "late")
    order(house, hog, 40)
    hand = hand_with(house, "hand", "alpha", seats=64)
    assert len(hand.claim(20)) == 20
    job = order(house, late, 10)
    assert tags(house, job)[0] == pytest.approx(v(house)), "it starts at V, not at nought"
    given = Counter(owners(house, hand.claim(10)))
    assert abs(given["late"] - given["hog"]) <= 2


def test_a_weight_is_a_share(house: House) -> None:
    """Four pictures of the premium tier move their account's clock as far as one of the normal tier."""
    who = account(house, "who")
    normal = tags(house, order(house, who, 3))
    premium = tags(house, order(house, who, 3, tier="premium"))
    assert normal[1] - normal[0] == pytest.approx(4 * (premium[1] - premium[0]))


def test_cancelling_gives_back_what_the_account_was_charged(house: House) -> None:
    who = account(house, "who")
    first = order(house, who, 2)
    second = order(house, who, 5)
    third = order(house, who, 3)
    before = tags(house, third)
    cost = before[1] - before[0]
    cancel(house.services, who, second.id)
    after = tags(house, third)
    assert after == pytest.approx([tag - 5 * cost for tag in before])
    assert tags(house, first) == pytest.approx([0.0, cost])
    assert tags(house, order(house, who, 1)) == pytest.approx([5 * cost])
    cancel(house.services, who, first.id)
    assert tags(house, third) == pytest.approx([0.0, cost, 2 * cost])


def test_a_failure_at_once_gives_back_and_a_long_one_does_not(house: House) -> None:
    who = account(house, "who")
    hand = hand_with(house, "hand", "alpha")
    bad, rest = order(house, who, 1), order(house, who, 3)
    before = tags(house, rest)
    cost = before[1] - before[0]
    [lease] = hand.claim(1)
    assert lease.job_id == bad.id
    hand.fail(lease, "final", "prompt_too_long")
    assert tags(house, rest) == pytest.approx([tag - cost for tag in before])
    [lease] = hand.claim(1)
    before = tags(house, rest)
    house.clock.turn(20)
    hand.renew(lease)
    hand.fail(lease, "final", "prompt_too_long")
    assert tags(house, rest) == pytest.approx(before), "the agent was busy with it all the time that it was charged for"


def test_what_pictures_really_took_is_charged_with_the_next_order(house: House) -> None:
    who = account(house, "who")
    hand = hand_with(house, "hand", "alpha")
    first = tags(house, order(house, who, 2))
    reckoned = first[1] - first[0]
    for lease in hand.claim(2):
        hand.draw(lease)  # two device seconds each
    [next_tag] = tags(house, order(house, who, 1))
    assert next_tag == pytest.approx(2 * reckoned + 2 * (2.0 - reckoned))


def test_v_never_falls(house: House) -> None:
    who, other = account(house, "who"), account(house, "other")
    hand = hand_with(house, "hand", "alpha", seats=64)
    seen = [v(house)]
    jobs = [order(house, who, 6), order(house, other, 6), order(house, who, 6)]
    leases = hand.claim(9)
    seen.append(v(house))
    hand.release(*leases[4:])
    seen.append(v(house))
    cancel(house.services, who, jobs[0].id)
    seen.append(v(house))
    hand.renew(*leases[:4])
    cancel(house.services, other, jobs[1].id)
    seen.append(v(house))
    house.clock.turn(31)
    expire(house.services)
    hand.claim(20)
    seen.append(v(house))
    assert seen == sorted(seen)
    assert seen[-1] > 0


def test_an_agent_stays_with_what_it_holds_until_another_lane_is_urgent_enough(house: House) -> None:
    house.services.store.note_scan([found(name) for name in CHECKPOINTS])
    many, two = [account(house, f"one of many {number}") for number in range(6)], account(house, "two")
    hand = hand_with(house, "hand", "alpha", seats=4)
    with house.services.store.writing() as tx:
        tx.session.execute(update(AgentRow).values(busy_share=0.9))
        note_loads(tx, hand.agent.id, [("id-beta", 5.0)])
    for who in many:
        order(house, who, 12, tier="premium")
    order(house, two, 4, checkpoint="beta", tier="premium")
    bias_seconds = 5.0 * 0.9 / (1 - 0.9)
    waited = 0.0
    while (lease := hand.claim_one()).checkpoint.name == "alpha":
        hand.draw(lease)
        house.clock.turn(1)
        waited += 1
        hand.renew()
        assert waited < 70
    assert bias_seconds <= waited <= bias_seconds + 10, "U_b > U_a + (S_b / tau) rho / (1 - rho)"
    assert hand.claim(1)[0].checkpoint.name == "beta", "what is being loaded is not kept waiting by the old lane"


def test_a_picture_on_its_way_does_not_call_its_checkpoint_back(house: House) -> None:
    """The agent has gone from alpha to beta; its last picture of alpha is still being delivered."""
    hand = hand_with(house, "hand", "alpha", seats=2)
    order(house, house.account, 1, tier="premium")
    [last] = hand.claim(1)
    order(house, house.account, 2, checkpoint="beta", tier="premium")
    house.clock.turn(1)
    hand.renew(last)
    assert hand.claim_one().checkpoint.name == "beta"
    hand.resident = ("id-beta",)
    house.clock.turn(1)
    hand.renew(last)
    order(house, house.account, 5, tier="premium")
    assert hand.claim_one().checkpoint.name == "beta"


def test_a_lane_that_a_live_holder_serves_is_not_loaded_a_second_time(house: House) -> None:
    holder, other = hand_with(house, "holder", "alpha"), hand_with(house, "other", "beta")
    order(house, house.account, 2)
    assert other.claim(2) == []
    house.clock.turn(16)
    other.renew()
    assert len(other.claim(1)) == 1, "the holder has fallen silent"
    holder.renew()
    assert len(holder.claim(1)) == 1


def test_normal_shots_leave_a_seat_for_premium_ones(house: House) -> None:
    hand = hand_with(house, "hand", "alpha", seats=4)
    order(house, house.account, 10)
    leases = hand.claim(4)
    assert len(leases) == 3
    hand.renew(*leases)
    assert hand.claim(1) == []
    premium = order(house, house.account, 2, tier="premium")
    assert [lease.job_id for lease in hand.claim(1)] == [premium.id]


def test_free_seats_are_filled_from_a_second_lane_at_hand_and_never_by_loading_a_third(house: House) -> None:
    house.services.store.note_scan([found(name) for name in CHECKPOINTS])
    hand = hand_with(house, "hand", "alpha", "beta", seats=12)
    order(house, house.account, 3, checkpoint="alpha", tier="premium")
    house.clock.turn(1)
    hand.renew()
    order(house, house.account, 3, checkpoint="beta", tier="premium")
    order(house, house.account, 3, checkpoint="gamma", tier="premium")
    assert Counter(lease.checkpoint.name for lease in hand.claim(12)) == {"alpha": 3, "beta": 3}


def test_normal_shots_leave_as_many_seats_free_as_is_set(house: House) -> None:
    for kept, filled in ((0, 4), (3, 1), (9, 1)):
        house.services = replace(house.services, limits=Limits(premium_seats=kept))
        hand = hand_with(house, f"keeps-{kept}", "alpha", seats=4)
        order(house, house.account, 8)
        assert len(hand.claim(4)) == filled


def test_an_account_may_be_kept_from_having_too_many_at_once(house: House) -> None:
    house.services.store.tiers = SHIPPED.with_quotas(running=3)
    hog, light = account(house, "hog"), account(house, "light")
    large = order(house, hog, 200)
    hand, other = (hand_with(house, name, "alpha", seats=16) for name in ("hand", "other"))
    leases = hand.claim(10)
    assert Counter(owners(house, leases)) == {"hog": 3}
    # However much of it stands before them, others are given what is free, by every agent.
    house.clock.turn(1)
    order(house, light, 2)
    assert owners(house, other.claim(2)) == ["light", "light"]
    assert other.claim(8) == []
    assert "drawing 3 pictures of yours" in str(told(house.services, large.id).queue.reason)  # type: ignore[union-attr]
    hand.draw(leases[0])
    assert told(house.services, large.id).queue.reason is None  # type: ignore[union-attr]
    assert owners(house, other.claim(8)) == ["hog"]


def test_a_full_account_with_many_lanes_bars_nobody_from_the_last_one(house: House) -> None:
    names = [f"lane-{number}" for number in range(12)]
    house.services.store.note_scan([found(name) for name in names])
    house.services.store.tiers = SHIPPED.with_quotas(running=2)
    hog, light = account(house, "hog"), account(house, "light")
    hand = hand_with(house, "hand", *names, seats=16)
    for name in names[:-1]:
        order(house, hog, 2, checkpoint=name, tier="premium")
    house.clock.turn(5)
    hand.renew()
    order(house, light, 1, checkpoint=names[-1])
    assert Counter(owners(house, hand.claim(8))) == {"hog": 2, "light": 1}


@dataclass
class Floor:
    """Simulated agents on the real Store: each draws what it holds in so many seconds, and loads take time."""

    house: House
    agents: list[Hand]
    draw_seconds: float = 1.0
    load_seconds: float = 4.0
    busy: dict[str, tuple[float, list[Lease]]] = field(default_factory=dict)
    waits: dict[str, list[float]] = field(default_factory=dict)
    switches: int = 0

    def second(self, ordered_at: dict[str, float], now: float) -> None:
        for hand in self.agents:
            until, leases = self.busy.get(hand.name, (0.0, []))
            if until > now:
                hand.renew(*leases)
                continue
            for lease in leases:
                hand.draw(lease)
            hand.renew()
            leases = hand.claim(hand.seats)
            for lease in leases:
                self.waits.setdefault(lease.account_id, []).append(now - ordered_at[lease.job_id])
            wanted = {lease.checkpoint.id for lease in leases}
            load = self.load_seconds if wanted - set(hand.resident) else 0.0
            if load:
                self.switches += 1
                hand.resident = tuple(wanted)
            self.busy[hand.name] = (now + load + self.draw_seconds * len(leases), leases)


def test_a_hog_on_its_own_checkpoint_does_not_make_light_accounts_wait(file_house: House) -> None:
    """5,000 shots for one checkpoint beside accounts that order a picture now and then for others."""
    house = file_house
    house.services.store.note_scan([found(name) for name in CHECKPOINTS])
    agents = [hand_with(house, f"agent-{number}", "alpha", seats=4) for number in range(3)]
    with house.services.store.writing() as tx:
        for hand in agents:
            note_loads(tx, hand.agent.id, [(f"id-{name}", 4.0) for name in CHECKPOINTS])
    hog = account(house, "hog")
    light = [account(house, f"light-{number}") for number in range(3)]
    ordered = {order(house, hog, 1000).id: 0.0 for _ in range(5)}
    floor = Floor(house, agents)
    for now in range(90):
        if now % 10 == 5:
            who = light[(now // 10) % 3]
            job = order(house, who, 1, checkpoint=CHECKPOINTS[1 + (now // 10) % 3], tier="premium")
            ordered[job.id] = float(now)
        floor.second(ordered, float(now))
        house.clock.turn(1)
    waits = sorted(wait for name, each in floor.waits.items() if name != "hog" for wait in each)
    assert len(waits) >= 7
    assert waits[-1] <= 15, waits
    assert len(floor.waits["hog"]) > 60, "the hog gets what the others leave"
    assert floor.switches <= 3 * len(waits)
    assert house.services.store.verify_tallies() == []


def test_lanes_are_seen_as_the_shots_say(house: House) -> None:
    one, two = account(house, "one"), account(house, "two")
    hand_with(house, "hand", "alpha")
    order(house, one, 40, tier="premium")
    house.clock.turn(6)
    order(house, two, 2)
    with house.services.store.reading() as tx:
        [view] = lane_views(tx, waiting_lanes(tx, "default", "nobody"), fleet_of(tx, "default"))
        seconds = {row.account_id: row.seconds for row in tx.session.scalars(select(TallyRow))}
    assert view.urgency == pytest.approx(6 / 15)
    assert view.queued_seconds == pytest.approx(seconds["one"] + seconds["two"])
    assert view.work_seconds == pytest.approx(seconds["one"] * 16 / 40 + seconds["two"])
    assert (view.holders, view.is_open) == (1, True)


def test_the_longest_wait_of_each_tier_is_seen_in_a_lane_with_many_accounts(house: House) -> None:
    order(house, account(house, "patient"), 1)
    house.clock.turn(1500)
    for number in range(ACCOUNTS_COUNTED + 3):
        order(house, account(house, f"hasty {number:02}"), 1, tier="premium")
    house.clock.turn(3)
    with house.services.store.reading() as tx:
        [view] = lane_views(tx, waiting_lanes(tx, "default", "nobody"), fleet_of(tx, "default"))
    assert view.urgency == pytest.approx(1503 / 1800)


def test_a_tally_that_is_wrong_is_found_and_put_right(house: House) -> None:
    order(house, house.account, 4)
    assert house.services.store.verify_tallies() == []
    with house.services.store.writing() as tx:
        tx.session.execute(update(TallyRow).values(queued=7))
    [difference] = house.services.store.verify_tallies()
    assert "7 shots" in difference
    assert "4 of" in difference
    assert house.services.store.verify_tallies() == []
