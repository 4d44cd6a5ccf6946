"""Streams of events: partial pictures as they form, and each picture when it is done."""

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from flask import Response, request

from stablehand.api.dialects.calling import patience_of
from stablehand.api.dialects.openai.speaking import shape
from stablehand.api.door import Door, request_id
from stablehand.api.errors import refusal_of
from stablehand.domain.credentials import Caller
from stablehand.domain.errors import CallerGone, StablehandError
from stablehand.domain.images import Image
from stablehand.domain.jobs import Job
from stablehand.domain.openai.answers import check_drawn, completed_event, is_partial_due, partial_event
from stablehand.domain.openai.drafts import Draft
from stablehand.domain.openai.errors import Refused
from stablehand.domain.orders import JobOrder
from stablehand.services.draw import Begun, Patience, begin_call, leave_call
from stablehand.services.feed import Subscription
from stablehand.services.follow import Glimpse, Waiting, follow, listen
from stablehand.services.gallery import image_bytes

#: a silent line is closed by proxies sooner or later
SILENCE_SECONDS = 10.0


@dataclass(slots=True)
class _Stream:
    """One stream; it holds a place in the thread budget until it is closed."""

    door: Door
    caller: Caller
    draft: Draft
    begun: Begun
    heard: Subscription
    patience: Patience
    request_id: str
    route: str
    ended: bool = False

    def events(self) -> Iterator[bytes]:
        # Sends the headers on their way, and tells people who look at the line which job it is.
        yield f": job {self.begun.job.id}\n\n".encode()
        try:
            for event in self._drawn():
                yield b": still drawing\n\n" if event is None else _event(str(event["type"]), event)
        except Refused as error:
            yield _event("error", error.body())
        except CallerGone:
            pass  # whatever there was to do about it has been done
        except StablehandError as error:
            body, _, _ = shape(refusal_of(error, request_id=self.request_id, route=self.route))
            yield _event("error", body)
        self.ended = True

    def _drawn(self) -> Iterator[Mapping[str, Any] | None]:
        """Events; None where only the line is to be kept open. Raises Refused and what ``follow`` raises."""
        shown, spoke_at = 0, time.monotonic()
        job = self.begun.job
        wanted = self.draft.partial_images
        services = self.door.services
        for news in follow(services, self.caller, self.begun, self.heard, self.patience):
            match news:
                case Glimpse() if is_partial_due(news.progress, shown=shown, wanted=wanted):
                    picture = news.at_full_size(job.recipe)
                    yield partial_event(self.draft, job, shown, picture, created_at=int(time.time()))
                    shown += 1
                case Image():
                    yield completed_event(self.draft, news, image_bytes(services, self.caller.account, news.id))
                case Job():
                    self.ended = True
                    check_drawn(news)
                case Waiting() if time.monotonic() - spoke_at > SILENCE_SECONDS:
                    yield None
                case _:
                    continue
            spoke_at = time.monotonic()

    def close(self) -> None:
        """Whoever listened has gone before the end."""
        if not self.ended:
            gone = Patience(seconds=0.0, hung_up=lambda: True, cancels=self.patience.cancels)
            with contextlib.suppress(CallerGone):
                leave_call(self.door.services, self.caller, self.begun, gone)


def stream(door: Door, draft: Draft, *, kind: str, fingerprint: str, order: Callable[[], JobOrder]) -> Response:
    """Order, and answer with events. Raises what ``calling.call`` raises before there is anything to stream."""
    caller, patience = door.caller, patience_of(door)
    with ExitStack() as stack:
        stack.enter_context(door.waits.hold(caller.account.id))
        begun = begin_call(door.services, caller, kind=kind, fingerprint=fingerprint, order=order)
        stack.callback(door.glimpses.forget, begun.job.id)
        heard = stack.enter_context(listen(door.services, caller, begun, glimpses=draft.partial_images > 0))
        streamed = _Stream(
            door, caller, draft, begun, heard, patience, request_id=request_id(), route=str(request.url_rule)
        )
        stack.callback(streamed.close)
        response = Response(streamed.events(), mimetype="text/event-stream")
        # Proxies that gather an answer before they pass it on are asked not to.
        response.headers["X-Accel-Buffering"] = "no"
        response.call_on_close(stack.pop_all().close)
    return response


def _event(name: str, data: Mapping[str, Any]) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data, allow_nan=False)}\n\n".encode()
