"""The load of a simulation: jobs as they are submitted, in order of time."""

from bisect import bisect_left
from collections.abc import Iterator
from heapq import merge
from itertools import accumulate
from random import Random
from typing import NamedTuple

from stablehand.domain.tiers import NORMAL, PREMIUM
from stablehand.simulation.scenario import Crowd, Scenario


class SimJob(NamedTuple):
    at: float
    crowd: int  #: number of its crowd; orders are numbered after the crowds
    account: int
    rank: int  #: of its tier
    checkpoint: int
    shots: int
    cost: float  #: of each shot; 1 is an average one


def jobs(scenario: Scenario, random: Random) -> Iterator[SimJob]:
    """Every job of the scenario until its end. The same seed gives the same load, whatever the policy."""
    accounts = 0
    streams: list[Iterator[SimJob]] = []
    for number, crowd in enumerate(scenario.crowds):
        streams.append(_crowd_jobs(number, crowd, accounts, scenario.seconds, Random(random.getrandbits(64))))
        accounts += crowd.accounts
    for number, order in enumerate(scenario.orders, start=len(scenario.crowds)):
        rank = PREMIUM.rank if order.premium else NORMAL.rank
        job = SimJob(order.at, number, accounts, rank, order.checkpoint, order.shots, 1.0)
        streams.append(iter([job]))
        accounts += 1
    return merge(*streams)


def names(scenario: Scenario) -> list[str]:
    """Names of the crowds and orders, by number."""
    return [crowd.name for crowd in scenario.crowds] + [order.name for order in scenario.orders]


def _crowd_jobs(number: int, crowd: Crowd, first_account: int, seconds: float, random: Random) -> Iterator[SimJob]:
    first, last = crowd.checkpoints
    shares = list(accumulate(1 / place**crowd.zipf for place in range(1, last - first + 2)))
    premium_accounts = round(crowd.accounts * crowd.premium_share)
    jobs_a_second = crowd.shots_a_second / crowd.shots_a_job
    end = min(seconds, crowd.ends_at if crowd.ends_at is not None else seconds)
    now = crowd.begins_at
    while (now := now + random.expovariate(jobs_a_second)) < end:
        account = random.randrange(crowd.accounts)
        yield SimJob(
            now,
            number,
            first_account + account,
            PREMIUM.rank if account < premium_accounts else NORMAL.rank,
            first + bisect_left(shares, random.random() * shares[-1]),
            crowd.shots_a_job,
            1.0 if crowd.cost_spread == 0 else random.uniform(1 - crowd.cost_spread, 1 + crowd.cost_spread),
        )
