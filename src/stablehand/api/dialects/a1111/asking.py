"""What asks and steers: progress, interrupt, skip, and the options that each client has for itself."""

from datetime import UTC, datetime

from flask import Blueprint, Response, request

from stablehand.api.dialects.a1111.speaking import body_of, say
from stablehand.api.dialects.calling import TASK_HEADER
from stablehand.api.door import Door
from stablehand.domain.a1111.bodies import INTERNAL_PROGRESS
from stablehand.domain.a1111.fields import read_body
from stablehand.domain.a1111.progress import internal_answer, progress_answer
from stablehand.domain.calls import Call, clean_task_id
from stablehand.domain.jobs import Job, State
from stablehand.services.cancel import cancel
from stablehand.services.client_options import read_options, set_options
from stablehand.services.draw import newest_call, pending_calls


def add(api: Blueprint, door: Door) -> None:
    def newest(wanted: str | None) -> tuple[Call | None, Job | None]:
        """Of the id that is wanted, or of any where none is; what cannot be an id is nobody's."""
        task_id = clean_task_id(wanted)
        if wanted is not None and task_id is None:
            return None, None
        return newest_call(door.services, door.caller, task_id=task_id) or (None, None)

    @api.get("/sdapi/v1/progress")
    def progress() -> Response:
        call, job = newest(request.args.get("id_task") or None)
        image = None
        if job is not None and job.state is State.RUNNING and not _is_true(request.args.get("skip_current_image")):
            _, data_url = door.glimpses.look(job.account_id, job.id)
            image = None if data_url is None else data_url.partition(",")[2]
        response = say(progress_answer(call, job, datetime.now(UTC), image))
        if call is not None:
            response.headers[TASK_HEADER] = call.task_id
        return response

    @api.post("/sdapi/v1/interrupt")
    def interrupt() -> Response:
        _stop(door)
        return say({})

    @api.post("/sdapi/v1/skip")
    def skip() -> Response:
        _stop(door)
        return say(None)

    @api.get("/sdapi/v1/options")
    def get_options() -> Response:
        return say(read_options(door.services, door.caller))

    @api.post("/sdapi/v1/options")
    def post_options() -> Response:
        set_options(door.services, door.caller, body_of(door))
        return say(None)

    @api.get("/internal/ping")
    def ping() -> Response:
        return say({})

    @api.get("/internal/pending-tasks")
    def pending_tasks() -> Response:
        tasks = [call.task_id for call in pending_calls(door.services, door.caller)]
        return say({"size": len(tasks), "tasks": tasks})

    @api.post("/internal/progress")
    def internal_progress() -> Response:
        values = read_body(INTERNAL_PROGRESS, body_of(door))
        _, job = newest(values["id_task"] or "")
        number, data_url = 0, None
        if job is not None and job.state is State.RUNNING and values["live_preview"]:
            number, data_url = door.glimpses.look(job.account_id, job.id)
        seen = -1 if values["id_live_preview"] is None else values["id_live_preview"]
        return say(internal_answer(job, datetime.now(UTC), data_url, number=number, seen=seen))


def _stop(door: Door) -> None:
    """Cancel the newest job of whoever asks that has not ended. Other people's work goes on."""
    pending = pending_calls(door.services, door.caller)
    if pending:
        cancel(door.services, door.account, pending[-1].job_id)


def _is_true(text: str | None) -> bool:
    return (text or "").lower() in ("true", "1", "yes", "on")
