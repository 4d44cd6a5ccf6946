"""A pool at work: agents with room claim what the policy gives them, load checkpoints, and draw."""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice

from stablehand.domain.seats import Candidate, fill
from stablehand.simulation.agents import Phase, SimAgent
from stablehand.simulation.clock import Clock
from stablehand.simulation.lane import SimLane, SimShot
from stablehand.simulation.load import BEST
from stablehand.simulation.policies import SimPolicy
from stablehand.simulation.pool import SimPool

#: Work that is left of a shot within the error of floats.
DONE = 1e-9

#: Hungry agents that are asked whether they load the checkpoint of a shot that has just arrived.
ASKED = 16


class Floor:
    """Where the agents of one pool work.

    ``on_claimed`` is told of each shot that is given to an agent, ``on_drawn`` of those whose pictures are done, and
    ``on_empty`` of each leaving agent that holds nothing any more.
    """

    def __init__(
        self,
        pool: SimPool,
        policy: SimPolicy,
        clock: Clock,
        *,
        on_claimed: Callable[[SimShot], None],
        on_drawn: Callable[[list[SimShot]], None],
    ) -> None:
        self.pool = pool
        self._policy = policy
        self._clock = clock
        self._joins = pool.plan.drawing.mode == "join"
        self._on_claimed = on_claimed
        self._on_drawn = on_drawn
        self.on_empty: Callable[[SimAgent], None] = lambda agent: None

    def queue(self, lane: SimLane, shots: list[SimShot]) -> None:
        """Shots arrive in a lane, or come back to it."""
        for shot in shots:
            shot.key = self._policy.key(shot)
            lane.add(shot)
            self.pool.queued_cost[shot.rank] += shot.cost
        self._policy.changed(lane)
        self.wake(lane)

    def wake(self, lane: SimLane) -> None:
        """Offer what waits in a lane to agents that have room: to those that hold its checkpoint first."""
        for agent in list(self.pool.hungry_holders(lane.checkpoint)):
            if len(lane) == 0:
                return
            self.offer(agent)
        for agent in list(islice(self.pool.hungry.values(), ASKED)):
            if len(lane) == 0:
                return
            if lane.checkpoint in agent.resident or not self._may_load(agent):
                continue
            if self._policy.helps(agent, lane, self._clock.now):
                self.offer(agent)

    def offer(self, agent: SimAgent) -> None:
        """Let an agent claim what the policy wants it to, as often as it has room."""
        pool = self.pool
        pool.rouse(agent)
        if agent.phase is not Phase.READY:
            return
        if self._joins:
            self.advance(agent)
        elif agent.running:
            return
        while len(agent.running) < pool.limits.premium:
            premium_only = len(agent.running) >= pool.limits.normal
            lane = self._policy.choose(agent, self._clock.now, premium_only=premium_only)
            if lane is None:
                pool.rest(agent)
                break
            if lane.checkpoint in agent.resident:
                agent.use(lane.checkpoint)
            elif self._may_load(agent):
                self._load(agent, lane.checkpoint)
            else:
                # Its memory is in use: it claims nothing more until something has left, and asks again then.
                break
            if not self._claim(agent, lane):
                pool.rest(agent)
                break
            if not self._joins:
                break
        self._proceed(agent)

    def advance(self, agent: SimAgent) -> None:
        """Bring the running shots of an agent that draws in changing company up to now."""
        now = self._clock.now
        elapsed = now - agent.draws_at
        if elapsed > 0:
            for shot in agent.running:
                shot.left -= elapsed / agent.together
            agent.draws_at = now

    def _may_load(self, agent: SimAgent) -> bool:
        return agent.draws_at <= self._clock.now and agent.may_load(self.pool.plan.slots)

    def _load(self, agent: SimAgent, checkpoint: int) -> None:
        pool, now = self.pool, self._clock.now
        seconds = pool.load_seconds(agent, checkpoint)
        evicted = agent.admit(checkpoint, pool.plan.slots)
        pool.stop_drawing(agent, now)
        agent.draws_at = now + seconds
        pool.loads += 1
        pool.loading_seconds += seconds
        lane = pool.lane(checkpoint)
        lane.holders += 1
        self._policy.changed(lane)
        self.left_by_holders(evicted)

    def left_by_holders(self, checkpoints: list[int]) -> None:
        """An agent no longer holds these: others may have to load them."""
        for checkpoint in checkpoints:
            lane = self.pool.lanes[checkpoint]
            lane.holders -= 1
            self._policy.changed(lane)
            if len(lane) > 0:
                self._clock.later(0.0, partial(self.wake, lane))

    def _claim(self, agent: SimAgent, lane: SimLane) -> int:
        """Take what may be taken of a lane; how many."""
        now, limits = self._clock.now, self.pool.limits
        looked_at: dict[str, SimShot] = {}

        def candidates() -> Iterator[Candidate]:
            for shot in lane.in_order():
                name = str(shot.number)
                looked_at[name] = shot
                yield Candidate(shot_id=name, account_id=str(shot.account), is_premium=shot.rank == BEST)

        chosen = fill(candidates(), limits=limits, held=len(agent.running), holds_alone=False)
        for name in chosen:
            shot = looked_at.pop(name)
            lane.claim(shot, now)
            self.pool.queued_cost[shot.rank] -= shot.cost
            shot.left = shot.cost
            agent.running.append(shot)
            self._on_claimed(shot)
            if self._joins:
                shot.begun_at = max(now, agent.draws_at)
        for shot in looked_at.values():
            lane.put_back(shot)
        self._policy.changed(lane)
        return len(chosen)

    def _proceed(self, agent: SimAgent) -> None:
        """Schedule what an agent does next, now that its running shots have changed."""
        pool, now = self.pool, self._clock.now
        agent.epoch += 1
        epoch = agent.epoch
        if not agent.running:
            pool.stop_drawing(agent, now)
            return
        drawing = pool.plan.drawing
        starts_at = max(now, agent.draws_at)
        if self._joins:
            company: dict[int, int] = {}
            for shot in agent.running:
                company[shot.checkpoint] = company.get(shot.checkpoint, 0) + 1
            agent.together = sum(drawing.together(shots) for shots in company.values())
            pool.begin_drawing(agent, starts_at)
            seconds = max(0.0, min(shot.left for shot in agent.running)) * agent.together
            self._clock.later(starts_at - now + seconds, partial(self._left, agent, epoch))
        elif starts_at > now:
            self._clock.later(starts_at - now, partial(self._loaded, agent, epoch))
        else:
            self._begin_batch(agent)

    def _loaded(self, agent: SimAgent, epoch: int) -> None:
        """A batch begins after its checkpoint was loaded, with what has arrived meanwhile."""
        if agent.epoch == epoch:
            if agent.phase is Phase.READY:
                self._claim(agent, self.pool.lanes[agent.running[0].checkpoint])
            self._begin_batch(agent)

    def _begin_batch(self, agent: SimAgent) -> None:
        now = self._clock.now
        for shot in agent.running:
            shot.begun_at = now
        self.pool.begin_drawing(agent, now)
        seconds = self.pool.plan.drawing.together(sum(shot.cost for shot in agent.running))
        self._clock.later(seconds, partial(self._batch_drawn, agent, agent.epoch))

    def _batch_drawn(self, agent: SimAgent, epoch: int) -> None:
        if agent.epoch == epoch:
            self._on_drawn(agent.running)
            agent.running = []
            self.pool.stop_drawing(agent, self._clock.now)
            self._after(agent)

    def _left(self, agent: SimAgent, epoch: int) -> None:
        """The first of the running shots has no work left."""
        if agent.epoch == epoch:
            self.advance(agent)
            self._on_drawn([shot for shot in agent.running if shot.left <= DONE])
            agent.running = [shot for shot in agent.running if shot.left > DONE]
            self._after(agent)

    def _after(self, agent: SimAgent) -> None:
        if agent.phase is Phase.READY:
            self.offer(agent)
        elif agent.running:
            self._proceed(agent)
        else:
            self.on_empty(agent)
