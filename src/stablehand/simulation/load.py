"""The load of a simulation: jobs as they are submitted, in order of time."""

from bisect import bisect_left
from collections.abc import Iterator
from heapq import merge
from itertools import accumulate
from random import Random
from typing import NamedTuple

from stablehand.domain.tiers import Tiers
from stablehand.simulation.scenario import Crowd, Scenario

#: Place of the tier that is served at once.
BEST = 0


class SimJob(NamedTuple):
    at: float
    crowd: int  #: number of its crowd; orders are numbered after the crowds
    account: int
    rank: int  #: place of its tier among those in force, 0 for the best
    checkpoint: int
    shots: int
    cost: float  #: of each shot; 1 is an average one


def jobs(scenario: Scenario, random: Random, tiers: Tiers) -> Iterator[SimJob]:
    """Every job of the scenario until its end. The same seed gives the same load, whatever the policy.

    Premium accounts order in the best tier, all others in the plain one.
    """
    plain = len(tiers) - 1
    accounts = 0
    streams: list[Iterator[SimJob]] = []
    for number, crowd in enumerate(scenario.crowds):
        streams.append(_crowd_jobs(number, crowd, accounts, scenario.seconds, plain, Random(random.getrandbits(64))))
        accounts += crowd.accounts
    for number, order in enumerate(scenario.orders, start=len(scenario.crowds)):
        rank = BEST if order.premium else plain
        job = SimJob(order.at, number, accounts, rank, order.checkpoint, order.shots, 1.0)
        streams.append(iter([job]))
        accounts += 1
    return merge(*streams)


def names(scenario: Scenario) -> list[str]:
    """Names of the crowds and orders, by number."""
    return [crowd.name for crowd in scenario.crowds] + [order.name for order in scenario.orders]


def _crowd_jobs(  # noqa: PLR0917  one call
    number: int, crowd: Crowd, first_account: int, seconds: float, plain: int, random: Random
) -> Iterator[SimJob]:
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
            BEST if account < premium_accounts else plain,
            first + bisect_left(shares, random.random() * shares[-1]),
            crowd.shots_a_job,
            crowd.cost
            * (1.0 if crowd.cost_spread == 0 else random.uniform(1 - crowd.cost_spread, 1 + crowd.cost_spread)),
        )
