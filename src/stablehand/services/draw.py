"""draw: take an order and wait until its pictures are there, for clients that know nothing of jobs.

The job goes through the same queue as any other. When nobody waits for it any more it goes on, unless the settings say
that a client which hangs up takes its order along; the same body, sent again soon, attaches to it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import NoReturn

from stablehand.domain.calls import RESUME_SECONDS, Call, new_task_id
from stablehand.domain.credentials import Caller
from stablehand.domain.errors import CallerGone, NotFound, StillDrawing
from stablehand.domain.jobs import Job
from stablehand.domain.notify import Notify
from stablehand.domain.orders import JobOrder
from stablehand.services import Services
from stablehand.services.cancel import cancel
from stablehand.services.jobs import get_job, wait_for_job
from stablehand.services.submit import submit


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a call is waited for. ``hung_up``: asked now and then, whether its client has gone."""

    seconds: float
    hung_up: Callable[[], bool] = lambda: False
    cancels: bool = False  #: a client that hangs up takes its order along


@dataclass(frozen=True, slots=True)
class Begun:
    """A call with its job; ``resumed``: an earlier call had ordered that."""

    call: Call
    job: Job
    resumed: bool


def begin_call(
    services: Services,
    caller: Caller,
    *,
    kind: str,
    fingerprint: str,
    order: Callable[[], JobOrder],
    task_id: str | None = None,
    batches: int = 1,
) -> Begun:
    """Order, or attach to the job of the same body that nobody waited for to the end.

    ``order`` makes the order, and is asked only when there is something to order. Raises what it and ``submit`` raise.
    """
    known = _resumable(services, caller, fingerprint)
    # Whoever waits for the answer needs no letter.
    job = known or submit(services, caller.account, replace(order(), notify=Notify(email=False)))
    call = Call(
        account_id=caller.account.id,
        credential=caller.credential,
        kind=kind,
        task_id=task_id or new_task_id(kind),
        fingerprint=fingerprint,
        job_id=job.id,
        created_at=datetime.now(UTC),  # the store puts its own in place
        batches=batches,
    )
    services.store.note_call(call)
    return Begun(call, job, known is not None)


def await_call(services: Services, caller: Caller, begun: Begun, patience: Patience) -> Job:
    """The job once it has ended.

    Raises:
        StillDrawing: it has not, in time. CallerGone: nobody waits for the answer.
    """
    job_id = begun.job.id
    job = wait_for_job(services, caller.account, job_id, patience.seconds, given_up=patience.hung_up)
    if not job.state.is_terminal:
        leave_call(services, caller, begun, patience)
    if begun.resumed:
        services.store.set_resumable(job_id, None)
    return job


def leave_call(services: Services, caller: Caller, begun: Begun, patience: Patience) -> NoReturn:
    """Wait no longer for a job that has not ended. Raises StillDrawing, CallerGone."""
    job_id = begun.job.id
    if patience.hung_up():
        if patience.cancels:
            cancel(services, caller.account, job_id)
        else:
            services.store.set_resumable(job_id, RESUME_SECONDS)
        raise CallerGone("The client has gone.", hint="Nobody reads this.")
    services.store.set_resumable(job_id, RESUME_SECONDS)
    raise StillDrawing(job_id, begun.call.task_id, patience.seconds)


def newest_call(services: Services, caller: Caller, *, task_id: str | None = None) -> tuple[Call, Job] | None:
    """The newest call of whoever asks that has not ended, else the newest, and its job. ``task_id``: of that id."""
    call = services.store.newest_call(caller.credential, task_id=task_id)
    if call is None:
        return None
    try:
        return call, get_job(services, caller.account, call.job_id)
    except NotFound:
        return None


def pending_calls(services: Services, caller: Caller) -> tuple[Call, ...]:
    """Those of whoever asks that have not ended, the oldest first."""
    return tuple(reversed(services.store.open_calls(caller.credential)))


def _resumable(services: Services, caller: Caller, fingerprint: str) -> Job | None:
    """The job that the same body attaches to. One that was cancelled is none: whoever asks again wants pictures."""
    known = services.store.resumable_call(caller.credential, fingerprint)
    if known is None:
        return None
    try:
        job = get_job(services, caller.account, known.job_id)
    except NotFound:
        return None
    return None if job.cancel_requested else job
