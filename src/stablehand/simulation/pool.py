"""A pool under simulation: its lanes, its agents, and which of them have room."""

from collections.abc import Iterator

from stablehand.domain.busy import counted_share, learn_busy_share
from stablehand.domain.demand import by_deadline
from stablehand.domain.seats import Seating, seating
from stablehand.domain.tiers import Tiers
from stablehand.simulation.agents import Phase, SimAgent
from stablehand.simulation.lane import SimLane
from stablehand.simulation.scenario import PoolPlan


class SimPool:
    """``hungry`` are the agents with room for which nothing that waits is worth claiming, longest waiting first."""

    def __init__(self, plan: PoolPlan, tiers: Tiers) -> None:
        self.plan = plan
        self.tiers = tiers
        self.limits: Seating = seating(
            plan.drawing.seats, seats_max=plan.drawing.seats_max, premium_seats=plan.drawing.premium_seats
        )
        self.lanes: dict[int, SimLane] = {}
        self.agents: dict[int, SimAgent] = {}
        self.hungry: dict[int, SimAgent] = {}
        self.busy_share: float | None = None  #: see domain.busy
        self.occupied_share: float | None = None  #: the same, of all that draw or load
        self.loads = 0
        self.loading_seconds = 0.0
        self.drawing_seconds = 0.0  #: finished stretches only, see :meth:`drawn`
        self.agent_seconds = 0.0  #: of agents that are gone
        self.interrupted = 0
        self.starting = 0  #: agents that were asked for and are not there yet
        self.boot_seconds = 0.0  #: that agents took to start
        self.queued_cost: list[float] = [0.0] * len(tiers)
        self.demands: list[tuple[float, int]] = []  #: (when, agents wanted)
        self._hungry_by_checkpoint: dict[int, dict[int, SimAgent]] = {}
        self._looked_at = 0.0

    def lane(self, checkpoint: int) -> SimLane:
        lane = self.lanes.get(checkpoint)
        if lane is None:
            lane = self.lanes[checkpoint] = SimLane(checkpoint, self.plan.drawing.seconds_each, self.tiers)
        return lane

    def load_seconds(self, agent: SimAgent, checkpoint: int) -> float:
        seconds = self.plan.load_seconds
        return seconds if checkpoint in agent.disk else seconds + self.plan.download_seconds

    def rest(self, agent: SimAgent) -> None:
        """The agent has room and found nothing to claim."""
        self.hungry[agent.number] = agent
        for checkpoint in agent.resident:
            self._hungry_by_checkpoint.setdefault(checkpoint, {})[agent.number] = agent

    def rouse(self, agent: SimAgent) -> None:
        """The agent asks again, or leaves; undoes :meth:`rest`."""
        if self.hungry.pop(agent.number, None) is not None:
            for checkpoint in agent.resident:
                self._hungry_by_checkpoint[checkpoint].pop(agent.number, None)

    def hungry_holders(self, checkpoint: int) -> Iterator[SimAgent]:
        return iter(self._hungry_by_checkpoint.get(checkpoint, {}).values())

    def begin_drawing(self, agent: SimAgent, now: float) -> None:
        if agent.busy_since is None:
            agent.busy_since = now

    def stop_drawing(self, agent: SimAgent, now: float) -> None:
        if agent.busy_since is not None:
            self.drawing_seconds += max(0.0, now - agent.busy_since)
            agent.busy_since = None

    def drawn(self, now: float) -> float:
        """Device-seconds drawn until now; an agent that still loads begins in the future."""
        open_ = sum(now - a.busy_since for a in self.agents.values() if a.busy_since is not None and a.busy_since < now)
        return self.drawing_seconds + open_

    def there(self, now: float) -> float:
        """Seconds that agents have been there until now."""
        return self.agent_seconds + sum(now - agent.began_at for agent in self.agents.values())

    def look(self, now: float) -> None:
        """Learn the busy share anew, from what agents do at this moment."""
        drawing = 0.0
        for agent in self.agents.values():
            if agent.busy_since is not None and agent.busy_since <= now:
                lane = self.lanes[agent.running[-1].checkpoint]
                drawing += counted_share(lane.work, lane.queued_seconds)
        self.busy_share = learn_busy_share(
            self.busy_share,
            drawing_seconds=drawing,
            agent_seconds=len(self.agents),
            elapsed_seconds=now - self._looked_at,
        )
        self.occupied_share = learn_busy_share(
            self.occupied_share,
            drawing_seconds=sum(bool(agent.running) for agent in self.agents.values()),
            agent_seconds=len(self.agents),
            elapsed_seconds=now - self._looked_at,
        )
        self._looked_at = now

    def due_seconds(self) -> dict[float, float]:
        """Tier deadline -> queued device-seconds of that tier, and the loads of checkpoints that nobody holds."""
        due = [max(0.0, cost) * self.plan.drawing.seconds_each for cost in self.queued_cost]
        for lane in self.lanes.values():
            if len(lane) > 0 and lane.holders == 0:
                due[lane.first().rank] += self.plan.load_seconds + self.plan.download_seconds
        return by_deadline(zip(self.tiers, due, strict=True))

    def live(self) -> list[SimAgent]:
        return [agent for agent in self.agents.values() if agent.phase is Phase.READY]
