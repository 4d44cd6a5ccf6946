"""Moves: an account puts its own queued shots into another order.

The places that it holds in the queue stay the same ones; only which of its shots stands at which changes. So nobody
else comes sooner or later by it, and nobody can gain more than their share.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Waiting:
    """A queued shot of the account; all that are compared are of one pool and tier."""

    shot_id: str
    job_id: str
    tag: float  #: its place; the smallest is claimed first
    index: int  #: order among equal tags


def rearranged(waiting: Sequence[Waiting], job_id: str, *, before: str | None = None, front: bool = False) -> list[str]:
    """Shot ids in the new order, when all of ``job_id`` go before the first of the job ``before``.

    Without ``before`` they go to the ``front``, or else to the back. A ``before`` that has nothing queued is the front.
    """
    order = sorted(waiting, key=lambda shot: (shot.tag, shot.index))
    moved = [shot for shot in order if shot.job_id == job_id]
    rest = [shot for shot in order if shot.job_id != job_id]
    at = 0 if front or before is not None else len(rest)
    if before is not None:
        at = next((place for place, shot in enumerate(rest) if shot.job_id == before), 0)
    return [shot.shot_id for shot in (*rest[:at], *moved, *rest[at:])]


def new_tags(waiting: Sequence[Waiting], order: Sequence[str]) -> dict[str, float]:
    """shot id -> tag, of those whose tag changes: the account's tags dealt out anew in ``order``."""
    old = {shot.shot_id: shot.tag for shot in waiting}
    dealt = zip(order, sorted(old.values()), strict=True)
    return {shot_id: tag for shot_id, tag in dealt if tag != old[shot_id]}
