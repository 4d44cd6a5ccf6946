"""follow: hear of a call's pictures one by one, as they form and when they are done."""

import base64
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from stablehand.adapters.previews import enlarge
from stablehand.domain.credentials import Caller
from stablehand.domain.events import ImageAdded, JobChanged, PreviewShown
from stablehand.domain.images import Image
from stablehand.domain.jobs import Job
from stablehand.domain.recipes import Recipe
from stablehand.services import Services
from stablehand.services.draw import Begun, Patience, leave_call
from stablehand.services.feed import Subscription
from stablehand.services.jobs import get_job
from stablehand.services.watch import unwatch, watch

#: events that may lie unread; the oldest are dropped, since all of them are hints
_CAPACITY = 256


@dataclass(frozen=True, slots=True)
class Glimpse:
    """A picture of the job as it forms."""

    progress: float
    jpeg: bytes

    def at_full_size(self, recipe: Recipe) -> bytes:
        return enlarge(self.jpeg, recipe.output_size, format=recipe.format, quality=recipe.quality)


@dataclass(frozen=True, slots=True)
class Waiting:
    """Nothing has happened for a while."""


@contextmanager
def listen(services: Services, caller: Caller, begun: Begun, *, glimpses: bool) -> Iterator[Subscription]:
    """Events of the caller's account from now on; ``glimpses``: previews of the call's job among them."""
    with services.feed.subscribe(caller.account.id, _CAPACITY) as heard:
        if not glimpses:
            yield heard
            return
        watch(services, caller.account, begun.job.id)
        try:
            yield heard
        finally:
            unwatch(services, begun.job.id)


def follow(
    services: Services, caller: Caller, begun: Begun, heard: Subscription, patience: Patience
) -> Iterator[Glimpse | Image | Waiting | Job]:
    """Each picture once, in the order in which they are done; the job, which has ended, comes last.

    Raises StillDrawing, CallerGone.
    """
    job_id = begun.job.id
    deadline = time.monotonic() + patience.seconds
    told: set[str] = set()
    while True:
        job = get_job(services, caller.account, job_id)
        for image in job.images:
            if image.id not in told:
                told.add(image.id)
                yield image
        if job.state.is_terminal:
            if begun.resumed:
                services.store.set_resumable(job_id, None)
            yield job
            return
        left = deadline - time.monotonic()
        if left <= 0 or patience.hung_up():
            leave_call(services, caller, begun, patience)
        yield from _until_news(heard, job_id, min(left, services.limits.poll_seconds))


def _until_news(heard: Subscription, job_id: str, seconds: float) -> Iterator[Glimpse | Waiting]:
    """Previews of the job; ends as soon as it may have changed, or nothing was heard for so long."""
    end = time.monotonic() + seconds
    while True:
        event = heard.get(max(0.0, end - time.monotonic()))
        match event:
            case None:
                yield Waiting()
                return
            case PreviewShown() if event.job_id == job_id:
                yield Glimpse(event.progress, base64.b64decode(event.data_url.partition(",")[2]))
            case ImageAdded() if event.image.job_id == job_id:
                return
            case JobChanged() if event.job.id == job_id:
                return
            case _:
                if time.monotonic() >= end:
                    return
