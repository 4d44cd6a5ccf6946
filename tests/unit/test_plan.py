import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from stablehand.cli import app
from stablehand.domain.errors import BadSettings, InvalidFields
from stablehand.domain.estimates import Rate, RateKey
from stablehand.simulation.planning import Load, Plan, Stream, plan, read_load
from stablehand.simulation.prices import (
    HOURS_A_MONTH,
    PRESETS,
    Machine,
    PriceList,
    Row,
    Usage,
    monthly,
    read_prices,
)

PREMIUM = Stream(tier="premium", pictures_a_day=400, seconds=20)
NORMAL = Stream(tier="normal", pictures_a_day=1200, seconds=30)
LIST = PriceList(name="mine", currency="MAD", machine=Machine(name="box", price_an_hour=2.0))
USAGE = Usage(agents=3, agent_hours=1000, storage_gb_months=50, transfer_gb=200)


def planned(*streams: Stream, prices: PriceList = LIST, rates: dict[RateKey, Rate] | None = None) -> Plan:
    return plan(Load(streams=streams), prices, rates=rates)


def test_a_bill_has_a_line_for_everything_that_has_a_price() -> None:
    prices = PriceList(
        name="all",
        currency="MAD",
        machine=Machine(name="box", price_an_hour=1.5, price_a_month=100),
        storage_gb_month=0.25,
        transfer_gb=0.5,
        rows=(Row(name="server", price_a_month=300), Row(name="address", price_a_month=20, count=2)),
    )
    lines = {line.name: line.cost for line in monthly(prices, USAGE)}
    assert lines == {
        "box, running": 1500,
        "box, kept": 300,
        "pictures kept": 12.5,
        "pictures sent": 100,
        "server": 300,
        "address": 40,
    }
    assert [line.name for line in monthly(LIST, USAGE)] == ["box, running"]


def test_a_machine_of_the_preset_that_always_runs_costs_its_hours() -> None:
    prices = PRESETS["aws-g4dn"]
    always = Usage(agents=1, agent_hours=HOURS_A_MONTH, storage_gb_months=0, transfer_gb=0)
    assert sum(line.cost for line in monthly(prices, always)) == pytest.approx(5.26 * 730)
    assert prices.currency == "MAD"


def test_the_fleet_holds_the_work_and_keeps_the_deadlines() -> None:
    made = planned(PREMIUM, NORMAL)
    work = 400 * 20 + 1200 * 30
    (phase,) = made.phases
    assert made.agents >= work / 86400
    assert made.in_time
    assert phase.waits["premium"].begun_p95_s <= 15
    assert phase.busy_share == pytest.approx(work / 86400 / made.agents, rel=0.15)
    assert made.cost_a_month == pytest.approx(made.agents * HOURS_A_MONTH * 2.0)
    assert made.cost_a_picture == pytest.approx(made.cost_a_month / (1600 * 365 / 12))


def test_machines_by_the_hour_end_outside_the_peak_and_bought_ones_do_not() -> None:
    load = Load(streams=(replace(NORMAL, pictures_a_day=6000),), peak_factor=4, peak_hours=3)
    by_hour = plan(load, LIST)
    peak, rest = by_hour.phases
    assert peak.pictures_an_hour * 3 + rest.pictures_an_hour * 21 == pytest.approx(6000)
    assert peak.agents > rest.agents
    hours = (peak.agents * 3 + rest.agents * 21) * 365 / 12
    assert by_hour.cost_a_month == pytest.approx(2.0 * hours)
    bought = plan(load, replace(LIST, machine=Machine(name="box", price_a_month=500)))
    assert bought.cost_a_month == pytest.approx(500 * peak.agents)


def test_seconds_are_given_or_measured_or_assumed_and_it_says_which() -> None:
    stream = Stream(pictures_a_day=100, width=512, height=512, steps=20)
    rates = {RateKey("sd1", "T4", "small"): Rate(0.5, 0.1, 32), RateKey("sdxl", "T4", "large"): Rate(9.0, 0.1, 32)}
    measured = planned(stream, rates=rates)
    cost = 20 * 2 * 512 * 512 / 1e6
    assert measured.draws[0].seconds == pytest.approx(0.5 * cost)
    assert measured.draws[0].known_by == "measured on T4 (32 pictures)"
    other = planned(replace(stream, width=1024, height=1024), rates=rates)
    assert other.draws[0].known_by == "measured on T4 (32 pictures, of small size instead of large)"
    assert planned(replace(stream, seconds=3), rates=rates).draws[0].seconds == 3
    assumed = planned(stream)
    assert assumed.draws[0].known_by == "assumed"
    assert any("Nothing was measured" in note for note in assumed.notes)
    assert not any("Nothing was measured" in note for note in measured.notes)


def test_rates_of_two_devices_are_not_mixed() -> None:
    rates = {RateKey("sd1", name, "small"): Rate(rate, 0.1, 9) for name, rate in (("T4", 1.0), ("H200", 0.1))}
    stream = Stream(pictures_a_day=100)
    with pytest.raises(InvalidFields) as refused:
        planned(stream, rates=rates)
    assert "'H200' or 'T4'" in refused.value.fields["device"]
    chosen = plan(Load(streams=(stream,), device="T4"), LIST, rates=rates)
    assert chosen.draws[0].known_by == "measured on T4 (9 pictures)"


def test_a_deadline_that_loading_cannot_keep_is_said() -> None:
    load = Load(streams=(replace(PREMIUM, pictures_a_day=100),), checkpoints=30, load_seconds=60)
    made = plan(load, LIST)
    assert not made.in_time
    assert any("premium" in note for note in made.notes)


def test_the_same_seed_makes_the_same_plan() -> None:
    assert planned(PREMIUM) == planned(PREMIUM)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ([], "load"),
        ({}, "streams"),
        ({"streams": []}, "streams"),
        ({"streams": [{"pictures_a_day": 0}]}, "streams[0].pictures_a_day"),
        ({"streams": [{"pictures_a_day": float("nan")}]}, "streams[0].pictures_a_day"),
        ({"streams": [{"pictures_a_day": 1, "speed": 3}]}, "streams[0].speed"),
    ],
)
def test_a_load_that_cannot_be_is_refused_by_field(values: object, field: str) -> None:
    with pytest.raises(InvalidFields) as refused:
        read_load(values)
    assert field in refused.value.fields


@pytest.mark.parametrize(
    ("load", "field"),
    [
        (Load(streams=(replace(NORMAL, tier="gold"),)), "streams[0].tier"),
        (Load(streams=(NORMAL,), peak_factor=0.5), "peak_factor"),
        (Load(streams=(NORMAL,), peak_factor=4, peak_hours=6), "peak_hours"),
        (Load(streams=(NORMAL,), checkpoints=0), "checkpoints"),
    ],
)
def test_a_load_that_cannot_be_planned_is_refused_by_field(load: Load, field: str) -> None:
    with pytest.raises(InvalidFields) as refused:
        plan(load, LIST)
    assert field in refused.value.fields


def test_prices_are_read_from_plain_values_and_may_not_be_negative() -> None:
    machine = {"name": "box", "price_a_month": 900, "interruptions_an_hour": 0.1}
    read = read_prices(
        {"currency": "EUR", "machine": machine, "rows": [{"name": "rent", "price_a_month": 50}]}, name="x"
    )
    assert (read.name, read.machine.price_a_month, read.rows[0].count) == ("x", 900, 1)
    with pytest.raises(InvalidFields) as refused:
        read_prices({"machine": {"name": "box", "price_an_hour": -1}}, name="x")
    assert set(refused.value.fields) == {"currency", "machine.price_an_hour"}


def test_the_command_prints_json_or_a_table_and_makes_no_data_directory(tmp_path: Path) -> None:
    (tmp_path / "load.yaml").write_text("streams: [{pictures_a_day: 300, seconds: 5}]")
    (tmp_path / "box.yaml").write_text("{currency: EUR, machine: {name: box, price_a_month: 70}}")
    asked = ["plan", str(tmp_path / "load.yaml"), "--prices", str(tmp_path / "box.yaml")]
    asked += ["--data-dir", str(tmp_path / "none")]
    found = CliRunner().invoke(app, [*asked, "--json"])
    assert found.exit_code == 0, found.output
    result = json.loads(found.output)
    assert (result["agents"], result["cost_a_month"], result["currency"], result["prices"]) == (1, 70, "EUR", "box")
    assert set(result["phases"][0]["waits"]) == {"normal"}
    table = CliRunner().invoke(app, asked)
    assert table.exit_code == 0, table.output
    assert "70.00 EUR a month" in table.output
    assert not (tmp_path / "none").exists()


def test_measures_of_another_schema_are_refused_only_where_they_are_needed(tmp_path: Path) -> None:
    (tmp_path / "stablehand.db").touch()
    (tmp_path / "given.yaml").write_text("streams: [{pictures_a_day: 100, seconds: 5}]")
    (tmp_path / "measured.yaml").write_text("streams: [{pictures_a_day: 100}]")

    def asked(name: str) -> Result:
        return CliRunner().invoke(app, ["plan", str(tmp_path / name), "--data-dir", str(tmp_path)])

    assert asked("given.yaml").exit_code == 0
    refused = asked("measured.yaml")
    assert isinstance(refused.exception, BadSettings)
    assert "stablehand migrate" in refused.exception.hint


def test_what_the_command_cannot_plan_is_refused(tmp_path: Path) -> None:
    (tmp_path / "load.yaml").write_text("streams: [{pictures_a_day: 300, seconds: 5}]")
    (tmp_path / "bad.yaml").write_text("{")
    load = str(tmp_path / "load.yaml")
    for arguments in ([], [load, "--preset", "gold"], [str(tmp_path / "bad.yaml")], [load, "--prices", load]):
        assert CliRunner().invoke(app, ["plan", *arguments, "--data-dir", str(tmp_path / "none")]).exit_code != 0
    shown = CliRunner().invoke(app, ["plan", "--list"]).output
    assert all(name in shown for name in ("aws-g4dn", "self-hosted", "settings"))


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_a_price_list_is_shown_as_a_file_that_can_be_edited(name: str, tmp_path: Path) -> None:
    shown = CliRunner().invoke(app, ["plan", "--preset", name, "--show", "--data-dir", str(tmp_path / "none")])
    assert shown.exit_code == 0, shown.output
    assert read_prices(yaml.safe_load(shown.output), name=name) == PRESETS[name]


def test_the_settings_are_a_price_list(tmp_path: Path) -> None:
    (tmp_path / "load.yaml").write_text("streams: [{pictures_a_day: 300, seconds: 5}]")
    asked = ["plan", str(tmp_path / "load.yaml"), "--preset", "settings", "--json", "--data-dir", str(tmp_path)]
    refused = CliRunner().invoke(app, asked)
    assert isinstance(refused.exception, BadSettings)
    assert "costs.device_hour" in refused.exception.hint
    (tmp_path / "stablehand.yaml").write_text("costs: {currency: MAD, device_hour: 2, pools: {large: 10}}")
    result = json.loads(CliRunner().invoke(app, asked).output)
    assert (result["currency"], result["cost_a_month"]) == ("MAD", pytest.approx(2 * 730))
    large = json.loads(CliRunner().invoke(app, [*asked, "--pool", "large"]).output)
    assert large["cost_a_month"] == pytest.approx(10 * 730)


@pytest.mark.parametrize(("name", "total"), [("rented", 7280), ("bought", 4100)])
def test_a_table_of_costs_comes_to_the_sum_of_its_rows(name: str, total: float) -> None:
    """The files of the guide: figures of an example, whose point is that nothing is added and nothing lost."""
    file = Path(__file__).parents[2] / "docs" / "examples" / f"prices-{name}.yaml"
    prices = read_prices(yaml.safe_load(file.read_text(encoding="utf-8")), name=name)
    assert "example" in prices.about
    made = plan(Load(streams=(replace(NORMAL, pictures_a_day=500),)), prices)
    assert made.agents == 1
    assert made.currency == "MAD"
    assert made.cost_a_month == pytest.approx(total, abs=0.005)
    assert sum(line.cost for line in made.lines) == made.cost_a_month
