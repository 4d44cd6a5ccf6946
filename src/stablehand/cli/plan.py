"""`stablehand plan`: how many agents a load needs, how long people wait, and what a month costs."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stablehand.cli.options import Config, DataDir

if TYPE_CHECKING:
    from stablehand.domain.estimates import Rate, RateKey
    from stablehand.settings import Settings
    from stablehand.simulation.planning import Plan
    from stablehand.simulation.prices import PriceList


def plan(
    load_file: Annotated[
        Path | None,
        typer.Argument(metavar="LOAD", help="What people order, YAML or JSON.", exists=True, dir_okay=False),
    ] = None,
    *,
    preset: Annotated[str, typer.Option(help="A price list that comes along; --list shows them.")] = "aws-g4dn",
    prices: Annotated[
        Path | None,
        typer.Option(help="A price list of your own, YAML or JSON, instead.", exists=True, dir_okay=False),
    ] = None,
    pool: Annotated[str, typer.Option(help="Whose device-hours `--preset settings` takes.")] = "default",
    seed: Annotated[int, typer.Option(help="Of arrivals and interruptions.")] = 0,
    data_dir: DataDir = None,
    config: Config = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
    show_list: Annotated[bool, typer.Option("--list", help="Show the price lists that come along and end.")] = False,
    show: Annotated[bool, typer.Option("--show", help="Print the price list as YAML, to be edited, and end.")] = False,
) -> None:
    """Plan a fleet for a load: agents, waits by tier, and cost a month and a picture.

    How long pictures take is what this installation has measured, where it has, unless the load says it.
    """
    from stablehand.settings import load
    from stablehand.simulation.planning import plan as make_plan
    from stablehand.simulation.planning import read_load
    from stablehand.simulation.prices import PRESETS, SETTINGS, from_settings, read_prices

    if show_list:
        for known in PRESETS.values():
            typer.echo(f"{known.name:<16}{known.currency}  {known.about}")
        typer.echo(f"{SETTINGS:<16}     what this installation's settings say that a device-hour costs (costs)")
        return
    if prices is None and preset not in (*PRESETS, SETTINGS):
        raise typer.BadParameter(f"There is no price list {preset!r}. They are: {', '.join((*PRESETS, SETTINGS))}.")
    if load_file is None and not show:
        raise typer.BadParameter("Say what people order: stablehand plan LOAD. docs/howto/plan-costs.md has one.")
    settings = load(data_dir=data_dir, config=config)
    if prices is not None:
        chosen = read_prices(_values(prices, "prices"), name=prices.stem)
    elif preset == SETTINGS:
        chosen = from_settings(settings.costs.in_force, pool)
    else:
        chosen = PRESETS[preset]
    if show or load_file is None:
        typer.echo(_as_yaml(chosen), nl=False)
        return
    wanted = read_load(_values(load_file, "load"))
    rates = _rates(settings) if any(stream.seconds is None for stream in wanted.streams) else {}
    made = make_plan(wanted, chosen, tiers=settings.tiers_in_force, rates=rates, seed=seed)
    if as_json:
        typer.echo(json.dumps(made.as_dict()))
        return
    for line in _lines(made):
        typer.echo(line)


def _values(file: Path, what: str) -> Any:
    import yaml

    from stablehand.domain.errors import InvalidFields

    try:
        return yaml.safe_load(file.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise InvalidFields({what: f"YAML or JSON ({error})"}) from error


def _as_yaml(chosen: "PriceList") -> str:
    """A file that ``--prices`` reads again. Its name will be the file's."""
    from dataclasses import asdict

    import yaml

    values = asdict(chosen)
    del values["name"]
    values["rows"] = list(values["rows"])
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True)


def _rates(settings: "Settings") -> "Mapping[RateKey, Rate]":
    """What the installation has measured; nothing where there is none. Changes nothing. Raises BadSettings."""
    from stablehand.domain.errors import BadSettings
    from stablehand.wiring import serving

    if settings.storage.database_url is None and not settings.database_path.is_file():
        return {}
    store = serving.open_store(settings)
    try:
        if not store.is_current():
            raise BadSettings(
                f"The schema of {store.place} is not this version's, so what it has measured cannot be read.",
                hint="Run `stablehand migrate`, or name a --data-dir that does not exist to plan without it.",
            )
        return store.rates()
    finally:
        store.close()


def _lines(made: "Plan") -> list[str]:
    money = made.currency
    lines = [
        f"{made.agents} agents at most, {made.cost_a_month:,.2f} {money} a month for "
        f"{made.pictures_a_month:,.0f} pictures, {made.cost_a_picture:,.4f} {money} a picture.",
        "",
    ]
    for phase in made.phases:
        lines.append(
            f"{phase.name}: {phase.hours_a_day:g} hours, {phase.pictures_an_hour:,.1f} pictures an hour, "
            f"{phase.agents} agents, drawing {100 * phase.busy_share:.0f} % of the time"
        )
        for name, waits in phase.waits.items():
            lines.append(
                f"  {name:<10} begins after {waits.begun_p50_s:,.1f} s, 95 in 100 within {waits.begun_p95_s:,.1f} s "
                f"(deadline {waits.deadline_s:,.0f} s{'' if waits.in_time else ', missed'}); "
                f"done after {waits.done_p50_s:,.1f} s, 95 in 100 within {waits.done_p95_s:,.1f} s"
            )
    lines += ["", "Pictures"]
    lines += [
        f"  {draw.tier:<10} {draw.pictures_a_day:>10,.0f} a day, {draw.seconds:,.2f} device-seconds each, "
        f"{draw.known_by}"
        for draw in made.draws
    ]
    lines += ["", f"A month by {made.prices}, in {money}"]
    width = max((len(line.name) for line in made.lines), default=5)
    lines += [
        f"  {line.name:<{width}}  {line.quantity:>12,.1f} {line.unit:<10} × {line.price:>10,.4f} = {line.cost:>12,.2f}"
        for line in made.lines
    ]
    lines.append(f"  {'total':<{width}}  {made.cost_a_month:>{12 + 1 + 10 + 3 + 10 + 3 + 12},.2f}")
    lines += ["", *made.notes] if made.notes else []
    return lines
