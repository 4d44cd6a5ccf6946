"""Reading jobs."""

import time
from collections.abc import Callable
from dataclasses import replace

from stablehand.domain.accounts import Account
from stablehand.domain.errors import InvalidFields
from stablehand.domain.jobs import Job
from stablehand.domain.pages import LIMIT_DEFAULT, Page, check_limit
from stablehand.services import Services
from stablehand.services.announce import job_topic
from stablehand.services.mail_choices import with_mail
from stablehand.services.told import told, with_space
from stablehand.store.jobs import PARTS, STATE_GROUPS


def get_job(services: Services, account: Account, job_id: str) -> Job:
    """Raises NotFound."""
    return told(services, job_id, account_id=account.id)


def wait_for_job(
    services: Services,
    account: Account,
    job_id: str,
    wait_seconds: float,
    *,
    given_up: Callable[[], bool] = lambda: False,
) -> Job:
    """The job once it is terminal, or as it stands after ``wait_seconds`` or when ``given_up`` says so.

    Raises NotFound.
    """
    deadline = time.monotonic() + wait_seconds
    while True:
        heard = services.doorbell.heard()
        left = deadline - time.monotonic()
        if left <= 0 or services.store.job_state(job_id, account.id).is_terminal or given_up():
            return get_job(services, account, job_id)
        services.doorbell.wait(job_topic(job_id), min(left, services.limits.poll_seconds), since=heard)


def list_jobs(
    services: Services,
    account: Account,
    *,
    limit: int = LIMIT_DEFAULT,
    cursor: str | None = None,
    state: str | None = None,
    include: str = "",
) -> Page[Job]:
    """Newest first. Raises InvalidFields.

    Args:
        state: a state, "active" or "finished".
        include: "shots", "images" or both, parted by a comma: all that a job has of these.
    """
    check_limit(limit)
    parts = {part.strip() for part in include.split(",") if part.strip()}
    if not parts <= PARTS:
        raise InvalidFields({"include": "of shots and images, parted by a comma"})
    if state is not None and state not in STATE_GROUPS:
        raise InvalidFields({"state": "one of: " + ", ".join(STATE_GROUPS)})
    states = () if state is None else STATE_GROUPS[state]
    page = services.store.list_jobs(
        account.id,
        limit=limit,
        cursor=cursor,
        states=states,
        progress=services.feed.progress_now(),
        include=parts,
    )
    return replace(page, items=with_mail(services, [with_space(services, job) for job in page.items]))
