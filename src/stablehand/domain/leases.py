"""Leases: when the right to run a shot is written again, and when it is doubted."""

from datetime import datetime, timedelta

#: A lease that its agent has not named for so long after it was given never reached it: an answer takes far less, and
#: an agent names what it runs every second.
STRAY_AFTER = timedelta(seconds=5)


def is_renewal_due(lease_until: datetime, now: datetime, lease_seconds: float) -> bool:
    """Leases are written once each quarter of their length, however often agents renew."""
    return lease_until - now < timedelta(seconds=lease_seconds * 0.75)


def is_stray(leased_at: datetime, now: datetime) -> bool:
    """For a lease that its agent does not name: True once that cannot be an answer still on its way."""
    return now - leased_at > STRAY_AFTER
