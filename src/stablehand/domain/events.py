"""What a browser is told. Every event is a hint that may be lost: the truth is fetched again by REST."""

from dataclasses import dataclass

from stablehand.domain.images import Image
from stablehand.domain.jobs import Job, Shot
from stablehand.domain.notices import Notice


@dataclass(frozen=True, slots=True)
class JobChanged:
    account_id: str
    job: Job


@dataclass(frozen=True, slots=True)
class ShotChanged:
    """A shot's state or progress changed."""

    account_id: str
    job_id: str
    shot: Shot


@dataclass(frozen=True, slots=True)
class ImageAdded:
    account_id: str
    image: Image


@dataclass(frozen=True, slots=True)
class PreviewShown:
    """A small picture of a watched shot as it forms."""

    account_id: str
    job_id: str
    index: int
    progress: float
    data_url: str


@dataclass(frozen=True, slots=True)
class NoticeGiven:
    """A notice of the outbox, carried to the browsers. The same one may come twice."""

    account_id: str
    notice: Notice


@dataclass(frozen=True, slots=True)
class AccountStopped:
    """An account was suspended or deleted: its sockets are closed. It is told to nobody."""

    account_id: str


Event = JobChanged | ShotChanged | ImageAdded | PreviewShown | NoticeGiven | AccountStopped
