"""The names of samplers and schedules, as A1111 writes them, with the aliases that are understood.

Names only: what they compute lives in ``engine/samplers/`` and ``engine/schedules.py``, and a test holds the tables
together.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Named:
    """A label with the other spellings it is known by."""

    name: str
    aliases: tuple[str, ...] = ()

    def answers_to(self, text: str) -> bool:
        wanted = text.strip().casefold()
        return wanted == self.name.casefold() or wanted in (alias.casefold() for alias in self.aliases)


@dataclass(frozen=True, slots=True)
class SamplerName(Named):
    """A sampler's label with what is worth knowing of it without running it."""

    schedule: str | None = None  #: what the schedule Automatic means to it; None: Uniform
    has_schedule: bool = True  #: False: it chooses its noise levels by itself
    is_second_order: bool = False  #: calls the network twice or more in a step
    is_brownian: bool = False  #: its noise is a Brownian motion of the seed
    discards_next_to_last: bool = False  #: leaves the next-to-last noise level out by itself
    #: Which of recipes.SamplerOptions change what it draws. ``discard_next_to_last_sigma`` changes all with a schedule.
    options: frozenset[str] = frozenset()


_CHURN = frozenset({"s_churn", "s_tmin", "s_tmax", "s_noise"})
_ANCESTRAL = frozenset({"eta", "s_noise", "ensd"})
_BROWNIAN = frozenset({"eta", "s_noise"})

#: In A1111's order; the first is the default.
SAMPLERS: tuple[SamplerName, ...] = (
    SamplerName("DPM++ 2M", ("k_dpmpp_2m", "dpmpp_2m"), schedule="Karras"),
    SamplerName(
        "DPM++ SDE",
        ("k_dpmpp_sde", "dpmpp_sde"),
        schedule="Karras",
        is_second_order=True,
        is_brownian=True,
        options=_BROWNIAN,
    ),
    SamplerName(
        "DPM++ 2M SDE", ("k_dpmpp_2m_sde", "dpmpp_2m_sde"), schedule="Exponential", is_brownian=True, options=_BROWNIAN
    ),
    SamplerName(
        "DPM++ 2M SDE Heun",
        ("k_dpmpp_2m_sde_heun", "dpmpp_2m_sde_heun"),
        schedule="Exponential",
        is_brownian=True,
        options=_BROWNIAN,
    ),
    SamplerName(
        "DPM++ 2S a",
        ("k_dpmpp_2s_a", "dpmpp_2s_ancestral"),
        schedule="Karras",
        is_second_order=True,
        options=_ANCESTRAL,
    ),
    SamplerName(
        "DPM++ 3M SDE",
        ("k_dpmpp_3m_sde", "dpmpp_3m_sde"),
        schedule="Exponential",
        is_brownian=True,
        discards_next_to_last=True,
        options=_BROWNIAN,
    ),
    SamplerName("Euler a", ("k_euler_a", "k_euler_ancestral", "euler_ancestral", "euler_a"), options=_ANCESTRAL),
    SamplerName("Euler", ("k_euler",), options=_CHURN | {"ensd"}),
    SamplerName("LMS", ("k_lms",)),
    SamplerName("Heun", ("k_heun",), is_second_order=True, options=_CHURN | {"ensd"}),
    SamplerName(
        "DPM2",
        ("k_dpm_2", "dpm_2"),
        schedule="Karras",
        is_second_order=True,
        discards_next_to_last=True,
        options=_CHURN | {"ensd"},
    ),
    SamplerName(
        "DPM2 a",
        ("k_dpm_2_a", "dpm_2_ancestral"),
        schedule="Karras",
        is_second_order=True,
        discards_next_to_last=True,
        options=_ANCESTRAL,
    ),
    SamplerName("DPM fast", ("k_dpm_fast", "dpm_fast"), has_schedule=False, options=_ANCESTRAL),
    SamplerName("DPM adaptive", ("k_dpm_ad", "dpm_adaptive"), has_schedule=False, options=_ANCESTRAL),
    SamplerName("Restart", schedule="Karras", is_second_order=True, options=frozenset({"s_noise", "ensd"})),
    SamplerName("DDIM", has_schedule=False, options=frozenset({"eta", "ensd"})),
    SamplerName("DDIM CFG++", ("ddim_cfgpp",), has_schedule=False, options=frozenset({"eta", "ensd"})),
    SamplerName("PLMS", has_schedule=False),
    SamplerName("UniPC", ("uni_pc",), has_schedule=False),
    SamplerName("LCM", ("k_lcm",), options=frozenset({"ensd"})),
)

SCHEDULES: tuple[Named, ...] = (
    Named("Automatic"),
    Named("Uniform"),
    Named("Karras"),
    Named("Exponential"),
    Named("Polyexponential"),
    Named("SGM Uniform", ("sgm_uniform", "SGMUniform")),
    Named("KL Optimal", ("kl_optimal",)),
    Named("Align Your Steps", ("align_your_steps",)),
    Named("Simple"),
    Named("Normal"),
    Named("DDIM", ("ddim_uniform",)),
    Named("Beta"),
)

#: What the schedule Automatic means to samplers that have a favourite; to the others it is Uniform.
AUTOMATIC_SCHEDULES: dict[str, str] = {
    sampler.name: sampler.schedule for sampler in SAMPLERS if sampler.schedule is not None
}

#: Samplers that leave the next-to-last noise level out unless told otherwise.
DISCARDING_SAMPLERS = frozenset(sampler.name for sampler in SAMPLERS if sampler.discards_next_to_last)


def find_sampler(text: str) -> str | None:
    """The exact label for what somebody typed, or None."""
    return _find(SAMPLERS, text)


def find_schedule(text: str) -> str | None:
    """The exact label for what somebody typed, or None."""
    return _find(SCHEDULES, text)


def _find(table: tuple[Named, ...], text: str) -> str | None:
    return next((named.name for named in table if named.answers_to(text)), None)
