"""A scenario: the fleet and the load that a simulation plays. Plain data; times in seconds."""

from dataclasses import dataclass, field
from typing import Literal

from stablehand.domain.demand import Scaling

#: batch: what was taken together runs to its end before anything else begins, as in engines that batch equal requests.
#: join: shots join and leave a running batch at any step, as in the native engine.
Mode = Literal["batch", "join"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """How an agent draws: ``b`` shots of average cost take ``fixed_seconds + shot_seconds × b`` in company."""

    mode: Mode = "batch"
    seats: int = 8
    seats_max: int | None = None  #: what memory holds; premium shots may go so far; None: as ``seats``
    premium_seats: int = 0  #: seats that normal shots leave free
    fixed_seconds: float = 0.7
    shot_seconds: float = 0.5

    def together(self, cost: float) -> float:
        """Seconds that shots with this cost in sum take in company; an average shot has cost 1."""
        return self.fixed_seconds + self.shot_seconds * cost

    @property
    def seconds_each(self) -> float:
        """Device-seconds of an average shot in a full batch: the unit of work and of fair shares."""
        return self.together(self.seats) / self.seats


@dataclass(frozen=True, slots=True, kw_only=True)
class Interruptions:
    """How machines are taken away, as spot instances are."""

    an_hour: float = 0.0  #: interruptions of each agent, on average
    notice_seconds: float = 120.0  #: 0: it is gone at once, and its shots come back when their leases run out
    back_after_seconds: float = 180.0  #: until another one is there, where the pool does not scale


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """How a pool scales; without it the number of agents is fixed."""

    limits: Scaling
    start_seconds: float = 180.0  #: from asking for an agent until it can claim
    look_seconds: float = 15.0  #: between two looks at the demand


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolPlan:
    """A pool: so many equal agents."""

    name: str = "default"
    agents: int = 8  #: at the beginning
    slots: int = 1  #: checkpoints that an agent's memory holds
    load_seconds: float = 5.0
    download_seconds: float = 0.0  #: in addition, the first time that an agent loads a checkpoint
    checkpoints: tuple[int, int] | None = None  #: numbers (first, last) of a static pool; None: all that no other names
    drawing: Drawing = field(default_factory=Drawing)
    price_an_hour: float = 0.0  #: of one agent
    interruptions: Interruptions = field(default_factory=Interruptions)
    growth: Growth | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """Many accounts that order at random times: a Poisson process."""

    name: str = "crowd"
    shots_a_second: float
    accounts: int = 1000
    premium_share: float = 0.3  #: of the accounts
    checkpoints: tuple[int, int] = (0, 19)  #: numbers (first, last) that it orders
    zipf: float = 1.0  #: the k-th of them is ordered in proportion to 1 / k^zipf
    shots_a_job: int = 1
    cost: float = 1.0  #: of a shot; an average one of the pool has 1
    cost_spread: float = 0.0  #: a job's cost is drawn evenly from 1 ± this, times ``cost``
    begins_at: float = 0.0
    ends_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One large job of one account."""

    name: str = "order"
    shots: int
    checkpoint: int = 0
    premium: bool = False
    at: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    name: str
    about: str = ""
    seconds: float = 6000.0  #: simulated time
    warm_up_seconds: float = 0.0  #: shots submitted before are not counted
    pools: tuple[PoolPlan, ...] = (PoolPlan(),)
    crowds: tuple[Crowd, ...] = ()
    orders: tuple[Order, ...] = ()
    lease_seconds: float = 30.0
    idle_share: float | None = None  #: None: the default of domain.lanes
