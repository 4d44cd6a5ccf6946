"""Usage at the door: everybody's own, the administrator's of all, as pages and as comma-separated values."""

import csv
import io
from decimal import Decimal
from math import fsum
from typing import Any

import pytest
from sqlalchemy import text

from stablehand.domain.prices import Prices
from stablehand.domain.spreadsheets import csv_line
from tests.api.people import Browser, Town, build
from tests.api.site import Make

ORDER = {"prompt": "a red house", "checkpoint": "tiny", "width": 64, "height": 64}
PRICES = Prices(currency="MAD", device_hour=Decimal("5.26"), tier_factors={"premium": Decimal(2)})


@pytest.fixture
def town(make: Make) -> Town:
    town = build(make)
    town.site.services.store.prices = PRICES
    return town


def used(town: Town, browser: Browser, count: int = 1) -> None:
    browser.send("POST", "/api/v1/jobs", {**ORDER, "count": count})
    town.site.draw()


def table(answer: Any) -> list[dict[str, str]]:
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return list(csv.DictReader(io.StringIO(answer.get_data(as_text=True))))


def test_everybody_sees_what_is_theirs_alone(town: Town) -> None:
    owner, ada, bob = town.owner(), town.member("ada@example.org"), town.member("bob@example.org")
    used(town, ada, 3)
    used(town, bob)
    page = ada.get("usage").get_json()
    [line] = page["items"]
    assert (line["pictures"], line["checkpoint"], line["tier"]) == (3, None, None)
    assert line["day"] == page["until"]
    assert page["totals"] == {name: line[name] for name in ("pictures", "device_seconds", "charged")}
    assert page["is_priced"] is True
    assert "wasted_seconds" not in line
    [line] = ada.get("usage?by=checkpoint,tier").get_json()["items"]
    assert (line["checkpoint"], line["tier"], line["day"], line["pictures"]) == ("tiny", "normal", None, 3)
    assert owner.get("usage").get_json()["items"] == []
    assert ada.get("usage?by=account").get_json()["error"]["fields"] == {
        "by": "any of day, checkpoint, tier, currency, with commas"
    }


def test_money_is_what_device_time_costs(town: Town) -> None:
    admin, ada = town.owner(), town.member("ada@example.org")
    used(town, ada, 2)
    used(town, admin)
    page = admin.get("admin/usage?by=account").get_json()
    assert [line["account"] for line in page["items"]] == ["ada@example.org", "owner"]
    seconds = page["totals"]["device_seconds"] / 3
    each, twice = PRICES.cost(seconds, pool="default"), PRICES.charge(seconds, pool="default", tier="premium")
    assert each is not None
    assert twice is not None
    ada_line, owner_line = page["items"]
    assert Decimal(ada_line["charged"]["MAD"]) == 2 * each.amount
    assert Decimal(ada_line["cost"]["MAD"]) == 2 * each.amount
    assert Decimal(owner_line["charged"]["MAD"]) == twice.amount, "premium pays twice what it costs"
    assert Decimal(owner_line["cost"]["MAD"]) == each.amount
    assert Decimal(page["totals"]["cost"]["MAD"]) == 3 * each.amount
    assert page["totals"]["wasted_leases"] == 0


def test_what_was_wasted_stands_beside_it(town: Town) -> None:
    admin, ada = town.owner(), town.member("ada@example.org")
    job = ada.send("POST", "/api/v1/jobs", ORDER).get_json()["id"]
    town.site.hello()
    [lease] = town.site.claim()
    shot = {"shot_id": lease["shot_id"], "token": lease["token"]}
    failure = {**shot, "error_class": "final", "code": "oops", "message": "It went wrong."}
    assert town.site.tell("fail", failures=[failure]).status_code == 200
    assert ada.get(f"jobs/{job}").get_json()["state"] == "failed"
    [line] = admin.get("admin/usage?by=reason,account,pool").get_json()["items"]
    assert (line["reason"], line["account"], line["pool"]) == ("error", "ada@example.org", "default")
    assert (line["wasted_leases"], line["pictures"], line["charged"]) == (1, 0, {})
    assert line["wasted_seconds"] >= 0
    assert ada.get("usage").get_json()["items"] == [], "nobody is charged for it"
    assert len(admin.get("admin/usage?by=day").get_json()["items"]) == 1
    assert table(ada.get("usage.csv")) == []


def test_pages_are_of_the_same_sums(town: Town) -> None:
    admin = town.owner()
    for name in ("ada", "bob", "cy"):
        used(town, town.member(f"{name}@example.org"))
    first = admin.get("admin/usage?by=account&limit=2").get_json()
    second = admin.get(f"admin/usage?by=account&limit=2&cursor={first['next_cursor']}").get_json()
    assert len({line["account"] for line in first["items"] + second["items"]}) == 3
    assert second["next_cursor"] is None
    assert first["totals"] == second["totals"]
    assert admin.get("usage?cursor=" + first["next_cursor"]).status_code == 422
    ada = admin.get("admin/accounts?search=ada").get_json()["items"][0]["id"]
    assert admin.get(f"admin/usage?account={ada}").get_json()["totals"]["pictures"] == 1


def test_comma_separated_values_hold_the_same_sums(town: Town) -> None:
    admin, ada = town.owner(), town.member("ada@example.org")
    used(town, ada, 2)
    town.site.services.store.prices = Prices(currency="EUR", device_hour=Decimal(1))
    used(town, ada)
    town.site.services.store.prices = Prices()
    used(town, admin)
    answer = admin.get("admin/usage.csv?days=7")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.is_streamed
    page = admin.get("admin/usage?days=7").get_json()
    name = f'"usage-of-all-{page["since"]}-{page["until"]}.csv"'
    assert answer.headers["Content-Disposition"] == f"attachment; filename={name}"
    rows = table(answer)
    assert {(row["account"], row["currency"], row["pictures"]) for row in rows} == {
        ("ada@example.org", "MAD", "2"),
        ("ada@example.org", "EUR", "1"),
        ("owner", "", "1"),
    }
    assert {row["checkpoint"] for row in rows} == {"tiny"}
    assert fsum(float(row["device_seconds"]) for row in rows) == pytest.approx(page["totals"]["device_seconds"])
    for currency in ("MAD", "EUR"):
        charged = sum(Decimal(row["charged"]) for row in rows if row["currency"] == currency)
        assert charged == Decimal(page["totals"]["charged"][currency])
    own = table(ada.get("usage.csv"))
    assert list(own[0]) == ["day", "checkpoint", "tier", "pictures", "device_seconds", "charged", "currency"]
    assert sorted((row["currency"], row["pictures"]) for row in own) == [("EUR", "1"), ("MAD", "2")]
    assert list(table(admin.get("admin/usage.csv?by=reason"))[0]) == [
        *("reason", "pictures", "device_seconds", "charged"),
        *("cost", "wasted_leases", "wasted_seconds", "wasted_cost", "currency"),
    ]


def test_no_name_becomes_a_formula(town: Town) -> None:
    admin, ada = town.owner(), town.member("ada@example.org")
    used(town, ada)
    with town.site.services.store.engine.begin() as connection:
        connection.execute(text("UPDATE accounts SET name = '=HYPERLINK(\"http://evil\")' WHERE name LIKE 'ada@%'"))
    [row] = table(admin.get("admin/usage.csv"))
    assert row["account"] == '\'=HYPERLINK("http://evil")'


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r", "\n", " =", "\uff1d"])
def test_cells_that_look_like_formulas_are_texts(begin: str) -> None:
    [[cell, number, none]] = csv.reader(io.StringIO(csv_line([f"{begin}1+1", -1.5, None]), newline=""))
    assert (cell, number, none) == (f"'{begin}1+1", "-1.5", "")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("days=0", "days"),
        ("days=3&since=2026-01-01", "days"),
        ("until=2026-01-01", "since"),
        ("since=2026-01-02&until=2026-01-01", "until"),
        ("since=2024-01-01&until=2026-01-01", "until"),
        ("since=yesterday", "since"),
        ("by=colour", "by"),
        ("colour=red", "colour"),
    ],
)
@pytest.mark.parametrize("path", ["usage", "usage.csv", "admin/usage", "admin/usage.csv"])
def test_what_cannot_be_meant_is_refused(quiet_site: Any, path: str, query: str, field: str) -> None:
    answer = quiet_site.client.get(f"/api/v1/{path}?{query}")
    assert answer.status_code == 422
    assert list(answer.get_json()["error"]["fields"]) == [field]
