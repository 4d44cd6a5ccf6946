"""Synchronous calls: a thread within the budget that orders, and waits until the pictures are there."""

import socket
from collections.abc import Callable
from dataclasses import dataclass

from flask import request

from stablehand.api.door import Door
from stablehand.domain.calls import Call, clean_task_id
from stablehand.domain.jobs import Job
from stablehand.domain.orders import JobOrder
from stablehand.services.draw import Patience, await_call, begin_call

#: the header that names a call, for those who want to ask how far it is
TASK_HEADER = "X-Task-Id"


@dataclass(frozen=True, slots=True)
class Answered:
    """A call whose job has ended."""

    call: Call
    job: Job


def call(
    door: Door,
    *,
    kind: str,
    fingerprint: str,
    order: Callable[[], JobOrder],
    task_id: str | None = None,
    batches: int = 1,
) -> Answered:
    """Order for whoever asks, and wait. ``order`` is asked only if the body does not attach to an earlier job.

    Raises:
        Busy, TooManyCalls: the budget is spent. StillDrawing: it takes longer than a call waits. CallerGone.
        What ``order`` and submit raise.
    """
    caller = door.caller
    patience = patience_of(door)
    with door.waits.hold(caller.account.id):
        begun = begin_call(
            door.services,
            caller,
            kind=kind,
            fingerprint=fingerprint,
            order=order,
            task_id=clean_task_id(task_id),
            batches=batches,
        )
        try:
            return Answered(begun.call, await_call(door.services, caller, begun, patience))
        finally:
            door.glimpses.forget(begun.job.id)


def patience_of(door: Door) -> Patience:
    """With the client of this request."""
    return Patience(
        seconds=door.options.dialect_wait_seconds,
        hung_up=line_of_request(),
        cancels=door.options.dialect_hang_up_cancels,
    )


def line_of_request() -> Callable[[], bool]:
    """Asks whether the client of this request has hung up. Where no socket is to be had, nobody ever has."""
    line = request.environ.get("gunicorn.socket")
    if not isinstance(line, socket.socket):
        return lambda: False

    def hung_up() -> bool:
        try:
            # Nothing where there should be something to read: the other side has closed. (Bytes: its next request.)
            return line.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True

    return hung_up
