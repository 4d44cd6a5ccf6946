"""Dead letters: looked at, ordered again in their owners' names, or discarded."""

from stablehand.domain.deadletters import DeadLetter, LetterFilter, Refusal, Retried
from stablehand.domain.errors import AccountSuspended, Conflict, NotAllowed, NotFound, OverLimit, QueueFull, QuotaSpent
from stablehand.domain.jobs import Job, ShotError
from stablehand.domain.pages import LIMIT_DEFAULT, Page, check_limit
from stablehand.services import Services
from stablehand.services.catalogue import list_checkpoints
from stablehand.services.submit import enqueue
from stablehand.store.deadletters import LettersOfJob


def list_letters(
    services: Services, wanted: LetterFilter, *, limit: int = LIMIT_DEFAULT, cursor: str | None = None
) -> Page[DeadLetter]:
    """Newest first. Raises InvalidFields."""
    check_limit(limit)
    return services.store.list_letters(wanted, limit=limit, cursor=cursor)


def show_letter(services: Services, letter_id: str) -> DeadLetter:
    """One with its attempts. Raises NotFound."""
    return services.store.letter(letter_id)


def retry_letter(services: Services, letter_id: str) -> Job:
    """A new job of its owner with the same seed; the letter is gone then.

    Raises: NotFound, Conflict (its checkpoint is gone, or somebody was quicker), NoPool, QueueFull.
    """
    letter = services.store.letter(letter_id)
    letters = services.store.letters_of_job(letter.job_id, LetterFilter(id=letter_id))
    if letters is None:
        raise NotFound("There is no such dead letter.", hint="It has just been retried or discarded.")
    return _order_again(services, letters)


def retry_letters(services: Services, wanted: LetterFilter) -> Retried:
    """A new job for each job that has such letters. What cannot be ordered again stays, with the reason."""
    jobs: list[str] = []
    shots = 0
    refused: list[Refusal] = []
    for job_id in services.store.jobs_of_letters(wanted):
        letters = services.store.letters_of_job(job_id, wanted)
        if letters is None:
            continue
        try:
            jobs.append(_order_again(services, letters).id)
        except (Conflict, QueueFull, QuotaSpent, OverLimit, NotAllowed, AccountSuspended) as error:
            refused.append(Refusal(job_id, ShotError(error.code, error.message, error.hint)))
        else:
            shots += len(letters.shot_ids)
    return Retried(tuple(jobs), shots, tuple(refused))


def discard_letter(services: Services, letter_id: str) -> None:
    """Raises NotFound."""
    services.store.letter(letter_id)
    services.store.discard_letters(LetterFilter(id=letter_id))


def discard_letters(services: Services, wanted: LetterFilter) -> int:
    """Returns how many."""
    return services.store.discard_letters(wanted)


def _order_again(services: Services, letters: LettersOfJob) -> Job:
    """Raises Conflict, NoPool, QueueFull."""
    if letters.recipe.checkpoint_id not in {checkpoint.id for checkpoint in list_checkpoints(services)}:
        raise Conflict(
            f"The checkpoint {letters.recipe.checkpoint} is gone.", hint="Put its file back, or discard the letters."
        )
    account = services.store.account(letters.account_id)
    tier = letters.tier if letters.tier in account.tiers else account.tiers[0]
    recipe = letters.recipe.with_seed(letters.seeds[0])
    return enqueue(
        services,
        account,
        recipe,
        letters.seeds,
        tier=tier,
        retry_of=letters.job_id,
        letters=letters.shot_ids,
        notify=services.store.notify_of(letters.job_id),
    )
