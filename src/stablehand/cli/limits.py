"""limits: what an account may have, and limits of its own."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from stablehand.cli.opening import opened
from stablehand.cli.options import Config, DataDir

if TYPE_CHECKING:
    from stablehand.domain.accounts import Account
    from stablehand.services import Services

limits = typer.Typer(help="What accounts may have, in place of what their tier says.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The account's name, or id.")]


@limits.command()
def show(account: Name, data_dir: DataDir = None, config: Config = None) -> None:
    """Show an account's limits, what it has used of them, and which are its own."""
    with opened(data_dir, config) as services:
        _show(services, services.store.account_named(account))


@limits.command("set")
def set_(
    account: Name,
    values: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME=VALUE...", help="Such as queued=500, steps=none (no limit) or checkpoints=sd15-*,postcard."
        ),
    ],
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """Give an account limits of its own, beside those that it has already."""
    from stablehand.services.quotas import change_quotas

    with opened(data_dir, config) as services:
        who = services.store.account_named(account)
        change_quotas(services, who, dict(map(_read, values)))
        _show(services, who)


@limits.command()
def reset(account: Name, data_dir: DataDir = None, config: Config = None) -> None:
    """Forget an account's own limits: its tier's hold again."""
    from stablehand.services.quotas import change_quotas

    with opened(data_dir, config) as services:
        who = services.store.account_named(account)
        change_quotas(services, who, {}, forget=True)
        _show(services, who)


def _read(pair: str) -> tuple[str, Any]:
    from stablehand.domain.errors import InvalidFields
    from stablehand.domain.quotas import LISTS

    name, equals, text = pair.partition("=")
    if not equals:
        raise InvalidFields({pair: "NAME=VALUE"})
    if text.lower() == "none":
        return name, None
    if name in LISTS:
        return name, [part.strip() for part in text.split(",") if part.strip()]
    try:
        return name, float(text) if "." in text else int(text)
    except ValueError as error:
        raise InvalidFields({name: "a number, or none"}) from error


def _show(services: "Services", account: "Account") -> None:
    from dataclasses import asdict

    from stablehand.services.quotas import allowance

    found = allowance(services, account)
    used = {usage.limit: usage.used for usage in found.usage}
    typer.echo(f"{account.name}: tier {found.tier.name}")
    for name, most in asdict(found.quotas).items():
        shown = "any" if most is None else ", ".join(most) if isinstance(most, tuple) else f"{most:g}"
        facts = [f"{used[name]:g} used" if name in used else "", "its own" if name in found.own else ""]
        typer.echo(f"  {name:<22}{shown:<12}{'  '.join(fact for fact in facts if fact)}".rstrip())
