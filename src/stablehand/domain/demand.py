"""Demand: how many agents a pool should have. Whatever starts and stops machines only carries it out."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import ceil

from stablehand.domain.tiers import Tier

#: Work should be begun by half its deadline: the other half is for loading and for what arrives meanwhile.
DEADLINE_SHARE = 0.5

#: Share of their time that agents should be busy; the rest is for loading checkpoints and for rushes.
WANTED_BUSY_SHARE = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """How far a pool may grow and shrink."""

    min_agents: int = 0
    max_agents: int = 1
    scale_down_seconds: float = 300.0  #: how long less must have been wanted before agents are ended


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolLoad:
    """What a pool has to do."""

    queued_seconds: Mapping[float, float]  #: tier deadline in seconds -> queued device-seconds, needed loads among them
    running: int  #: shots that agents hold
    busy_agents: float = 0.0  #: agents that draw or load, averaged over the last while


def by_deadline(due: Iterable[tuple[Tier, float]]) -> dict[float, float]:
    """Tier deadline in seconds -> device-seconds, from the device-seconds of each tier; some may share a deadline."""
    sums: dict[float, float] = {}
    for tier, seconds in due:
        sums[tier.deadline_seconds] = sums.get(tier.deadline_seconds, 0.0) + seconds
    return sums


def wanted_agents(load: PoolLoad, scaling: Scaling) -> int:
    """Agents that the work of this moment asks for, within the pool's limits.

    The largest of: for each tier, the work due by its deadline (its own and that of stricter tiers, which goes first)
    over half that deadline; as many as keep those that draw or load now at :data:`WANTED_BUSY_SHARE`; and
    one while anything runs or waits at all.
    """
    wanted = ceil(load.busy_agents / WANTED_BUSY_SHARE)
    due = 0.0
    for deadline_seconds, seconds in sorted(load.queued_seconds.items()):
        due += seconds
        wanted = max(wanted, ceil(due / (deadline_seconds * DEADLINE_SHARE)))
    if load.running > 0 or due > 0:
        wanted = max(wanted, 1)
    return min(scaling.max_agents, max(scaling.min_agents, wanted))


def held_demand(recent: Iterable[tuple[float, int]], scaling: Scaling) -> int:
    """What to ask a scaler for: the most that was wanted within the scale-down window, so that a lull ends nobody.

    Args:
        recent: (age in seconds, agents wanted then), the present one among them, in any order.
    """
    window = [wanted for age_seconds, wanted in recent if age_seconds <= scaling.scale_down_seconds]
    return min(scaling.max_agents, max(scaling.min_agents, max(window, default=0)))
