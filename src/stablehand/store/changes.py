"""What a transaction changed, for those who must hear of it after the commit."""

from dataclasses import dataclass, field

from stablehand.domain.images import Image
from stablehand.domain.jobs import Shot
from stablehand.domain.shares import GivenBack
from stablehand.store.tallies import Move
from stablehand.store.wasting import EndedLease


@dataclass(slots=True)
class Changes:
    shots: list[tuple[str, str, Shot]] = field(default_factory=list)  #: (account id, job id, shot as it stands now)
    images: list[Image] = field(default_factory=list)  #: delivered
    jobs: dict[str, str] = field(default_factory=dict)  #: job id -> account id, of those whose state changed
    requeued: set[str] = field(default_factory=set)  #: pools in which a shot waits for an agent again

    # What settling still has to carry into the ledger, the tallies and the clocks of accounts.
    ended: list[EndedLease] = field(default_factory=list)  #: without a picture
    came_back: list[Move] = field(default_factory=list)  #: shots that are queued again
    withdrawn: list[Move] = field(default_factory=list)  #: shots that left the queue without an agent
    unused: dict[str, list[GivenBack]] = field(default_factory=dict)  #: account id -> charged for nothing
