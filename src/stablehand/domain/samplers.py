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


SAMPLERS: tuple[Named, ...] = (
    Named("DPM++ 2M", ("k_dpmpp_2m", "dpmpp_2m")),
    Named("Euler a", ("k_euler_a", "k_euler_ancestral", "euler_ancestral")),
    Named("Euler", ("k_euler",)),
    Named("DDIM", ("ddim",)),
)

SCHEDULES: tuple[Named, ...] = (
    Named("Automatic", ("automatic",)),
    Named("Uniform", ("uniform",)),
    Named("Karras", ("karras",)),
    Named("Normal", ("normal",)),
)

#: What the schedule Automatic means to samplers that have a favourite; to the others it is Uniform.
AUTOMATIC_SCHEDULES: dict[str, str] = {"DPM++ 2M": "Karras"}


def find_sampler(text: str) -> str | None:
    """The exact label for what somebody typed, or None."""
    return _find(SAMPLERS, text)


def find_schedule(text: str) -> str | None:
    """The exact label for what somebody typed, or None."""
    return _find(SCHEDULES, text)


def _find(table: tuple[Named, ...], text: str) -> str | None:
    return next((named.name for named in table if named.answers_to(text)), None)
