"""Urgency: how much of its tier's deadline the worst-served account of a lane has waited; and a lane's work.

Both count by account, so that nobody gains by ordering more: an account that was just served has waited no time,
however many of its shots are queued, and only its first few count as work that calls for another agent. Without this, a
large order for one checkpoint wins every choice of lanes and everybody else waits until it is done.
"""

from collections.abc import Iterable

#: Shots of one account that count as work of a lane when agents decide whether to load its checkpoint.
COUNTED_SHOTS = 16


def account_urgency(
    *, oldest_wait_seconds: float, since_claim_seconds: float | None, tier_deadline_seconds: float
) -> float:
    """Share of the tier's deadline that an account has waited in a lane since it was last served there.

    Args:
        oldest_wait_seconds: age of its oldest queued shot of this tier in the lane.
        since_claim_seconds: since a shot of its own was last claimed in the lane; None when none was.
        tier_deadline_seconds: more than 0.
    """
    waited = oldest_wait_seconds if since_claim_seconds is None else min(oldest_wait_seconds, since_claim_seconds)
    return max(0.0, waited) / tier_deadline_seconds


def lane_urgency(accounts: Iterable[float]) -> float:
    """The largest urgency of an account that waits in the lane; 0 when none does."""
    return max(accounts, default=0.0)


def counted_seconds(accounts: Iterable[tuple[int, float]]) -> float:
    """Work of a lane in device-seconds, where each account counts at most :data:`COUNTED_SHOTS` of its shots.

    Args:
        accounts: for each account its queued shots in the lane, and their device-seconds together.
    """
    return sum(seconds * min(1.0, COUNTED_SHOTS / shots) for shots, seconds in accounts if shots > 0)
