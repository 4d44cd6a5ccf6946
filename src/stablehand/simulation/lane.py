"""A lane under simulation: what waits in it, in claim order, with the sums that the policy asks for kept up to date."""

from bisect import insort
from collections import deque
from collections.abc import Iterator
from heapq import heappop, heappush

from stablehand.domain.lanes import LaneView
from stablehand.domain.tiers import Tiers
from stablehand.domain.urgency import account_urgency, counted_seconds, lane_urgency
from stablehand.simulation.load import BEST, SimJob


class SimShot:
    """A shot under simulation."""

    __slots__ = (
        "account",
        "arrived_at",
        "begun_at",
        "checkpoint",
        "cost",
        "crowd",
        "key",
        "left",
        "number",
        "rank",
        "tag",
    )

    def __init__(self, number: int, job: SimJob, tag: float) -> None:
        self.number = number
        self.account = job.account
        self.crowd = job.crowd
        self.rank = job.rank  #: place of its tier, 0 for the best
        self.checkpoint = job.checkpoint
        self.cost = job.cost  #: 1 for an average shot
        self.arrived_at = job.at
        self.begun_at = job.at  #: when it began to be drawn, once it has
        self.tag = tag  #: of its fair share
        self.key: tuple[int, float, int] = (job.rank, tag, number)  #: its place in the order of claims
        self.left = job.cost  #: of its cost, while it is drawn in changing company


class _Queue:
    """The queued shots of one account and tier in the lane."""

    __slots__ = ("arrivals", "claimed_at", "cost")

    def __init__(self) -> None:
        self.arrivals: deque[float] = deque()
        self.cost = 0.0
        self.claimed_at: float | None = None

    @property
    def since(self) -> float:
        oldest = self.arrivals[0]
        return oldest if self.claimed_at is None else max(oldest, self.claimed_at)


class SimLane:
    """Where the shots of one pool and checkpoint wait.

    ``heads[rank]`` holds since when the worst-served account of a tier waits, and its queue; None when nothing waits.
    """

    __slots__ = ("_accounts", "_order", "_seconds_each", "_sinces", "checkpoint", "heads", "holders", "name", "queued",
                 "tiers", "work")  # fmt: skip

    def __init__(self, checkpoint: int, seconds_each: float, tiers: Tiers) -> None:
        self.tiers = tiers
        self.checkpoint = checkpoint
        self.name = f"c{checkpoint:06}"
        self.holders = 0  #: live agents that hold the checkpoint or load it
        self.queued = 0.0  #: cost of all that waits
        self.work = 0.0  #: device-seconds, an account counting a few shots only
        self.heads: list[tuple[float, _Queue] | None] = [None] * len(tiers)
        self._seconds_each = seconds_each
        self._order: list[tuple[tuple[int, float, int], SimShot]] = []
        self._accounts: list[dict[int, _Queue]] = [{} for _ in tiers]
        self._sinces: list[list[tuple[float, int]]] = [[] for _ in tiers]  # heaps with entries that are out of date

    def __len__(self) -> int:
        return len(self._order)

    def first(self) -> SimShot:
        return self._order[0][1]

    def add(self, shot: SimShot) -> None:
        """Queue a shot; one that comes back after a loss takes its old place."""
        heappush(self._order, (shot.key, shot))
        accounts = self._accounts[shot.rank]
        queue = accounts.get(shot.account)
        if queue is None:
            queue = accounts[shot.account] = _Queue()
        self._recount(queue, shot.cost, shot.arrived_at)
        if queue.arrivals[0] == shot.arrived_at:
            self._push_since(shot.rank, shot.account, queue)

    def in_order(self) -> Iterator[SimShot]:
        """The next shots in claim order; every one that is drawn must then be claimed or put back."""
        while self._order:
            yield heappop(self._order)[1]

    def put_back(self, shot: SimShot) -> None:
        heappush(self._order, (shot.key, shot))

    def claim(self, shot: SimShot, now: float) -> None:
        """What was drawn by :meth:`in_order` has been given to an agent."""
        queue = self._accounts[shot.rank][shot.account]
        queue.claimed_at = now
        self._recount(queue, -shot.cost, None)
        if queue.arrivals:
            self._push_since(shot.rank, shot.account, queue)
        else:
            del self._accounts[shot.rank][shot.account]
            self._renew_head(shot.rank)
        if not self._order:
            self.queued = self.work = 0.0  # sums of floats drift

    @property
    def queued_seconds(self) -> float:
        """Device-seconds of all that waits."""
        return self.queued * self._seconds_each

    def has_work(self, *, premium_only: bool) -> bool:
        return self.heads[BEST] is not None if premium_only else len(self._order) > 0

    def view(self, now: float, load_seconds: float, holders: int, *, premium_only: bool = False) -> LaneView:
        """The lane as the agent sees it that needs ``load_seconds``, beside ``holders`` others."""
        urgencies = []
        for tier, head in zip(self.tiers, self.heads, strict=True):
            if head is not None and (tier is self.tiers.best or not premium_only):
                queue = head[1]
                claimed_at = queue.claimed_at
                urgencies.append(
                    account_urgency(
                        oldest_wait_seconds=now - queue.arrivals[0],
                        since_claim_seconds=None if claimed_at is None else now - claimed_at,
                        tier_deadline_seconds=tier.deadline_seconds,
                    )
                )
        return LaneView(
            checkpoint_id=self.name,
            urgency=lane_urgency(urgencies),
            work_seconds=self.work,
            queued_seconds=self.queued_seconds,
            load_seconds=load_seconds,
            holders=holders,
        )

    def waiting(self) -> list[SimShot]:
        return [shot for _, shot in self._order]

    def _recount(self, queue: _Queue, cost: float, arrived_at: float | None) -> None:
        arrivals = queue.arrivals
        before = counted_seconds(((len(arrivals), queue.cost),))
        if arrived_at is None:
            arrivals.popleft()
        elif not arrivals or arrivals[-1] <= arrived_at:
            arrivals.append(arrived_at)
        else:
            insort(arrivals, arrived_at)
        queue.cost += cost
        self.queued += cost
        self.work += (counted_seconds(((len(arrivals), queue.cost),)) - before) * self._seconds_each

    def _push_since(self, rank: int, account: int, queue: _Queue) -> None:
        heappush(self._sinces[rank], (queue.since, account))
        self._renew_head(rank)

    def _renew_head(self, rank: int) -> None:
        heap, accounts = self._sinces[rank], self._accounts[rank]
        while heap:
            since, account = heap[0]
            queue = accounts.get(account)
            if queue is not None and queue.since == since:
                self.heads[rank] = (since, queue)
                return
            heappop(heap)
        self.heads[rank] = None
