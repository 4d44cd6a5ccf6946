"""Orders: submit, look, wait, cancel, retry."""

from collections.abc import Mapping

from flask import Response
from flask_openapi.blueprint import APIBlueprint

from stablehand.api.door import BODY_ERRORS, Door, blueprint, reply
from stablehand.api.idempotency import replayed
from stablehand.api.job_in import JobIn
from stablehand.api.schemas import (
    ById,
    Error,
    IdempotencyHeader,
    JobMoveIn,
    JobOut,
    JobPage,
    JobsQuery,
    WaitQuery,
)
from stablehand.api.views import job_out
from stablehand.api.zips import ZIP_ANSWERS, zip_answer
from stablehand.domain.errors import InvalidFields
from stablehand.domain.notify import Notify
from stablehand.domain.orders import JobOrder
from stablehand.services.cancel import cancel
from stablehand.services.jobs import get_job, list_jobs, wait_for_job
from stablehand.services.links import ids_of_job
from stablehand.services.move import move
from stablehand.services.prepare import check
from stablehand.services.retry import retry
from stablehand.services.submit import submit

#: request names that exist, here or in the dialect they come from, and that this version cannot honour
WITHOUT_EFFECT = frozenset(
    ["tiling", "restore_faces", "styles", "loras", "init_images", "batch_size", "n_iter", "controlnet"]
)


def routes(door: Door) -> APIBlueprint:
    api = blueprint("jobs", "Orders for pictures.")

    @api.post("/jobs", responses={202: JobOut, **BODY_ERRORS, 409: Error, 429: Error, 507: Error})
    def create_job(header: IdempotencyHeader, body: JobIn) -> Response:
        """Order pictures."""
        job = submit(
            door.services,
            door.account,
            order_of(door, body),
            idempotency_key=header.idempotency_key,
            on_replay=replayed,
        )
        return reply(job_out(job), 202)

    @api.get("/jobs", responses={200: JobPage})
    def browse_jobs(query: JobsQuery) -> Response:
        """List jobs, newest first."""
        page = list_jobs(
            door.services,
            door.account,
            limit=query.limit,
            cursor=query.cursor,
            state=query.state,
            include=query.include,
        )
        return reply(JobPage(items=[job_out(job) for job in page.items], next_cursor=page.next_cursor))

    @api.get("/jobs/<id>", responses={200: JobOut, 503: Error})
    def read_job(path: ById, query: WaitQuery) -> Response:
        """Look at a job, or wait for its end."""
        if not query.wait:
            return reply(job_out(get_job(door.services, door.account, path.id)))
        with door.waits.hold(door.account.id):
            return reply(job_out(wait_for_job(door.services, door.account, path.id, query.wait)))

    @api.delete("/jobs/<id>", responses={200: JobOut})
    def cancel_job(path: ById) -> Response:
        """Cancel a job; finished pictures are kept."""
        return reply(job_out(cancel(door.services, door.account, path.id)))

    @api.post("/jobs/<id>/move", responses={200: JobOut, **BODY_ERRORS, 409: Error})
    def move_job(path: ById, body: JobMoveIn) -> Response:
        """Change the order of your own waiting jobs; nobody else's place changes."""
        if (body.before is None) == (body.to is None):
            raise InvalidFields(dict.fromkeys(("before", "to"), "give either `before` or `to`"))
        job = move(door.services, door.account, path.id, before=body.before, front=body.to == "front")
        return reply(job_out(job))

    @api.post("/jobs/<id>/retry", responses={202: JobOut, 409: Error, 429: Error})
    def retry_job(path: ById, header: IdempotencyHeader) -> Response:
        """Order a job's unfinished pictures again, with the same seeds."""
        key = header.idempotency_key
        job = retry(door.services, door.account, path.id, idempotency_key=key, on_replay=replayed)
        return reply(job_out(job), 202)

    @api.get("/jobs/<id>/zip", responses=ZIP_ANSWERS)
    def zip_job(path: ById) -> Response:
        """Fetch all pictures of a job as one ZIP, with their recipes."""
        account_id = door.account.id
        ids = ids_of_job(door.services, account_id, path.id)
        return zip_answer(door, account_id, account_id, ids, with_recipes=True)

    return api


def all_problems(door: Door, body: Mapping[str, object], wrong: Mapping[str, str]) -> dict[str, str]:
    """Everything that is wrong with an order, when ``wrong`` fields have not even the right type.

    The rest of the order is checked as if those had been left out, so that one answer names every field.
    """
    unreadable = {name.partition(".")[0] for name in wrong}
    readable = {name: value for name, value in body.items() if name in JobIn.model_fields and name not in unreadable}
    order = JobIn.model_validate({"prompt": "stands in for one that cannot be read", **readable})
    found = check(door.services, door.account, order_of(door, order))
    for name, words in wrong.items():
        found[name] = "has no effect in this version; leave it out" if name in WITHOUT_EFFECT else words
    return found


def order_of(door: Door, body: JobIn) -> JobOrder:
    values = body.model_dump()
    values["format"] = body.format or door.options.save_format
    values["quality"] = body.quality if body.quality is not None else door.options.quality
    values["notify"] = Notify.from_dict(values["notify"])
    return JobOrder(**values)
