"""What the ledger comes to, by whatever key, before and after days that are over were summed up."""

import json
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from itertools import chain, combinations
from math import fsum
from pathlib import Path

import pytest
from sqlalchemy import func, select
from typer.testing import CliRunner

from stablehand.cli import app
from stablehand.domain.errors import InvalidFields
from stablehand.domain.prices import Prices
from stablehand.domain.usage import KEYS, Key, UsageLine, in_units, total
from stablehand.services.cancel import cancel
from stablehand.services.expire import expire_agent
from stablehand.services.usage import Period, day_by_day, period, report
from stablehand.store import usage as store_usage
from stablehand.store.day_row import LedgerDayRow
from stablehand.store.ledger_rows import ChargeRow, WasteRow
from stablehand.store.models import AccountRow
from tests.store.house import Hand, House

MAD = Prices(currency="MAD", device_hour=Decimal("3.6"), tier_factors={"premium": Decimal(2)})
FIRST, LAST = date(2026, 1, 1), date(2026, 1, 4)
ALL = Period(FIRST, LAST)


def draw(house: House, hand: Hand, seconds: float = 2.0, **order: object) -> None:
    house.order(**order)  # type: ignore[arg-type]
    lease = hand.claim_one()
    hand.deliver(hand.upload(lease, device_seconds=seconds))


def lose(house: House, hand: Hand, seconds: float, **order: object) -> None:
    """A lease of so many seconds is lost; what it had is cancelled."""
    job = house.order(**order)  # type: ignore[arg-type]
    hand.claim_one()
    house.clock.turn(seconds)
    expire_agent(house.services, hand.agent.id)
    cancel(house.services, house.account, job.id)
    hand.hello(f"after {job.id}")


@pytest.fixture
def busy(house: House) -> House:
    """Four days, two currencies, two tiers, two checkpoints, and something lost."""
    store, hand = house.services.store, house.agent()
    draw(house, hand, 1.5, checkpoint="alpha")  # without a price
    store.prices = MAD
    draw(house, hand, 3.0, checkpoint="beta", tier="normal")
    house.clock.turn(86_400)
    draw(house, hand, 10.0, checkpoint="alpha", tier="premium")
    lose(house, hand, 7.0, checkpoint="beta")
    house.clock.turn(86_400)
    store.prices = Prices(currency="EUR", device_hour=Decimal(36))
    draw(house, hand, 4.0, checkpoint="alpha", tier="premium")
    house.clock.turn(86_400)
    draw(house, hand, 0.1, checkpoint="beta", tier="normal")
    lose(house, hand, 2.0, checkpoint="alpha")
    return house


def fold_all(house: House) -> int:
    return sum(iter(house.services.store.fold_ledger, 0))


def all_reports(house: House) -> Iterator[tuple[UsageLine, ...]]:
    for by in chain.from_iterable(combinations(KEYS, count) for count in range(len(KEYS) + 1)):
        yield report(house.services, ALL, by=by).lines
        yield tuple(day_by_day(house.services, ALL, by=by))


def test_sums_by_day(busy: House) -> None:
    lines = report(busy.services, ALL, by=["day"]).lines
    assert [line.day for line in lines] == [LAST - timedelta(days=back) for back in range(4)]
    assert [line.sums.pictures for line in lines] == [1, 1, 1, 2]
    assert [line.sums.device_seconds for line in lines] == [0.1, 4.0, 10.0, 4.5]
    assert [line.sums.charged for line in lines] == [{"EUR": 1000}, {"EUR": 40_000}, {"MAD": 20_000}, {"MAD": 3000}]
    assert [line.sums.cost for line in lines] == [{"EUR": 1000}, {"EUR": 40_000}, {"MAD": 10_000}, {"MAD": 3000}]
    assert [line.sums.wasted_seconds for line in lines] == [2.0, 0.0, 7.0, 0.0]
    assert [line.sums.wasted_cost for line in lines] == [{"EUR": 20_000}, {}, {"MAD": 7000}, {}]


def test_the_total_is_the_ledgers_own(busy: House) -> None:
    found = report(busy.services, ALL, by=["day", "account"]).total
    with busy.services.store.reading() as tx:
        seconds = tx.session.scalars(select(ChargeRow.device_seconds)).all()
        wasted = tx.session.scalars(select(WasteRow.device_seconds)).all()
    assert (found.pictures, found.wasted_leases) == (5, 2)
    assert (found.device_seconds, found.wasted_seconds) == (fsum(seconds), fsum(wasted))
    assert {name: str(amount) for name, amount in in_units(found.charged).items()} == {"EUR": "0.041", "MAD": "0.023"}
    assert in_units(found.wasted_cost) == {"EUR": Decimal("0.02"), "MAD": Decimal("0.007")}


def test_lines_say_what_they_are_about(busy: House) -> None:
    by_checkpoint = {line.checkpoint: line.sums for line in report(busy.services, ALL, by=["checkpoint"]).lines}
    assert by_checkpoint["alpha"].device_seconds == 15.5
    assert by_checkpoint["beta"].wasted_seconds == 7.0
    by_tier = {line.tier: line.sums.pictures for line in report(busy.services, ALL, by=["tier"]).lines}
    assert by_tier == {"premium": 3, "normal": 2}
    by_reason = {line.reason: line.sums for line in report(busy.services, ALL, by=["reason"]).lines}
    assert {reason: sums.wasted_leases for reason, sums in by_reason.items()} == {"": 0, "loss": 2}
    [line] = report(busy.services, Period(LAST, LAST), by=["account", "pool"]).lines
    assert (line.account, line.pool, line.day) == (busy.account.name, "default", None)
    assert report(busy.services, ALL, by=[], account_id="nobody").lines == ()
    assert (
        report(busy.services, ALL, by=[], account_id=busy.account.id).total == report(busy.services, ALL, by=[]).total
    )


def test_what_is_summed_up_says_the_same(busy: House, monkeypatch: pytest.MonkeyPatch) -> None:
    before = list(all_reports(busy))
    monkeypatch.setattr(store_usage, "LINES_AT_ONCE", 2)
    store = busy.services.store
    assert fold_all(busy) == 4, "of seven lines; yesterday has not been over for long, and today is not"
    assert list(all_reports(busy)) == before
    assert fold_all(busy) == 0
    busy.clock.turn(86_400 + 3600)
    assert fold_all(busy) == 3
    assert list(all_reports(busy)) == before
    draw(busy, busy.agent("later"))
    assert list(all_reports(busy)) == before, "it is of another day"
    busy.clock.turn(2 * 86_400)
    assert fold_all(busy) == 1
    with store.reading() as tx:
        assert tx.session.scalar(select(func.sum(LedgerDayRow.lines))) == 8


def test_a_day_is_summed_up_when_it_can_no_longer_change(busy: House) -> None:
    busy.clock.turn(86_400 + 3600)
    fold_all(busy)
    busy.clock.now = busy.clock.now.replace(hour=23, minute=59)
    draw(busy, busy.agent("late"))
    busy.clock.turn(120)
    assert fold_all(busy) == 0, "a transaction of yesterday may still be under way"
    busy.clock.turn(3600)
    assert fold_all(busy) == 1


def test_periods(house: House) -> None:
    services = house.services
    assert period(services) == Period(date(2025, 12, 3), FIRST)
    assert period(services, days=1) == Period(FIRST, FIRST)
    assert period(services, since=date(2025, 12, 31)) == Period(date(2025, 12, 31), FIRST)
    assert list(period(services, since=FIRST, until=date(2026, 1, 2)).days()) == [date(2026, 1, 2), FIRST]
    for wrong, field in (
        ({"days": 0}, "days"),
        ({"days": 367}, "days"),
        ({"until": FIRST}, "since"),
        ({"since": FIRST, "until": FIRST - timedelta(days=1)}, "until"),
        ({"since": FIRST, "until": FIRST + timedelta(days=366)}, "until"),
        ({"since": FIRST, "days": 3}, "days"),
    ):
        with pytest.raises(InvalidFields) as refused:
            period(services, **wrong)
        assert list(refused.value.fields) == [field]


def test_plans_reckon_with_what_the_ledger_has_measured(file_house: House, tmp_path: Path) -> None:
    hand = file_house.agent()
    for _ in range(3):
        draw(file_house, hand, 7.5, steps=20, width=512, height=512, cfg_scale=7.0)
    (tmp_path / "load.yaml").write_text("streams: [{pictures_a_day: 100, family: sd1, steps: 20}]")
    asked = ["plan", str(tmp_path / "load.yaml"), "--data-dir", str(tmp_path), "--json"]
    [drawn] = json.loads(CliRunner().invoke(app, asked).output)["draws"]
    assert drawn["known_by"] == "measured on test (3 pictures)"
    assert drawn["seconds"] == pytest.approx(7.5)


def test_a_deleted_account_has_no_name_in_it(busy: House) -> None:
    with busy.services.store.writing() as tx:
        tx.session.get_one(AccountRow, busy.account.id).deleted_at = tx.now
    by: list[Key] = ["account"]
    [line] = report(busy.services, ALL, by=by).lines
    assert (line.account, line.account_id, line.sums.pictures) == (None, busy.account.id, 5)
    assert total([]) == total([]) + total([])
