"""What goes in and out of the routes about mail."""

from datetime import datetime

from pydantic import Field

from stablehand.api.bodies import In, Out
from stablehand.domain.mail_choices import Mailbox


class JobMailOut(Out):
    to: str
    by: datetime = Field(description="When it should be there, by the job's tier and the queue.")


class MailOut(Out):
    address: str | None = Field(description="Where your mail goes; null: the account has no confirmed address.")
    results: bool = Field(description="A letter with the pictures of each order that brought some.")
    failures: bool = Field(description="A letter about each order that brought none.")
    notices: bool = Field(description="A letter when a limit by the day is used up or a webhook was turned off.")

    @classmethod
    def of(cls, mailbox: Mailbox) -> "MailOut":
        return cls(
            address=mailbox.address,
            results=mailbox.chooses("results"),
            failures=mailbox.chooses("failures"),
            notices=mailbox.chooses("notices"),
        )


class MailIn(In):
    """What is left out stays as it is."""

    results: bool | None = None
    failures: bool | None = None
    notices: bool | None = None
