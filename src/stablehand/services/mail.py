"""mail: the channel by which accounts are told of their orders and limits by letter.

A letter is written anew for each try, from what is true by then; it always carries the same Message-ID, by which mail
programs know two copies as one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from stablehand.adapters.letter_pages import Way, WordPage
from stablehand.domain.dispatches import PAUSES_SECONDS, Arrived, Dispatch, Never, NotNow
from stablehand.domain.errors import NotFound, StorageAway
from stablehand.domain.letters import Letter
from stablehand.domain.mail_choices import sort_of
from stablehand.domain.notices import Notice
from stablehand.ports import LetterNotSent, LetterRefused, LetterTooLarge, Mailer
from stablehand.services import Services
from stablehand.services.mail_choices import wants_mail
from stablehand.services.manners import Manners
from stablehand.services.result_mail import job_key, result_letter


class MailChannel:
    """Implements ports.Channel. Its destinations are accounts: their addresses may change while a letter waits."""

    name = "mail"
    at_once = 4
    pauses_seconds: Sequence[float] = PAUSES_SECONDS

    def __init__(self, services: Services, mailer: Mailer, manners: Manners) -> None:
        self._services = services
        self._mailer = mailer
        self._manners = manners

    def destinations(self, notice: Notice) -> tuple[str, ...]:
        return (notice.account_id,) if wants_mail(self._services, notice) else ()

    def carry(self, dispatch: Dispatch, notice: Notice) -> Arrived | NotNow | Never:
        """Write the letter and hand it over; whoever said no meanwhile gets none."""
        del dispatch
        try:
            if not wants_mail(self._services, notice):
                return Arrived(answer="Not sent: the account does not want it any more.")
            letter = self._write(notice, self._manners)
            try:
                self._mailer.send(letter)
            except LetterTooLarge:
                if not letter.enclosures:
                    raise
                self._mailer.send(self._write(notice, replace(self._manners, attach_bytes=0)))
        except NotFound:
            return Arrived(answer="Not sent: what it is about is gone.")
        except StorageAway as error:
            return NotNow(error=f"The pictures cannot be read: {error}", after_seconds=error.retry_after_seconds)
        except LetterRefused as error:
            return Never(error=str(error))
        except LetterNotSent as error:
            return NotNow(error=str(error))
        return Arrived()

    def _write(self, notice: Notice, manners: Manners) -> Letter:
        """Raises NotFound, StorageAway."""
        to = self._services.store.mailbox(notice.account_id).address
        if to is None:
            raise NotFound("The account has no address.")
        if notice.kind != "job_finished":
            return word_letter(manners, notice, to=to)
        job = self._services.store.job(notice.job_id)
        sort = sort_of(job)
        if sort is None:
            raise NotFound("There is nothing to tell of the job.")
        return result_letter(self._services, manners, job, to=to, sort=sort, key=job_key(job.id))


def word_letter(manners: Manners, notice: Notice, *, to: str) -> Letter:
    """About something that has happened to an account."""
    words = _limit_words if notice.kind == "quota_reached" else _webhook_words
    title, lines, place = words(notice.payload)
    studio = None
    if manners.public_url is not None:
        studio = Way(address=f"{manners.public_url}{place}", words="Open the studio")
    page = WordPage(
        house=manners.house,
        title=title,
        preview=lines[0],
        lines=lines,
        studio=studio,
        why="You get this letter because your account wants one when something like this happens.",
        **manners.footer(notice.account_id, "notices"),
    )
    return Letter(
        to=to,
        subject=title,
        text=page.text(),
        html=page.html(),
        key=f"notice-{notice.id}",
        written_at=notice.created_at,
        unsubscribe=page.unsubscribe,
    )


def _limit_words(said: Mapping[str, Any]) -> tuple[str, tuple[str, ...], str]:
    unit = "pictures" if said["limit"] == "pictures_a_day" else "seconds of device time"
    moment = datetime.fromisoformat(said["frees_at"])
    lines = (
        f"Your account may have {said['most']:g} {unit} within 24 hours. {said['used']:.4g} are used or waiting, and "
        f"an order for {said['asked']:.4g} more was refused.",
        f"There is room for it again from {moment.day} {moment:%B, %H:%M} UTC on. Until then order fewer, or cancel "
        "what waits.",
        "Whoever runs the service can give your account more.",
    )
    is_spent = said["used"] >= said["most"]
    title = f"You have used up your {unit} for today" if is_spent else "An order was more than you may have today"
    return title, lines, "/account"


def _webhook_words(said: Mapping[str, Any]) -> tuple[str, tuple[str, ...], str]:
    lines = (
        f"Nothing more is sent to {said['url']}. {said['reason']}",
        "Nothing is lost: once the receiver works, turn the webhook on again under Account, and let what was not "
        "delivered be sent anew.",
    )
    return "A webhook was turned off", lines, "/account/webhooks"
