"""Plays a scenario under one policy. The same scenario, policy and seed give the same figures."""

from functools import cache, partial
from random import Random

from stablehand.domain.shares import tag_shots
from stablehand.domain.tiers import SHIPPED, Tiers
from stablehand.simulation.clock import Clock
from stablehand.simulation.figures import Figures, WaitBook
from stablehand.simulation.floor import Floor
from stablehand.simulation.lane import SimShot
from stablehand.simulation.load import SimJob, jobs, names
from stablehand.simulation.machines import Machines
from stablehand.simulation.policies import POLICIES
from stablehand.simulation.pool import SimPool
from stablehand.simulation.scenario import Scenario


def play(scenario: Scenario, policy: str, *, seed: int = 0, tiers: Tiers = SHIPPED) -> Figures:
    """Run the scenario to its end and say how it went. ``policy``: a name in :data:`~.policies.POLICIES`."""
    return _Play(scenario, policy, seed, tiers).run()


class _Play:
    def __init__(self, scenario: Scenario, policy: str, seed: int, tiers: Tiers) -> None:
        self._tiers = tiers
        self._scenario = scenario
        self._clock = Clock()
        self._seed = seed
        self._waits = WaitBook(names(scenario), tiers)
        self._clocks: dict[int, float] = {}  # account -> where its fair share stands
        self._virtual_time = 0.0
        self._shots = self._jobs = self._submitted = self._drawn = self._repeated = 0
        fate = Random(seed + 1)  # of machines: the load stays the same whatever happens to them
        self._floors = []
        for plan in scenario.pools:
            pool = SimPool(plan, tiers)
            floor = Floor(
                pool,
                POLICIES[policy](pool, scenario.idle_share),
                self._clock,
                on_claimed=self._claimed,
                on_drawn=self._finished,
            )
            Machines(floor, self._clock, fate, lease_seconds=scenario.lease_seconds, on_lost=self._lost)
            self._floors.append(floor)
        self._floor_of = cache(partial(_route, self._floors))

    def run(self) -> Figures:
        for job in jobs(self._scenario, Random(self._seed), self._tiers):
            if job.at >= self._scenario.seconds:
                break
            self._clock.run_until(job.at)
            self._submit(job)
        self._clock.run_until(self._scenario.seconds)
        return self._figures()

    def _submit(self, job: SimJob) -> None:
        floor = self._floor_of(job.checkpoint)
        tagged = tag_shots(
            [job.cost * floor.pool.plan.drawing.seconds_each] * job.shots,
            virtual_time=self._virtual_time,
            finish=self._clocks.get(job.account, 0.0),
            weight=self._tiers.all[job.rank].weight,
        )
        self._clocks[job.account] = tagged.finish
        self._jobs += 1
        first = self._shots + 1
        self._shots += job.shots
        if job.at >= self._scenario.warm_up_seconds:
            self._submitted += job.shots
        shots = [SimShot(first + index, job, tag) for index, tag in enumerate(tagged.tags)]
        floor.queue(floor.pool.lane(job.checkpoint), shots)

    def _claimed(self, shot: SimShot) -> None:
        self._virtual_time = max(self._virtual_time, shot.tag)

    def _finished(self, shots: list[SimShot]) -> None:
        now, warm_up = self._clock.now, self._scenario.warm_up_seconds
        if now >= warm_up:
            self._drawn += len(shots)
        for shot in shots:
            if shot.arrived_at >= warm_up:
                self._waits.add(shot.crowd, shot.rank, shot.begun_at - shot.arrived_at, now - shot.arrived_at)

    def _lost(self, shots: int) -> None:
        self._repeated += shots

    def _figures(self) -> Figures:
        now = self._clock.now
        pools = [floor.pool for floor in self._floors]
        for pool in pools:
            for lane in pool.lanes.values():
                for shot in lane.waiting():
                    if shot.arrived_at >= self._scenario.warm_up_seconds:
                        self._waits.add(shot.crowd, shot.rank, now - shot.arrived_at, now - shot.arrived_at)
        counted_seconds = now - self._scenario.warm_up_seconds
        there = sum(pool.there(now) for pool in pools)
        cost = sum((pool.there(now) + pool.boot_seconds) / 3600 * pool.plan.price_an_hour for pool in pools)
        tiers, crowds = self._waits.of_tiers(), self._waits.of_crowds()
        shots = sum(waits.shots for waits in tiers.values())
        missed = sum(waits.missed_share * waits.shots for waits in tiers.values())
        cost_an_hour = cost / now * 3600
        drawn_an_hour = self._drawn / counted_seconds * 3600
        return Figures(
            premium_p95_s=tiers[self._tiers.best.name].p95_s,
            normal_p95_s=tiers[self._tiers.plain.name].p95_s,
            missed_share=round(missed / shots, 5) if shots else 0.0,
            switches_per_100=round(100 * sum(pool.loads for pool in pools) / max(1, self._drawn), 2),
            shots_per_second=round(self._drawn / counted_seconds, 3),
            utilisation=round(sum(pool.drawn(now) for pool in pools) / there, 4) if there else 0.0,
            loading_share=round(sum(pool.loading_seconds for pool in pools) / there, 4) if there else 0.0,
            cost_an_hour=round(cost_an_hour, 4),
            cost_per_1000=round(1000 * cost_an_hour / drawn_an_hour, 4) if drawn_an_hour else 0.0,
            agents_mean=round(there / now, 2),
            interrupted=sum(pool.interrupted for pool in pools),
            repeated=self._repeated,
            submitted=self._submitted,
            drawn=self._drawn,
            tiers=tiers,
            crowds=crowds,
        )


def _route(floors: list[Floor], checkpoint: int) -> Floor:
    """The pool that runs a checkpoint: the static one that names it, else the dynamic one."""
    for floor in floors:
        named = floor.pool.plan.checkpoints
        if named is not None and named[0] <= checkpoint <= named[1]:
            return floor
    return next(floor for floor in floors if floor.pool.plan.checkpoints is None)
