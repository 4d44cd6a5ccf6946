"""The one tree of errors that people and programs may see.

Each carries a stable ``code`` (for programs), a message (what happened) and a hint (what to do). ``api/errors.py``
holds the one table from these classes to HTTP statuses.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stablehand.domain.quotas import Hit


class StablehandError(Exception):
    """Anything that Stablehand refuses or fails on purpose."""

    code = "error"

    def __init__(self, message: str, *, hint: str = "", fields: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        #: field name -> what it must be; filled for invalid input only
        self.fields: dict[str, str] = dict(fields or {})


class InvalidFields(StablehandError):
    """Fields of a request are wrong; ``fields`` names every one of them."""

    code = "invalid_fields"

    def __init__(self, fields: Mapping[str, str], *, hint: str = "Correct the named fields and send it again.") -> None:
        names = ", ".join(sorted(fields))
        super().__init__(f"These fields are not valid: {names}.", hint=hint, fields=fields)


class NotFound(StablehandError):
    """The thing does not exist, or belongs to somebody else: the answer is the same."""

    code = "not_found"


class LinkVoid(NotFound):
    """A link to pictures that is not ours, was altered, or whose account may not be used."""

    code = "link_void"

    def __init__(self) -> None:
        super().__init__("This link does not work.", hint="Check that it is whole, or ask whoever gave it to you.")


class LinkExpired(StablehandError):
    """A link to pictures that worked until some time ago."""

    code = "link_expired"

    def __init__(self) -> None:
        super().__init__("This link has expired.", hint="Ask whoever gave it to you for a new one.")


class LinkRevoked(StablehandError):
    """A link to pictures that whoever made it has ended."""

    code = "link_revoked"

    def __init__(self) -> None:
        super().__init__("This link was revoked.", hint="Ask whoever gave it to you for a new one.")


class Unauthorized(StablehandError):
    """No valid credential came with the request."""

    code = "unauthorized"


class Forbidden(StablehandError):
    """The credential is valid but does not allow this."""

    code = "forbidden"


class AccountSuspended(Forbidden):
    """The credential is good, but an administrator has suspended the account."""

    code = "account_suspended"

    def __init__(self, reason: str = "") -> None:
        said = f"This account is suspended: {reason}" if reason else "This account is suspended."
        super().__init__(said, hint="Ask an administrator. Keys and pictures are kept; jobs were cancelled.")


class Conflict(StablehandError):
    """The request contradicts what is stored."""

    code = "conflict"


class AccountProtected(Conflict):
    """The account cannot be demoted, suspended or deleted: nobody else could administer then, or it is built in."""

    code = "account_protected"


class IdempotencyConflict(Conflict):
    """The same Idempotency-Key came with another body."""

    code = "idempotency_conflict"


class RequestInTheMaking(Conflict):
    """The same request came with this Idempotency-Key a moment ago and has no answer yet."""

    code = "request_in_the_making"
    retry_after_seconds = 1

    def __init__(self) -> None:
        super().__init__(
            "The same request is being worked on.", hint="Send it again in a moment, with the same Idempotency-Key."
        )


class RequestUnknown(Conflict):
    """A request with this Idempotency-Key was cut off, and nobody knows whether it was done."""

    code = "request_unknown"

    def __init__(self) -> None:
        super().__init__(
            "A request with this Idempotency-Key was cut off before it was answered.",
            hint="Look whether it was done; if not, send it with a new key.",
        )


class ChangedMeanwhile(StablehandError):
    """What was to be changed is not what the caller saw (If-Match)."""

    code = "changed_meanwhile"

    def __init__(self) -> None:
        super().__init__(
            "Somebody has changed this since you looked at it.",
            hint="Nothing was done. Load it again, look, and decide anew.",
        )


class NoPool(Conflict):
    """No pool of agents can ever run this checkpoint."""

    code = "no_pool"


class QueueFull(StablehandError):
    """The account has as many queued shots as it may have."""

    code = "queue_full"

    def __init__(
        self, message: str, *, hint: str = "", retry_after_seconds: int | None = 30, hit: "Hit | None" = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.retry_after_seconds = retry_after_seconds
        self.hit = hit


class QuotaSpent(StablehandError):
    """The account has had as much as it may have within a day.

    ``retry_after_seconds``: None when waiting does not help, because the order alone is too large.
    """

    code = "quota_spent"

    def __init__(self, message: str, *, hint: str, retry_after_seconds: int | None, hit: "Hit") -> None:
        super().__init__(message, hint=hint)
        self.retry_after_seconds = retry_after_seconds
        self.hit = hit


class OverLimit(InvalidFields):
    """Fields are valid, but ask for more than this account may have; ``fields`` names every one of them."""

    code = "over_limit"

    def __init__(self, fields: Mapping[str, str]) -> None:
        super().__init__(fields, hint="Order less, or ask whoever runs the service for more.")
        self.message = f"This is more than your account may order: {', '.join(sorted(fields))}."


class PromptBlocked(InvalidFields):
    """What is asked for stands on the operator's list; it is not said what, or the list would be guessed by trying."""

    code = "prompt_blocked"

    def __init__(self, names: Iterable[str]) -> None:
        super().__init__(
            dict.fromkeys(names, "holds something that this server does not draw"),
            hint="Describe it otherwise; whoever runs the service decides what is not drawn.",
        )
        self.message = "This server does not draw that."


class AddressRefused(StablehandError):
    """What a user's address leads to must not, or cannot, be fetched. ``why``: the rest of "It cannot be, because"."""

    code = "address_refused"

    def __init__(self, why: str) -> None:
        super().__init__(f"This address cannot be fetched: {why}.", hint="Give the address of a public picture file.")
        self.why = why


class NotAllowed(Forbidden):
    """The account may not use this checkpoint, or order this kind; ``fields`` names all that it may not."""

    code = "not_allowed"

    def __init__(self, fields: Mapping[str, str]) -> None:
        names = ", ".join(sorted(fields))
        super().__init__(
            f"Your account may not order this: {names}.",
            hint="Choose what the fields name, or ask whoever runs the service.",
            fields=fields,
        )


class TooManyRequests(StablehandError):
    """This address, account or mailbox has had as much of it as it may have for now."""

    code = "too_many_requests"

    def __init__(self, message: str, *, hint: str = "", retry_after_seconds: int) -> None:
        super().__init__(message, hint=hint)
        self.retry_after_seconds = retry_after_seconds


class TooManyAttempts(TooManyRequests):
    """Too many passwords, codes or keys were wrong."""

    code = "too_many_attempts"


class Busy(StablehandError):
    """Too many requests of this kind are being waited on; come back later."""

    code = "busy"

    def __init__(self, message: str, *, hint: str = "", retry_after_seconds: int = 2) -> None:
        super().__init__(message, hint=hint)
        self.retry_after_seconds = retry_after_seconds


class TooManyCalls(Busy):
    """The account has as many requests waiting as it may have."""


class StillDrawing(StablehandError):
    """Nobody waits longer for a job, which goes on; ``task_id``: by which the client knows it."""

    code = "still_drawing"

    def __init__(self, job_id: str, task_id: str, waited_seconds: float) -> None:
        super().__init__(
            f"The job {job_id} is not done after {waited_seconds:g} seconds. It goes on, and its pictures will lie in "
            "the gallery.",
            hint="Send the same request again within 10 minutes to wait on for it.",
        )
        self.job_id = job_id
        self.task_id = task_id


class CallerGone(StablehandError):
    """The client hung up while it was waited for."""

    code = "caller_gone"


class StoreUnavailable(StablehandError):
    """The database does not answer, or not in time; nothing is known to be wrong with the request.

    ``reason``: what the database or its driver said, for the log and for whoever runs the server.
    """

    code = "store_unavailable"

    def __init__(
        self, message: str, *, hint: str = "Try again in a moment.", reason: str = "", retry_after_seconds: int = 2
    ) -> None:
        super().__init__(message, hint=hint)
        self.reason = reason
        self.retry_after_seconds = retry_after_seconds


class StorageFull(StablehandError):
    """The disk or the object store takes no more bytes."""

    code = "storage_full"


class StorageAway(StablehandError):
    """The object store does not answer, or refuses us; nothing was stored or read."""

    code = "storage_away"

    def __init__(self, message: str, *, hint: str = "", retry_after_seconds: int = 5) -> None:
        super().__init__(message, hint=hint)
        self.retry_after_seconds = retry_after_seconds


class BadPicture(StablehandError):
    """Uploaded bytes are not a picture of an accepted format."""

    code = "bad_picture"


class PictureRefused(BadPicture):
    """The operator's safety checker will not have this picture kept."""

    code = "picture_refused"


class CheckerAway(Busy):
    """The operator's safety checker could not look at a picture now."""

    code = "checker_away"


class PictureTooLarge(StablehandError):
    """A picture has more bytes or pixels than we take; nothing of it was unpacked or stored."""

    code = "picture_too_large"


class BadSettings(StablehandError):
    """The settings contradict each other or the machine; the server does not start."""

    code = "bad_settings"


class CheckpointBroken(StablehandError):
    """A checkpoint's files are missing, truncated or of the wrong shape."""

    code = "checkpoint_broken"


class CheckpointUnreadable(CheckpointBroken):
    """A checkpoint's files are there but cannot be read now; that may pass."""

    code = "checkpoint_unreadable"


class WeightsUnavailable(StablehandError):
    """Weights are not on this machine, and nobody could be found to fetch them from, this time."""

    code = "weights_unavailable"


class RecipeUnsupported(StablehandError):
    """This runtime cannot carry out the recipe (kind, sampler, size …)."""

    code = "recipe_unsupported"


class DeviceOutOfMemory(StablehandError):
    """The device has not enough memory for even this one picture."""

    code = "out_of_memory"


class LeaseLost(Conflict):
    """The shot is no longer this agent's: its lease ran out, was cancelled, or belongs to another incarnation."""

    code = "lease_lost"


class UnknownIncarnation(Conflict):
    """The server does not know this process of the agent; it must say hello (again)."""

    code = "unknown_incarnation"


class Superseded(Conflict):
    """A newer process of the same agent has said hello; this one must end."""

    code = "superseded"


class BadBackup(StablehandError):
    """A backup file cannot be written or read, or the place to restore it to is not empty."""

    code = "bad_backup"


class BadTransfer(StablehandError):
    """An installation cannot be moved: the new place is not empty, or the old one is not ready."""

    code = "bad_transfer"
