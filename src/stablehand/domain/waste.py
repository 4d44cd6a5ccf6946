"""Waste: device time that nobody is charged for. It is the operator's.

Every lease that is given ends as one line of the ledger: the charge for its picture, or one line of waste that says why
there is none. What a lease has saved in a parked state is not wasted yet: whoever goes on from it is charged for it in
the end. Where the state is thrown away unused, that is a line of its own.
"""

from datetime import datetime
from enum import StrEnum


class Reason(StrEnum):
    """Why device time brought no picture that anybody is charged for."""

    LOSS = "loss"  #: the agent died or fell silent
    ERROR = "error"  #: the agent could not draw it
    TIMEOUT = "timeout"  #: it took longer than an attempt may
    SICK = "sick"  #: the agent's device stopped working
    LOAD = "load"  #: the checkpoint did not load
    RELEASED = "released"  #: the agent gave it back, to end or to serve others, or never heard of the lease
    CANCELLED = "cancelled"  #: nobody wanted it any more
    DISCARDED = "discarded"  #: a saved state that nobody went on from
    REFUSED = "refused"  #: a picture that came when its lease was no longer the agent's: time past the end of the lease


#: reasons with which a lease ends; the others come on top of such an end
ENDS_A_LEASE = tuple(reason for reason in Reason if reason not in (Reason.DISCARDED, Reason.REFUSED))


def unsaved_seconds(*, began_at: datetime, ended_at: datetime, saved_at: datetime | None) -> float:
    """How long a lease has held a seat for nothing: since its last saved state, else since its beginning."""
    return max(0.0, (ended_at - (began_at if saved_at is None else saved_at)).total_seconds())


def device_share(seconds: float, company: int) -> float:
    """Of seconds for which an agent held ``company`` shots at once, the device time of one of them.

    The agent draws them together and has one device; how many it held is known for the end of the lease, and taken for
    all of it.
    """
    return seconds / max(1, company)
