"""Plans: how many agents a load needs, how long people wait then, and what a month costs.

The busiest hours and the rest of the day are simulated apart, each as if they went on for ever, by the functions that
decide in the server. Rates are given, measured by an installation, or assumed; a plan says which.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from itertools import chain
from math import ceil
from typing import Any

from stablehand.domain.demand import WANTED_BUSY_SHARE
from stablehand.domain.errors import InvalidFields
from stablehand.domain.estimates import FIRST_SECONDS_PER_COST, Rate, RateKey, size_class
from stablehand.domain.pace import cost_of
from stablehand.domain.recipes import Recipe
from stablehand.domain.tiers import SHIPPED, Tiers
from stablehand.simulation.figures import Figures
from stablehand.simulation.play import play
from stablehand.simulation.prices import DAYS_A_MONTH, CostLine, PriceList, Usage, monthly
from stablehand.simulation.reading import read_values
from stablehand.simulation.scenario import Crowd, Drawing, Interruptions, PoolPlan, Scenario

_PAGE = "docs/howto/plan-costs.md"

#: Pictures that one simulation should see: enough for a 95th percentile that stays put, few enough for a second.
_PICTURES = 4000
#: Bounds of simulated time, in seconds.
_LEAST_SECONDS, _MOST_SECONDS = 3600.0, 3 * 86400.0
_WARM_UP_SHARE = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """Pictures of one recipe that one tier orders."""

    tier: str = "normal"
    pictures_a_day: float
    family: str = "sd1"
    width: int = 512
    height: int = 512
    steps: int = 25
    cfg_scale: float = 7.0
    seconds: float | None = None  #: device-seconds of a picture on the machine of the price list; None: measured


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What people order on an ordinary day, and how agents draw it."""

    streams: tuple[Stream, ...]
    peak_factor: float = 1.0  #: how much more is ordered in the busiest hours than on average over the day
    peak_hours: float = 1.0  #: a day
    device: str | None = None  #: whose measured rates count; None: the only one there are any of
    accounts: int = 100  #: of each stream
    checkpoints: int = 1  #: that are ordered, by Zipf's law
    slots: int = 1  #: checkpoints that an agent's memory holds
    load_seconds: float = 5.0
    seats: int = 4  #: pictures that an agent draws together
    megabytes: float = 0.5  #: of a finished picture
    keep_days: float = 30.0
    times_sent: float = 1.0  #: how often a picture is fetched


@dataclass(frozen=True, slots=True)
class Draw:
    """How long a stream's pictures take, and how that is known."""

    tier: str
    pictures_a_day: float
    seconds: float
    known_by: str


@dataclass(frozen=True, slots=True)
class TierWaits:
    """Seconds, of simulated pictures. ``in_time``: 95 in 100 begin within the tier's deadline."""

    deadline_s: float
    begun_p50_s: float
    begun_p95_s: float
    done_p50_s: float
    done_p95_s: float
    in_time: bool


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of the day."""

    name: str
    hours_a_day: float
    pictures_an_hour: float
    agents: int
    busy_share: float
    in_time: bool  #: every tier is; else no fleet that was tried does it, and more agents hardly help
    waits: dict[str, TierWaits]


@dataclass(frozen=True, slots=True)
class Plan:
    currency: str
    prices: str
    agents: int  #: the most at a time
    in_time: bool
    pictures_a_month: float
    cost_a_month: float
    cost_a_picture: float
    lines: tuple[CostLine, ...]
    phases: tuple[Phase, ...]
    draws: tuple[Draw, ...]
    notes: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def read_load(values: object) -> Load:
    """The load that a file describes; its fields are those of :class:`Load`.

    Raises:
        InvalidFields: naming every field that is unknown, missing or wrong.
    """
    load = read_values(Load, values, place="load", page=_PAGE)
    if not load.streams:
        raise InvalidFields({"streams": "at least one"}, hint=f"{_PAGE} describes the file.")
    return load


def plan(
    load: Load,
    prices: PriceList,
    *,
    tiers: Tiers = SHIPPED,
    rates: Mapping[RateKey, Rate] | None = None,
    seed: int = 0,
) -> Plan:
    """Find the smallest fleet that keeps every tier's deadline, and what it costs.

    Args:
        rates: measured by an installation, by family, device and size.

    Raises:
        InvalidFields: a tier that cannot be simulated, a peak that is more than the day, an unclear device.
    """
    _check(load, tiers)
    draws = tuple(_draw(load, number, stream, rates or {}) for number, stream in enumerate(load.streams))
    average = sum(stream.pictures_a_day for stream in load.streams) / 24
    if load.peak_factor > 1:
        rest_hours = 24 - load.peak_hours
        rest_factor = (24 - load.peak_factor * load.peak_hours) / rest_hours
        parts = [("peak", load.peak_hours, load.peak_factor), ("rest of the day", rest_hours, rest_factor)]
    else:
        parts = [("all day", 24.0, 1.0)]
    phases = tuple(
        _phase(name, hours, factor, average * factor, load, prices, draws, tiers, seed) for name, hours, factor in parts
    )
    pictures = average * 24 * DAYS_A_MONTH
    gigabytes = pictures * load.megabytes / 1000
    lines = monthly(
        prices,
        Usage(
            agents=max(phase.agents for phase in phases),
            agent_hours=sum(phase.agents * phase.hours_a_day for phase in phases) * DAYS_A_MONTH,
            storage_gb_months=gigabytes * load.keep_days / DAYS_A_MONTH,
            transfer_gb=gigabytes * load.times_sent,
        ),
    )
    cost = sum(line.cost for line in lines)
    return Plan(
        currency=prices.currency,
        prices=prices.name,
        agents=max(phase.agents for phase in phases),
        in_time=all(phase.in_time for phase in phases),
        pictures_a_month=pictures,
        cost_a_month=cost,
        cost_a_picture=cost / pictures,
        lines=lines,
        phases=phases,
        draws=draws,
        notes=tuple(_notes(prices, draws, phases)),
    )


def _check(load: Load, tiers: Tiers) -> None:
    problems = {
        f"streams[{number}].tier": f"{tiers.best.name} or {tiers.plain.name}"
        for number, stream in enumerate(load.streams)
        if stream.tier not in {tiers.best.name, tiers.plain.name}
    }
    if load.checkpoints < 1:
        problems["checkpoints"] = "1 or more"
    if load.peak_factor < 1:
        problems["peak_factor"] = "1 or more"
    elif load.peak_factor > 1 and not 0 < load.peak_factor * load.peak_hours < 24:
        problems["peak_hours"] = "more than 0, and times peak_factor less than 24: something is ordered at other hours"
    if problems:
        raise InvalidFields(problems, hint=f"{_PAGE} describes the file.")


def _draw(load: Load, number: int, stream: Stream, rates: Mapping[RateKey, Rate]) -> Draw:
    def answer(seconds: float, known_by: str) -> Draw:
        return Draw(stream.tier, stream.pictures_a_day, seconds, known_by)

    if stream.seconds is not None:
        return answer(stream.seconds, "given")
    cost = cost_of(
        Recipe(
            prompt="",
            checkpoint_id="",
            checkpoint="",
            width=stream.width,
            height=stream.height,
            steps=stream.steps,
            sampler="Euler",
            schedule="Automatic",
            cfg_scale=stream.cfg_scale,
            seed=0,
        )
    )
    wanted = size_class(stream.width, stream.height)
    known = {key: rate for key, rate in rates.items() if key.family == stream.family}
    if load.device is not None:
        known = {key: rate for key, rate in known.items() if key.device == load.device}
    devices = sorted({key.device for key in known})
    if len(devices) > 1:
        names = " or ".join(map(repr, devices))
        raise InvalidFields(
            {"device": f"{names}: each is as fast as it is, and streams[{number}] was measured on all of them"},
            hint="Name the device that the price list's machine has, or give the stream its `seconds`.",
        )
    exact = [key for key in known if key.size_class == wanted]
    for key in exact or sorted(known, key=lambda key: -known[key].measurements):
        rate = known[key]
        like = "" if exact else f", of {key.size_class} size instead of {wanted}"
        on = key.device or "a device without a name"
        return answer(rate.seconds_per_cost * cost, f"measured on {on} ({rate.measurements} pictures{like})")
    return answer(FIRST_SECONDS_PER_COST * cost, "assumed")


def _phase(  # noqa: PLR0917  one call
    name: str,
    hours: float,
    factor: float,
    pictures_an_hour: float,
    load: Load,
    prices: PriceList,
    draws: tuple[Draw, ...],
    tiers: Tiers,
    seed: int,
) -> Phase:
    """Try fleets, from the one that the sheer work keeps as busy as agents should be, until every tier is in time."""
    shots_a_second = pictures_an_hour / 3600
    work = sum(draw.seconds * draw.pictures_a_day for draw in draws) * factor / 86400
    mean_seconds = work / shots_a_second
    crowds = tuple(
        Crowd(
            name=str(number),
            shots_a_second=draw.pictures_a_day * factor / 86400,
            accounts=load.accounts,
            premium_share=1.0 if draw.tier == tiers.best.name else 0.0,
            checkpoints=(0, load.checkpoints - 1),
            cost=draw.seconds / mean_seconds,
        )
        for number, draw in enumerate(draws)
    )
    seconds = min(_MOST_SECONDS, max(_LEAST_SECONDS, _PICTURES / shots_a_second))
    agents = least = ceil(work / WANTED_BUSY_SHARE)
    while True:
        pool = PoolPlan(
            agents=agents,
            slots=load.slots,
            load_seconds=load.load_seconds,
            # Measured device-seconds were measured in company: what company saves is in them already.
            drawing=Drawing(
                mode="join",
                seats=load.seats,
                premium_seats=min(1, load.seats - 1),
                fixed_seconds=0.0,
                shot_seconds=mean_seconds,
            ),
            interruptions=Interruptions(
                an_hour=prices.machine.interruptions_an_hour, back_after_seconds=prices.machine.start_seconds
            ),
        )
        scenario = Scenario(
            name=name, seconds=seconds, warm_up_seconds=seconds * _WARM_UP_SHARE, pools=(pool,), crowds=crowds
        )
        figures = play(scenario, "stablehand", seed=seed, tiers=tiers)
        waits = _waits(figures, {draw.tier for draw in draws}, tiers)
        in_time = all(of_tier.in_time for of_tier in waits.values())
        if in_time or agents >= 2 * least + 4:
            return Phase(name, hours, pictures_an_hour, agents, figures.utilisation, in_time, waits)
        agents += max(1, agents // 8)


def _waits(figures: Figures, ordered: set[str], tiers: Tiers) -> dict[str, TierWaits]:
    waits = {}
    for tier in tiers:
        if tier.name in ordered:
            of = figures.tiers[tier.name]
            in_time = of.begun_p95_s <= tier.deadline_seconds
            waits[tier.name] = TierWaits(
                tier.deadline_seconds, of.begun_p50_s, of.begun_p95_s, of.p50_s, of.p95_s, in_time
            )
    return waits


def _notes(prices: PriceList, draws: Iterable[Draw], phases: Iterable[Phase]) -> Iterable[str]:
    """What the figures do not hold, in words."""
    if any(draw.known_by == "assumed" for draw in draws):
        yield (
            "Nothing was measured of some pictures: their seconds are those of a large GPU. Draw some on the machine "
            "in question and plan with its data directory, or give `seconds`."
        )
    missing = [
        label for label, price in (("storage", prices.storage_gb_month), ("transfer", prices.transfer_gb)) if price == 0
    ]
    missing += [] if prices.rows else ["what costs the same every month"]
    if missing:
        yield f"The price list {prices.name} has no price for {' and '.join(missing)}: the total is without."
    late = sorted(set(chain.from_iterable(
        (tier for tier, waits in phase.waits.items() if not waits.in_time) for phase in phases
    )))  # fmt: skip
    if late:
        yield (
            f"The deadline of {' and '.join(late)} was kept by no fleet that was tried: "
            "loading takes too long, or too many checkpoints take turns."
        )
