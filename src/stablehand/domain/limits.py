"""The numbers that bound the queue and the trash; what an account may have is in domain.quotas."""

from dataclasses import dataclass

from stablehand.domain.seats import PREMIUM_SEATS


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    lease_seconds: float = 30.0  #: a lease that is not renewed for so long is lost
    renew_seconds: float = 1.0  #: how often agents renew while shots run
    timeout_seconds: float = 600.0  #: how long one attempt at a shot may run
    retry_count: int = 3  #: how many errors of a shot are followed by another attempt
    park_seconds: float = 30.0  #: how often agents save the states of running shots; 0: never
    premium_seats: int = PREMIUM_SEATS  #: seats of each agent that normal shots leave free
    poll_seconds: float = 1.5  #: how often a waiting request looks by itself, doorbell or not
    trash_days: float = 30.0  #: deleted pictures can be restored for so long
    upload_hours: float = 1.0  #: uploaded bytes that nobody delivered are swept after this
    idempotency_hours: float = 24.0  #: an Idempotency-Key is remembered for so long
    attempts_days: float = 30.0  #: failed attempts are remembered for so long, those of dead letters for longer
    outbox_days: float = 7.0  #: delivered outbox entries are kept for so long
