"""dead-letters: pictures that failed for good."""

from typing import Annotated

import typer

from stablehand.cli.opening import opened
from stablehand.cli.options import Config, DataDir
from stablehand.domain.deadletters import DeadLetter, LetterFilter

dead_letters = typer.Typer(help="Pictures that failed for good.", no_args_is_help=True)

Code = Annotated[str | None, typer.Option(help="Only with this error code.")]
Checkpoint = Annotated[str | None, typer.Option(help="Only of this checkpoint, by name or id.")]
Agent = Annotated[str | None, typer.Option(help="Only last tried by this agent, by name or id.")]
Account = Annotated[str | None, typer.Option(help="Only of this account, by name or id.")]
Job = Annotated[str | None, typer.Option(help="Only of this job.")]
Everything = Annotated[bool, typer.Option("--all", help="Every dead letter.")]
Letter = Annotated[str | None, typer.Argument(metavar="ID", help="Of one dead letter.")]


@dead_letters.command("list")
def list_(
    code: Code = None,
    checkpoint: Checkpoint = None,
    agent: Agent = None,
    account: Account = None,
    job: Job = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many, the newest.")] = 50,
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """List dead letters, newest first: id, time, error, checkpoint, agent, account, prompt."""
    from stablehand.services.deadletters import list_letters

    wanted = LetterFilter(code=code, checkpoint=checkpoint, agent=agent, account=account, job_id=job)
    with opened(data_dir, config) as services:
        page = list_letters(services, wanted, limit=limit)
    for letter in page.items:
        typer.echo("  ".join((letter.id, f"{letter.ended_at:%Y-%m-%d %H:%M}", *_facts(letter))))
    if page.next_cursor is not None:
        typer.echo(f"There are more than these {limit}; narrow the list, or raise --limit.", err=True)


@dead_letters.command()
def show(
    letter_id: Annotated[str, typer.Argument(metavar="ID", help="Of one dead letter.")],
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """Show why a picture failed: its error, every bad attempt, its recipe."""
    from stablehand.services.deadletters import show_letter

    with opened(data_dir, config) as services:
        letter = show_letter(services, letter_id)
    typer.echo(f"{letter.id}: picture {letter.index} of job {letter.job_id}, {letter.tier}, pool {letter.pool}")
    if letter.error is not None:
        typer.echo(f"{letter.error.code}: {letter.error.message}\n{letter.error.hint}".rstrip())
    typer.echo(f"{letter.errors} errors, {letter.losses} losses; ended {letter.ended_at:%Y-%m-%d %H:%M:%S} UTC")
    for attempt in letter.attempts:
        typer.echo(
            f"  attempt {attempt.attempt} on {attempt.agent} until {attempt.ended_at:%Y-%m-%d %H:%M:%S}: "
            f"{attempt.kind.value}, {attempt.error.code}: {attempt.error.message}"
        )
    for name, value in sorted(letter.recipe.as_dict().items()):
        if value not in (None, "", [], {}):
            typer.echo(f"  {name}: {value}")


@dead_letters.command()
def retry(
    letter_id: Letter = None,
    code: Code = None,
    checkpoint: Checkpoint = None,
    agent: Agent = None,
    account: Account = None,
    job: Job = None,
    everything: Everything = False,
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """Order dead letters again, in their owners' names and with the same seeds."""
    from stablehand.services.deadletters import retry_letters

    wanted = LetterFilter(id=letter_id, code=code, checkpoint=checkpoint, agent=agent, account=account, job_id=job)
    _check(wanted, everything=everything)
    with opened(data_dir, config) as services:
        done = retry_letters(services, wanted)
    for job_id in done.jobs:
        typer.echo(job_id)
    for refusal in done.refused:
        typer.echo(f"{refusal.job_id}: {refusal.error.message} {refusal.error.hint}".strip(), err=True)
    typer.echo(f"{done.shots} pictures ordered again in {len(done.jobs)} jobs.", err=True)
    raise typer.Exit(1 if done.refused else 0)


@dead_letters.command()
def discard(
    letter_id: Letter = None,
    code: Code = None,
    checkpoint: Checkpoint = None,
    agent: Agent = None,
    account: Account = None,
    job: Job = None,
    everything: Everything = False,
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """Discard dead letters; their jobs stay as they ended."""
    from stablehand.services.deadletters import discard_letters

    wanted = LetterFilter(id=letter_id, code=code, checkpoint=checkpoint, agent=agent, account=account, job_id=job)
    _check(wanted, everything=everything)
    with opened(data_dir, config) as services:
        count = discard_letters(services, wanted)
    typer.echo(f"{count} discarded.")


def _check(wanted: LetterFilter, *, everything: bool) -> None:
    if wanted.is_empty != everything:
        raise typer.BadParameter("Name a dead letter, narrow them with options, or say --all.")


def _facts(letter: DeadLetter) -> tuple[str, ...]:
    code = letter.error.code if letter.error else "unknown"
    prompt = " ".join(letter.recipe.prompt.split())
    return code, letter.checkpoint, letter.agent or "-", letter.account, prompt[:60]
