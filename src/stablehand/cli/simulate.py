"""`stablehand simulate`: what a described fleet makes of a described load, by our policy and by simpler ones."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer


def simulate(
    name: Annotated[str, typer.Argument(help="A scenario that comes along; --list shows them.")] = "",
    *,
    scenario: Annotated[
        Path | None, typer.Option(help="A scenario of your own, YAML or JSON.", exists=True, dir_okay=False)
    ] = None,
    policy: Annotated[
        list[str] | None, typer.Option(help="stablehand, fifo or sticky; may be repeated. Default: all.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of arrivals and interruptions.")] = 0,
    frontier: Annotated[
        bool, typer.Option("--frontier", help="Vary how far idle agents help one large order, instead of the policy.")
    ] = False,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Take the tiers of these settings instead of the shipped ones.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
    show_list: Annotated[bool, typer.Option("--list", help="Name the scenarios that come along and end.")] = False,
) -> None:
    """Simulate a fleet under load: waits by tier, missed deadlines, switches, utilisation and cost."""
    from stablehand.domain.tiers import SHIPPED
    from stablehand.settings import load
    from stablehand.simulation.play import play
    from stablehand.simulation.policies import POLICIES
    from stablehand.simulation.scenarios import FRONTIER, SCENARIOS, with_idle_share

    if show_list:
        for known in SCENARIOS.values():
            typer.echo(f"{known.name:<22}{known.about}")
        return
    for wanted in policy or ():
        if wanted not in POLICIES:
            raise typer.BadParameter(f"{wanted!r} is not a policy. Policies: {', '.join(POLICIES)}.")
    chosen = _scenario(name, scenario)
    tiers = SHIPPED if config is None else load(config=config).tiers_in_force
    if frontier:
        played = {f"idle share {share:g}": (with_idle_share(chosen, share), "stablehand") for share in FRONTIER}
    else:
        played = {wanted: (chosen, wanted) for wanted in (policy or POLICIES)}
    figures = {label: play(how, wanted, seed=seed, tiers=tiers).as_dict() for label, (how, wanted) in played.items()}
    if as_json:
        result = {"scenario": chosen.name, "seed": seed, "seconds": chosen.seconds, "policies": figures}
        typer.echo(json.dumps(result))
        return
    typer.echo(f"{chosen.name}: {chosen.about or 'a scenario of your own'}. Seed {seed}, {chosen.seconds:g} s.")
    typer.echo("Seconds from ordering a picture until it is done.\n")
    for line in _table(figures):
        typer.echo(line)


def _scenario(name: str, file: Path | None) -> Any:
    import yaml

    from stablehand.domain.errors import InvalidFields
    from stablehand.simulation.reading import read_scenario
    from stablehand.simulation.scenarios import DEFAULT, SCENARIOS

    if file is None:
        found = SCENARIOS.get(name or DEFAULT)
        if found is None:
            raise typer.BadParameter(f"There is no scenario {name!r}. They are: {', '.join(SCENARIOS)}.")
        return found
    if name:
        raise typer.BadParameter("Name a scenario or give a file, not both.")
    try:
        values = yaml.safe_load(file.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise InvalidFields({"scenario": f"YAML or JSON ({error})"}) from error
    return read_scenario(values, name=file.stem)


def _table(figures: dict[str, dict[str, Any]]) -> list[str]:
    """One column a policy, one line a figure."""
    lines = [["", *figures]]
    several = len(next(iter(figures.values()))["crowds"]) > 1

    def add(label: str, texts: list[str]) -> None:
        lines.append([label, *texts])

    every = list(figures.values())
    for group in ("tiers", "crowds") if several else ("tiers",):
        for name in every[0][group]:
            waits = [entry[group][name] for entry in every]
            for quantile in ("p50_s", "p95_s", "max_s"):
                add(f"{name} {quantile[:-2]}", [f"{entry[quantile]:,.1f} s" for entry in waits])
            add(f"{name} too late", [f"{100 * entry['missed_share']:.2f} %" for entry in waits])
    add("pictures a second", [f"{entry['shots_per_second']:.2f}" for entry in every])
    add("loads for 100 pictures", [f"{entry['switches_per_100']:.2f}" for entry in every])
    add("time drawing", [f"{100 * entry['utilisation']:.1f} %" for entry in every])
    add("time loading", [f"{100 * entry['loading_share']:.1f} %" for entry in every])
    if any(entry["cost_an_hour"] for entry in every):
        add("agents on average", [f"{entry['agents_mean']:.1f}" for entry in every])
        add("cost an hour", [f"{entry['cost_an_hour']:.2f}" for entry in every])
        add("cost of 1,000 pictures", [f"{entry['cost_per_1000']:.3f}" for entry in every])
    if any(entry["interrupted"] for entry in every):
        add("agents taken away", [str(entry["interrupted"]) for entry in every])
        add("pictures begun again", [str(entry["repeated"]) for entry in every])
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return [
        "  ".join(text.rjust(width) if place else text.ljust(width) for place, (text, width) in enumerate(cells))
        for cells in (zip(line, widths, strict=True) for line in lines)
    ]
