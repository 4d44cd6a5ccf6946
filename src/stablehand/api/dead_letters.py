"""Dead letters: pictures that failed for good, for the administrator."""

from flask import Response, request
from flask_openapi.blueprint import APIBlueprint

from stablehand.api.admin_schemas import (
    AttemptOut,
    DeadLetterOut,
    DeadLetterPage,
    DeadLetterWhole,
    DiscardedOut,
    LettersIn,
    LettersQuery,
    RefusalOut,
    RetriedOut,
)
from stablehand.api.door import BODY_ERRORS, Door, blueprint, reply
from stablehand.api.schemas import ById, Error, JobOut, ShotErrorOut
from stablehand.api.views import job_out, recipe_out
from stablehand.domain.audit import Deed
from stablehand.domain.deadletters import DeadLetter, LetterFilter
from stablehand.domain.errors import InvalidFields
from stablehand.domain.jobs import ShotError
from stablehand.services.accounts import note_deed
from stablehand.services.deadletters import (
    discard_letter,
    discard_letters,
    list_letters,
    retry_letter,
    retry_letters,
    show_letter,
)


def routes(door: Door) -> APIBlueprint:
    api = blueprint("dead-letters", "Pictures that failed for good, for the administrator.")

    @api.get("/admin/dead-letters", responses={200: DeadLetterPage})
    def browse_letters(query: LettersQuery) -> Response:
        """List dead letters, newest first."""
        door.check_admin()
        page = list_letters(door.services, _wanted(query), limit=query.limit, cursor=query.cursor)
        return reply(DeadLetterPage(items=[letter_out(letter) for letter in page.items], next_cursor=page.next_cursor))

    @api.get("/admin/dead-letters/<id>", responses={200: DeadLetterWhole})
    def read_letter(path: ById) -> Response:
        """Look at a dead letter with its attempts."""
        door.check_admin()
        return reply(letter_whole(show_letter(door.services, path.id)))

    @api.post("/admin/dead-letters/<id>/retry", responses={202: JobOut, 409: Error, 429: Error})
    def retry_one(path: ById) -> Response:
        """Order a dead letter again, in its owner's name and with the same seed."""
        door.check_admin()
        job = retry_letter(door.services, path.id)
        _note(door, "letters.retried", 1)
        return reply(job_out(job), 202)

    @api.delete("/admin/dead-letters/<id>", responses={200: DiscardedOut})
    def discard_one(path: ById) -> Response:
        """Discard a dead letter; its job stays as it ended."""
        door.check_admin()
        discard_letter(door.services, path.id)
        _note(door, "letters.discarded", 1)
        return reply(DiscardedOut(discarded=1))

    @api.post("/admin/dead-letters/retry", responses={200: RetriedOut, **BODY_ERRORS})
    def retry_many(body: LettersIn) -> Response:
        """Order all dead letters of a kind again, one new job for each of their jobs."""
        door.check_admin()
        done = retry_letters(door.services, _chosen(body))
        _note(door, "letters.retried", done.shots)
        refused = [RefusalOut(job_id=one.job_id, error=_error_out(one.error)) for one in done.refused]
        return reply(RetriedOut(jobs=list(done.jobs), shots=done.shots, refused=refused))

    @api.post("/admin/dead-letters/discard", responses={200: DiscardedOut, **BODY_ERRORS})
    def discard_many(body: LettersIn) -> Response:
        """Discard all dead letters of a kind."""
        door.check_admin()
        discarded = discard_letters(door.services, _chosen(body))
        _note(door, "letters.discarded", discarded)
        return reply(DiscardedOut(discarded=discarded))

    return api


def _note(door: Door, action: str, letters: int) -> None:
    """In the audit log, what was done to other people's pictures."""
    deed = Deed(
        action=action,
        account_id=door.account.id,
        address=request.remote_addr or "",
        details={"pictures": str(letters)},
    )
    note_deed(door.services, deed)


def letter_out(letter: DeadLetter) -> DeadLetterOut:
    return DeadLetterOut(
        id=letter.id,
        job_id=letter.job_id,
        account=letter.account,
        index=letter.index,
        tier=letter.tier,
        pool=letter.pool,
        checkpoint=letter.checkpoint,
        agent=letter.agent,
        error=_error_out(letter.error) if letter.error else None,
        errors=letter.errors,
        losses=letter.losses,
        ended_at=letter.ended_at,
        recipe=recipe_out(letter.recipe),
    )


def letter_whole(letter: DeadLetter) -> DeadLetterWhole:
    attempts = [
        AttemptOut(
            attempt=attempt.attempt,
            agent=attempt.agent,
            kind=attempt.kind,
            error=_error_out(attempt.error),
            began_at=attempt.began_at,
            ended_at=attempt.ended_at,
        )
        for attempt in letter.attempts
    ]
    return DeadLetterWhole(**letter_out(letter).model_dump(), attempts=attempts)


def _error_out(error: ShotError) -> ShotErrorOut:
    return ShotErrorOut(code=error.code, message=error.message, hint=error.hint)


def _wanted(asked: LettersQuery | LettersIn) -> LetterFilter:
    return LetterFilter(
        code=asked.code,
        checkpoint=asked.checkpoint,
        agent=asked.agent,
        account=asked.account,
        job_id=asked.job_id,
    )


def _chosen(asked: LettersIn) -> LetterFilter:
    """Raises InvalidFields for a choice that would mean everything without saying so."""
    wanted = _wanted(asked)
    if wanted.is_empty != asked.all:
        raise InvalidFields({"all": "true and nothing else, or false and at least one other field"})
    return wanted
