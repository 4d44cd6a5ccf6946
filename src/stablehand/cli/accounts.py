"""accounts: who may use this server, for whoever sits at it."""

from typing import TYPE_CHECKING, Annotated

import typer

from stablehand.cli.opening import opened
from stablehand.cli.options import Config, DataDir

if TYPE_CHECKING:
    from stablehand.domain.accounts import AccountEntry

accounts = typer.Typer(help="Accounts of the people who use this server.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The account's name, which is its address, or id.")]


@accounts.command("list")
def list_(
    search: Annotated[str, typer.Option(help="Only those with this in name or address.")] = "",
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """List accounts: name, role, tier, state, what waits, pictures and device time of 30 days, last seen."""
    from stablehand.domain.pages import LIMIT_MAX
    from stablehand.services.administration import list_accounts

    with opened(data_dir, config) as services:
        cursor = None
        while True:
            page = list_accounts(services, search=search, limit=LIMIT_MAX, cursor=cursor)
            for entry in page.items:
                typer.echo(_line(entry))
            if (cursor := page.next_cursor) is None:
                return


@accounts.command()
def change(
    account: Name,
    role: Annotated[str | None, typer.Option(help="admin or user.")] = None,
    tier: Annotated[str | None, typer.Option(help="The best one that it may use.")] = None,
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """Give an account another role or tier."""
    from stablehand.domain.errors import InvalidFields
    from stablehand.services.administration import change_account, show_account

    with opened(data_dir, config) as services:
        if role not in (None, "admin", "user"):
            raise InvalidFields({"role": "admin or user"})
        who = services.store.account_named(account)
        change_account(
            services, who.id, by=None, role="admin" if role == "admin" else "user" if role else None, tier=tier
        )
        typer.echo(_line(show_account(services, who.id)))


@accounts.command()
def suspend(
    account: Name,
    reason: Annotated[str, typer.Option(help="Shown to whoever signs in to it.")] = "",
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """End an account's sessions, let its keys rest and cancel its jobs, until that is lifted."""
    from stablehand.services.suspend import suspend as suspend_

    with opened(data_dir, config) as services:
        who = services.store.account_named(account)
        suspend_(services, who.id, by=None, reason=reason)
    typer.echo(f"{who.name} is suspended.")


@accounts.command()
def unsuspend(account: Name, data_dir: DataDir = None, config: Config = None) -> None:
    """Lift a suspension."""
    from stablehand.services.suspend import lift_suspension

    with opened(data_dir, config) as services:
        who = services.store.account_named(account)
        lift_suspension(services, who.id, by=None)
    typer.echo(f"{who.name} may go on.")


@accounts.command()
def delete(
    account: Name,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """Delete an account with its pictures and everything else that is its own. There is no way back."""
    from stablehand.services.erase import erase

    with opened(data_dir, config) as services:
        who = services.store.account_named(account)
        if not yes:
            typer.confirm(f"Delete {who.name} with all its pictures, for good?", abort=True)
        erase(services, who.id, by=None)
    typer.echo(f"{who.name} is deleted.")


def _line(entry: "AccountEntry") -> str:
    account = entry.account
    seen = f"{entry.last_seen_at:%Y-%m-%d %H:%M}" if entry.last_seen_at else "never"
    facts = (
        account.name,
        account.role,
        account.tier,
        entry.state,
        f"{entry.queued} waiting",
        f"{entry.pictures} pictures",
        f"{entry.device_seconds:.0f} s",
        seen,
        account.suspended_reason,
    )
    return "  ".join(facts).rstrip()
