"""The machines of a pool under simulation: they start, are taken away, and follow the demand."""

from collections.abc import Callable
from functools import partial
from random import Random

from stablehand.domain.demand import PoolLoad, held_demand, wanted_agents
from stablehand.simulation.agents import Phase, SimAgent
from stablehand.simulation.clock import Clock
from stablehand.simulation.floor import Floor
from stablehand.simulation.lane import SimShot
from stablehand.simulation.scenario import Growth

#: Seconds between two looks at how busy the agents are.
LOOK_SECONDS = 5.0


class Machines:
    """Begins and ends the agents of one floor. ``on_lost`` is told how many shots must be begun again."""

    def __init__(
        self, floor: Floor, clock: Clock, fate: Random, *, lease_seconds: float, on_lost: Callable[[int], None]
    ) -> None:
        self._floor = floor
        self._pool = floor.pool
        self._clock = clock
        self._fate = fate
        self._lease_seconds = lease_seconds
        self._on_lost = on_lost
        self._begun = 0
        floor.on_empty = self._end
        for _ in range(self._pool.plan.agents):
            self._begin()
        clock.later(LOOK_SECONDS, self._look)
        if (growth := self._pool.plan.growth) is not None:
            clock.later(growth.look_seconds, partial(self._scale, growth))

    def _look(self) -> None:
        self._pool.look(self._clock.now)
        self._clock.later(LOOK_SECONDS, self._look)

    def _begin(self) -> None:
        self._begun += 1
        agent = SimAgent(self._begun, self._clock.now)
        agent.draws_at = self._clock.now
        self._pool.agents[agent.number] = agent
        if (rate := self._pool.plan.interruptions.an_hour) > 0:
            self._clock.later(self._fate.expovariate(rate / 3600), partial(self._interrupt, agent))
        self._floor.offer(agent)

    def _interrupt(self, agent: SimAgent) -> None:
        if agent.phase is Phase.GONE:
            return
        interruptions = self._pool.plan.interruptions
        self._pool.interrupted += 1
        if self._pool.plan.growth is None:
            self._clock.later(interruptions.back_after_seconds, self._begin)
        if interruptions.notice_seconds > 0:
            self._clock.later(interruptions.notice_seconds, partial(self._take, agent))
            self._leave(agent)
        else:
            self._take(agent)

    def _leave(self, agent: SimAgent) -> None:
        """Claim nothing more, finish what runs, then go."""
        if agent.phase is not Phase.READY:
            return
        self._pool.rouse(agent)
        agent.phase = Phase.LEAVING
        self._floor.left_by_holders(list(agent.resident))
        if not agent.running:
            self._end(agent)

    def _take(self, agent: SimAgent) -> None:
        """The machine is gone now. After a notice its shots are released, else their leases must run out."""
        if agent.phase is Phase.GONE:
            return
        noticed = agent.phase is Phase.LEAVING
        lost = list(agent.running)
        agent.running.clear()
        self._leave(agent)
        self._end(agent)
        if lost:
            self._on_lost(len(lost))
            self._clock.later(0.0 if noticed else self._lease_seconds, partial(self._return, lost))

    def _return(self, lost: list[SimShot]) -> None:
        for shot in lost:
            self._floor.queue(self._pool.lane(shot.checkpoint), [shot])

    def _end(self, agent: SimAgent) -> None:
        if agent.phase is Phase.GONE:
            return
        agent.phase = Phase.GONE
        agent.epoch += 1
        self._pool.stop_drawing(agent, self._clock.now)
        self._pool.agent_seconds += self._clock.now - agent.began_at
        del self._pool.agents[agent.number]

    def _scale(self, growth: Growth) -> None:
        pool, now = self._pool, self._clock.now
        live = pool.live()
        load = PoolLoad(
            queued_seconds=pool.due_seconds(),
            running=sum(len(agent.running) for agent in live),
            busy_agents=(pool.occupied_share or 0.0) * len(live),
        )
        pool.demands.append((now, wanted_agents(load, growth.limits)))
        pool.demands = [entry for entry in pool.demands if now - entry[0] <= growth.limits.scale_down_seconds]
        held = held_demand(((now - at, wanted) for at, wanted in pool.demands), growth.limits)
        for _ in range(held - len(live) - pool.starting):
            pool.starting += 1
            pool.boot_seconds += growth.start_seconds
            self._clock.later(growth.start_seconds, self._arrive)
        idle_first = sorted(live, key=lambda agent: (len(agent.running), agent.number))
        for agent in idle_first[: max(0, len(live) + pool.starting - held)]:
            self._leave(agent)
        self._clock.later(growth.look_seconds, partial(self._scale, growth))

    def _arrive(self) -> None:
        self._pool.starting -= 1
        self._begin()
