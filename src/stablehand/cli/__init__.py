"""The command line. Each command has its own file and imports what it runs inside it, so that --help is quick."""

import sys
from typing import Annotated

import typer

from stablehand.cli.accounts import accounts
from stablehand.cli.agent import agent
from stablehand.cli.agents import agents
from stablehand.cli.archive import backup, restore
from stablehand.cli.bench import bench
from stablehand.cli.dead_letters import dead_letters
from stablehand.cli.describe import openapi, reference, settings, version
from stablehand.cli.doctor import doctor
from stablehand.cli.limits import limits
from stablehand.cli.migrate import migrate
from stablehand.cli.models import models
from stablehand.cli.outbox import outbox
from stablehand.cli.plan import plan
from stablehand.cli.serve import serve
from stablehand.cli.simulate import simulate
from stablehand.cli.transfer import transfer
from stablehand.domain.errors import StablehandError

app = typer.Typer(
    name="stablehand",
    help="A self-hosted Stable Diffusion service for many people at once.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in (serve, agent, migrate, doctor, backup, restore, transfer, simulate, plan, settings, openapi, version):
    app.command()(command)
app.command(hidden=True)(reference)
app.add_typer(agents, name="agents")
app.add_typer(dead_letters, name="dead-letters")
app.add_typer(outbox, name="outbox")
app.add_typer(models, name="models")
app.add_typer(accounts, name="accounts")
app.add_typer(limits, name="limits")
app.add_typer(bench, name="bench")


def _show_version(asked: bool) -> None:
    if asked:
        version()
        raise typer.Exit


@app.callback()
def options(
    show_version: Annotated[
        bool, typer.Option("--version", help="Print the version and end.", is_eager=True, callback=_show_version)
    ] = False,
) -> None:
    del show_version  # its callback has answered


def main() -> None:
    """The console command: errors of ours end it with their message and hint, not with a traceback."""
    try:
        app()
    except StablehandError as error:
        sys.stderr.write(f"{error.message}\n")
        for name, words in error.fields.items():
            sys.stderr.write(f"  {name}: {words}\n")
        if error.hint:
            sys.stderr.write(f"{error.hint}\n")
        sys.exit(2)
