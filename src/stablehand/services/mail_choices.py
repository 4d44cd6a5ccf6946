"""What accounts want to be told by mail: asked when a notice leaves, changed by them or by a link in a letter."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from stablehand.domain.accounts import Account
from stablehand.domain.errors import NotFound
from stablehand.domain.jobs import Job
from stablehand.domain.mail_choices import Mailbox, Sort, promised_by, sort_of
from stablehand.domain.notices import Notice
from stablehand.domain.notify import MailPromise, Notify
from stablehand.domain.versions import Expected
from stablehand.services import Services

#: kinds of notices that letters are written about
_WORTH_A_LETTER = frozenset({"job_finished", "quota_reached", "webhook_disabled"})


def mailbox_of(services: Services, account: Account) -> Mailbox:
    """Where an account's mail goes, and what it wants there. Raises NotFound."""
    return services.store.mailbox(account.id)


def choose_mail(
    services: Services, account: Account, choices: Mapping[Sort, bool], *, expected: Expected = None
) -> Mailbox:
    """Say yes or no to letters of these sorts. Raises NotFound, ChangedMeanwhile."""
    return services.store.choose_mail(account.id, choices, expected=expected)


def unsubscribe(services: Services, account_id: str, sort: Sort) -> None:
    """By a link in a letter: no more of this sort. An account that is gone gets none anyway."""
    try:
        services.store.choose_mail(account_id, {sort: False})
    except NotFound:
        return


def wants_mail(services: Services, notice: Notice) -> bool:
    """Whether a letter goes out for a notice. Most are of no such kind, and cost nothing."""
    if notice.kind not in _WORTH_A_LETTER:
        return False
    try:
        mailbox = services.store.mailbox(notice.account_id)
        if notice.kind != "job_finished":
            return mailbox.wants("notices")
        if mailbox.address is None:
            return False
        job = services.store.job(notice.job_id)
    except NotFound:
        return False
    sort = sort_of(job)
    return sort is not None and mailbox.wants_of(sort, asked=_asked(job), asked_at=job.created_at)


def with_mail(services: Services, jobs: Sequence[Job]) -> tuple[Job, ...]:
    """Jobs of one account with where their pictures go by mail, and by when; nothing of that once one has ended."""
    if all(job.state.is_terminal for job in jobs):
        return tuple(jobs)
    try:
        mailbox = services.store.mailbox(jobs[0].account_id)
    except NotFound:
        return tuple(jobs)  # the account is being deleted; its jobs end after it
    return tuple(replace(job, mail=_promise(services, mailbox, job)) for job in jobs)


def _promise(services: Services, mailbox: Mailbox, job: Job) -> MailPromise | None:
    if job.state.is_terminal or mailbox.address is None:
        return None
    if not mailbox.wants_of("results", asked=_asked(job), asked_at=job.created_at):
        return None
    deadline_seconds = services.store.tiers.get(job.tier).deadline_seconds
    return MailPromise(mailbox.address, promised_by(job, deadline_seconds, datetime.now(UTC)))


def mail_problem(services: Services, account: Account, notify: Notify | None) -> str | None:
    """What is wrong with a wish for mail; None: nothing is."""
    if notify is None or not notify.email or services.store.mailbox(account.id).address is not None:
        return None
    return "false, or none: your account has no confirmed address"


def _asked(job: Job) -> bool | None:
    return None if job.notify is None else job.notify.email
