"""doctor: what is wrong, and how to mend it."""

import typer

from stablehand.cli.options import Config, DataDir


def doctor(data_dir: DataDir = None, config: Config = None) -> None:
    """Say what is wrong with this installation and how to mend it; ends with 1 when something is."""
    from stablehand.doctor import changed_settings, examine
    from stablehand.settings import load

    settings = load(data_dir=data_dir, config=config)
    marks = {"ok": "ok     ", "note": "note   ", "problem": "PROBLEM"}
    problems = 0
    for finding in examine(settings):
        typer.echo(f"{marks[finding.level]}  {finding.topic}: {settings.mask(finding.text)}")
        if finding.mend:
            typer.echo(f"         {settings.mask(finding.mend)}")
        problems += finding.level == "problem"
    changed = list(changed_settings(settings))
    if changed:
        typer.echo("\nSettings that are not at their defaults:")
        for key, value in changed:
            typer.echo(f"  {key} = {value}")
    if problems:
        raise typer.Exit(1)
