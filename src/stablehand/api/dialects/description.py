"""What a dialect says of itself, for the page of reference that is made from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class FieldNote:
    """One field of a body. ``effect``: what it does; none for one that is read, echoed and otherwise passed over."""

    name: str
    default: str
    effect: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """``blueprint``: whose routes belong to it. ``bodies``: "POST /path" -> its fields, where there are any."""

    title: str
    blueprint: str
    about: str
    differences: Sequence[str]
    bodies: Mapping[str, Sequence[FieldNote]] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)  #: "POST /path" -> why
