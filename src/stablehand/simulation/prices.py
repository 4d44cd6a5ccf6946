"""Price lists: what machines, storage, transfer and everything else cost. Plain data, in one currency."""

from collections.abc import Mapping
from dataclasses import dataclass

from stablehand.domain.errors import BadSettings
from stablehand.domain.prices import Prices
from stablehand.simulation.reading import read_values

#: A month is a twelfth of 365 days.
DAYS_A_MONTH = 365 / 12
HOURS_A_MONTH = 24 * DAYS_A_MONTH
#: name of the list that ``from_settings`` makes
SETTINGS = "settings"


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """One agent's machine. A month's price is paid whether it runs or not, an hour's only while it runs."""

    name: str
    price_an_hour: float = 0.0
    price_a_month: float = 0.0  #: reserved or bought: instalments, rent
    interruptions_an_hour: float = 0.0  #: how often each is taken away, as spot machines are
    start_seconds: float = 180.0  #: until another is there after an interruption


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Something that costs the same whatever is drawn: the server, the database, somebody's hours."""

    name: str
    price_a_month: float  #: of one
    count: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceList:
    name: str
    currency: str
    about: str = ""
    machine: Machine
    storage_gb_month: float = 0.0  #: price of a gigabyte (10⁹ bytes) kept for a month
    transfer_gb: float = 0.0  #: price of a gigabyte sent to people
    rows: tuple[Row, ...] = ()


@dataclass(frozen=True, slots=True)
class CostLine:
    name: str
    quantity: float
    unit: str
    price: float  #: of one unit
    cost: float  #: a month


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a month needs."""

    agents: int  #: the most at a time
    agent_hours: float
    storage_gb_months: float
    transfer_gb: float


#: What comes along. A list of a provider's prices holds only what is known of them: nothing is filled in by guess.
PRESETS: dict[str, PriceList] = {
    "aws-g4dn": PriceList(
        name="aws-g4dn",
        about="EC2 g4dn.xlarge on demand; storage, transfer and all else are left out",
        currency="MAD",
        machine=Machine(name="g4dn.xlarge", price_an_hour=5.26),
    ),
    "self-hosted": PriceList(
        name="self-hosted",
        about="rows of a machine of one's own with made-up figures: put yours in their place (--show)",
        currency="MAD",
        machine=Machine(name="own machine (example)", price_a_month=700.0, price_an_hour=0.5),
        rows=(
            Row(name="server (example)", price_a_month=300.0),
            Row(name="internet (example)", price_a_month=400.0),
            Row(name="somebody's hours (example)", price_a_month=150.0, count=4),
        ),
    ),
}


def monthly(prices: PriceList, usage: Usage) -> tuple[CostLine, ...]:
    """A month's bill, a line for everything that has a price; its total is the sum of the lines."""
    machine = prices.machine
    lines = [
        (f"{machine.name}, running", usage.agent_hours, "hours", machine.price_an_hour),
        (f"{machine.name}, kept", float(usage.agents), "months", machine.price_a_month),
        ("pictures kept", usage.storage_gb_months, "GB-months", prices.storage_gb_month),
        ("pictures sent", usage.transfer_gb, "GB", prices.transfer_gb),
        *((row.name, row.count, "months", row.price_a_month) for row in prices.rows),
    ]
    return tuple(CostLine(*line, cost=line[1] * line[3]) for line in lines if line[3] > 0)


def from_settings(prices: Prices, pool: str) -> PriceList:
    """What this installation says that an hour of a device of ``pool`` costs. Raises BadSettings: it does not say."""
    hour = prices.hour_in(pool)
    if hour is None:
        raise BadSettings(
            f"The settings do not say what an hour of a device of the pool {pool} costs.",
            hint="Set costs.currency and costs.device_hour, or choose another price list: `stablehand plan --list`.",
        )
    return PriceList(
        name=SETTINGS,
        about=f"what the settings say of the pool {pool}: device-hours, and nothing else",
        currency=prices.currency,
        machine=Machine(name=f"device of the pool {pool}", price_an_hour=float(hour)),
    )


def read_prices(values: object, *, name: str) -> PriceList:
    """The price list that a file describes; its fields are those of :class:`PriceList`.

    Raises:
        InvalidFields: naming every field that is unknown, missing or wrong.
    """
    given = {"name": name, **values} if isinstance(values, Mapping) else values
    return read_values(PriceList, given, place="prices", page="docs/howto/plan-costs.md")
