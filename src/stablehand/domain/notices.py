"""Notices: what must leave the house, and when it is tried again.

A notice has one id for ever and may arrive more than once, so whoever receives it keeps ids to tell copies apart.
Notices of one job leave in the order in which they were written; those without a job wait for no other.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

#: What notices tell of a job. "job_submitted": count; "image_delivered": image_id, index; "job_finished": state.
JOB_KINDS = ("job_submitted", "image_delivered", "job_finished")
#: Those without a job (``job_id`` is empty). "webhook_disabled": webhook_id, url, reason; "webhook_pinged": webhook_id;
#: "quota_reached": as domain.quotas.Hit.as_dict.
ACCOUNT_KINDS = ("webhook_disabled", "webhook_pinged", "quota_reached")
KINDS = (*JOB_KINDS, *ACCOUNT_KINDS)

#: Pauses after the first, second, … failure, in seconds: short at first, because most outages are; four days in all.
PAUSES_SECONDS = (5, 30, 120, 600, 1_800, 3_600, 10_800, 21_600, 43_200, 86_400, 86_400, 86_400)
#: A pause is stretched or cut by up to this part of it, lest everything that failed together comes back together.
JITTER = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """``tries``: failures so far. ``token``: grows with every claim by a courier, whose word counts under it only."""

    id: str
    kind: str
    account_id: str
    job_id: str
    payload: Mapping[str, Any]
    created_at: datetime
    tries: int
    token: int

    def as_dict(self) -> dict[str, Any]:
        """What the outside is told, as JSON knows it."""
        return {
            "id": self.id,
            "kind": self.kind,
            "account_id": self.account_id,
            "job_id": self.job_id,
            "created_at": self.created_at.isoformat(),
            **self.payload,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadNotice:
    """A notice that was given up."""

    id: str
    kind: str
    account_id: str
    job_id: str
    created_at: datetime
    dead_at: datetime
    tries: int
    error: str


def pause_seconds(failures: int, jitter: float) -> float | None:
    """How long to wait after so many failures (1 and more); None: give up. ``jitter``: random, 0 to 1."""
    if failures > len(PAUSES_SECONDS):
        return None
    return PAUSES_SECONDS[failures - 1] * (1 + JITTER * (2 * jitter - 1))
