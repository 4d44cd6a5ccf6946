"""The policies that a simulation compares: ours, which calls the functions that the server calls, and two baselines."""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator
from heapq import heappop, heappush
from typing import Protocol

from stablehand.domain.lanes import IDLE_SHARE, LaneView, choose_lane, choose_ranked
from stablehand.simulation.agents import SimAgent
from stablehand.simulation.lane import SimLane, SimShot
from stablehand.simulation.load import BEST
from stablehand.simulation.pool import SimPool


class SimPolicy(Protocol):
    """Decides for one pool."""

    def key(self, shot: SimShot) -> tuple[int, float, int]:
        """The shot's place in its lane."""
        ...

    def changed(self, lane: SimLane) -> None:
        """What waits in the lane, or who holds its checkpoint, has changed."""
        ...

    def choose(self, agent: SimAgent, now: float, *, premium_only: bool) -> SimLane | None:
        """The lane that an agent with room, perhaps for premium shots only, serves next."""
        ...

    def helps(self, agent: SimAgent, lane: SimLane, now: float) -> bool:
        """Whether a hungry agent loads the checkpoint of the lane in which a shot has just arrived."""
        ...


class Stablehand:
    """The policy of the server."""

    def __init__(self, pool: SimPool, idle_share: float | None) -> None:
        self._pool = pool
        self._idle_share = IDLE_SHARE if idle_share is None else idle_share
        self._ranked: list[list[tuple[float, int]]] = [[] for _ in pool.tiers]  # (since, checkpoint), sorted
        self._since: list[dict[int, float]] = [{} for _ in pool.tiers]

    def key(self, shot: SimShot) -> tuple[int, float, int]:
        return (shot.rank, shot.tag, shot.number)

    def changed(self, lane: SimLane) -> None:
        # Lanes whose holders have less to do than the quickest load takes are served by these and nobody else, whatever
        # the switch rule says of their urgency: they need not be ranked.
        ranked = lane.holders == 0 or lane.queued_seconds / lane.holders >= self._pool.plan.load_seconds
        for rank, head in enumerate(lane.heads):
            known = self._since[rank].get(lane.checkpoint)
            since = None if head is None or not ranked else head[0]
            if since == known:
                continue
            if known is not None:
                places = self._ranked[rank]
                del places[bisect_left(places, (known, lane.checkpoint))]
                del self._since[rank][lane.checkpoint]
            if since is not None:
                insort(self._ranked[rank], (since, lane.checkpoint))
                self._since[rank][lane.checkpoint] = since

    def choose(self, agent: SimAgent, now: float, *, premium_only: bool) -> SimLane | None:
        lanes = self._pool.lanes
        name = choose_ranked(
            (
                lane.view(now, 0.0, lane.holders - 1, premium_only=premium_only)
                for checkpoint in agent.resident
                if (lane := lanes[checkpoint]).has_work(premium_only=premium_only)
            ),
            self._others(agent, now, premium_only=premium_only),
            busy_share=self._pool.busy_share,
            premium_deadline_seconds=self._pool.tiers.best.deadline_seconds,
            agents=len(self._pool.agents),
            idle_share=self._idle_share,
        )
        return None if name is None else lanes[int(name[1:])]

    def helps(self, agent: SimAgent, lane: SimLane, now: float) -> bool:
        view = lane.view(now, self._pool.load_seconds(agent, lane.checkpoint), lane.holders)
        return (
            choose_lane(
                [view],
                resident=(),
                busy_share=self._pool.busy_share,
                premium_deadline_seconds=self._pool.tiers.best.deadline_seconds,
                agents=len(self._pool.agents),
                idle_share=self._idle_share,
            )
            is not None
        )

    def _others(self, agent: SimAgent, now: float, *, premium_only: bool) -> Iterator[LaneView]:
        """The lanes whose checkpoint is not resident, the most urgent first: what waits longest, tier by tier."""
        seen = set(agent.resident)
        tiers = (self._pool.tiers.best,) if premium_only else self._pool.tiers.all
        places = [0] * len(tiers)
        while True:
            best: tuple[float, int] | None = None
            for rank, tier in enumerate(tiers):
                ranked = self._ranked[rank]
                while places[rank] < len(ranked) and ranked[places[rank]][1] in seen:
                    places[rank] += 1
                if places[rank] < len(ranked):
                    urgency = (now - ranked[places[rank]][0]) / tier.deadline_seconds
                    if best is None or urgency > best[0]:
                        best = (urgency, ranked[places[rank]][1])
            if best is None:
                return
            checkpoint = best[1]
            seen.add(checkpoint)
            lane = self._pool.lanes[checkpoint]
            seconds = self._pool.load_seconds(agent, checkpoint)
            yield lane.view(now, seconds, lane.holders, premium_only=premium_only)


class _Heads:
    """The lanes by the place of their first shot: a heap with entries that may be out of date."""

    def __init__(self, pool: SimPool) -> None:
        self._pool = pool
        self._heap: list[tuple[tuple[int, float, int], int]] = []

    def changed(self, lane: SimLane) -> None:
        if len(lane) > 0:
            heappush(self._heap, (lane.first().key, lane.checkpoint))

    def first(self) -> SimLane | None:
        while self._heap:
            key, checkpoint = self._heap[0]
            lane = self._pool.lanes[checkpoint]
            if len(lane) > 0 and lane.first().key == key:
                return lane
            heappop(self._heap)
        return None


class Fifo:
    """First come, first served within a tier, premium first: loads whatever the next shot needs."""

    def __init__(self, pool: SimPool, idle_share: float | None) -> None:
        del idle_share
        self._heads = _Heads(pool)

    def key(self, shot: SimShot) -> tuple[int, float, int]:
        return (shot.rank, shot.arrived_at, shot.number)

    def changed(self, lane: SimLane) -> None:
        self._heads.changed(lane)

    def choose(self, agent: SimAgent, now: float, *, premium_only: bool) -> SimLane | None:
        del agent, now
        lane = self._heads.first()
        return None if lane is None or (premium_only and lane.first().rank != BEST) else lane

    def helps(self, agent: SimAgent, lane: SimLane, now: float) -> bool:
        del agent, lane, now
        return True


class Sticky:
    """Exhausts the lanes of its resident checkpoints, then goes where most waits."""

    def __init__(self, pool: SimPool, idle_share: float | None) -> None:
        del idle_share
        self._pool = pool
        self._most: list[tuple[float, int]] = []  # heap of (minus what waits, checkpoint), with entries out of date

    def key(self, shot: SimShot) -> tuple[int, float, int]:
        return (0, shot.arrived_at, shot.number)

    def changed(self, lane: SimLane) -> None:
        if len(lane) > 0:
            heappush(self._most, (-lane.queued, lane.checkpoint))

    def choose(self, agent: SimAgent, now: float, *, premium_only: bool) -> SimLane | None:
        del now
        if premium_only:  # it knows no tiers, so no shot of its may take a seat that is kept for premium
            return None
        at_hand = max((self._pool.lanes[checkpoint] for checkpoint in agent.resident), key=_queued, default=None)
        if at_hand is not None and len(at_hand) > 0:
            return at_hand
        while self._most:
            queued, checkpoint = self._most[0]
            lane = self._pool.lanes[checkpoint]
            if len(lane) > 0 and lane.queued == -queued:
                return lane
            heappop(self._most)
        return None

    def helps(self, agent: SimAgent, lane: SimLane, now: float) -> bool:
        del agent, lane, now
        return True


def _queued(lane: SimLane) -> float:
    return lane.queued


POLICIES: dict[str, Callable[[SimPool, float | None], SimPolicy]] = {
    "stablehand": Stablehand,
    "fifo": Fifo,
    "sticky": Sticky,
}
