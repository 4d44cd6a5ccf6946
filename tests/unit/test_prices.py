"""Prices of device time: exact, fixed by pool and tier, and refused where they make no sense."""

from decimal import Decimal
from pathlib import Path

import pytest

from stablehand import settings
from stablehand.domain.errors import BadSettings
from stablehand.domain.prices import NO_PRICES, Money, Prices, amount_of

PRICES = Prices(
    currency="MAD",
    device_hour=Decimal("5.26"),
    pools={"large": Decimal(36), "ours": Decimal(0)},
    tier_factors={"premium": Decimal("1.5")},
)


@pytest.mark.parametrize(
    ("seconds", "pool", "tier", "cost", "charge"),
    [
        (3600.0, "default", "normal", 5_260_000, 5_260_000),
        (3600.0, "default", "premium", 5_260_000, 7_890_000),
        (1.0, "large", "normal", 10_000, 10_000),
        (0.25, "large", "premium", 2_500, 3_750),
        (100.0, "ours", "premium", 0, 0),
        (0.0, "default", "normal", 0, 0),
        (1.0, "default", "normal", 1_461, 1_461),  # 1461.1 recurring
    ],
)
def test_device_time_costs_its_share_of_an_hour(seconds: float, pool: str, tier: str, cost: int, charge: int) -> None:
    assert PRICES.cost(seconds, pool=pool) == Money(cost, "MAD")
    assert PRICES.charge(seconds, pool=pool, tier=tier) == Money(charge, "MAD")


def test_without_a_price_there_is_no_money() -> None:
    assert NO_PRICES.cost(9.0, pool="default") is None
    assert NO_PRICES.charge(9.0, pool="default", tier="normal") is None
    only = Prices(currency="EUR", pools={"large": Decimal(1)})
    assert only.cost(9.0, pool="default") is None
    assert only.cost(3600.0, pool="large") == Money(1_000_000, "EUR")


def test_amounts_are_exact() -> None:
    assert [str(amount_of(micros)) for micros in (5_260_000, 0, 1, -1_500_000, 123_456_789)] == [
        "5.26",
        "0.00",
        "0.000001",
        "-1.50",
        "123.456789",
    ]
    tenths = [Prices(currency="EUR", device_hour=Decimal("0.1")).cost(3600.0, pool="") for _ in range(3)]
    assert sum(money.micros for money in tenths if money) == 300_000


def test_settings_say_the_prices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings.load(data_dir=tmp_path).costs.in_force == NO_PRICES
    (tmp_path / "stablehand.yaml").write_text(
        "costs: {currency: MAD, device_hour: 5.26, pools: {large: 36, ours: 0}, tier_factors: {premium: 1.5}}\n"
    )
    assert settings.load(data_dir=tmp_path).costs.in_force == PRICES
    monkeypatch.setenv("STABLEHAND_COSTS__DEVICE_HOUR", "6.5")
    assert settings.load(data_dir=tmp_path).costs.in_force.hour_in("default") == Decimal("6.5")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("costs: {device_hour: 5.26}", "costs.currency"),
        ("costs: {currency: dirham, device_hour: 5.26}", "costs.currency"),
        ("costs: {currency: MAD, device_hour: -1}", "costs.device_hour"),
        ("costs: {currency: MAD, device_hour: 0.0000001}", "costs.device_hour"),
        ("costs: {currency: MAD, tier_factors: {gold: 2}}", "tiers that are not there: gold"),
    ],
)
def test_prices_that_make_no_sense_are_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "stablehand.yaml").write_text(text)
    with pytest.raises(BadSettings) as refused:
        settings.load(data_dir=tmp_path)
    assert words in refused.value.message
