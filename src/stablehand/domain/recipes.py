"""A recipe: everything that decides how a picture looks. Immutable, hashable, versioned."""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, Self

Kind = Literal["text"]
Format = Literal["png", "webp", "jpeg"]

#: Raised when the meaning of a stored recipe changes.
RECIPE_VERSION = 1

SEED_MAX = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What to draw. ``seed`` is the seed of the first shot; shot i of a job is drawn with ``seed + i``."""

    prompt: str
    negative_prompt: str = ""
    kind: Kind = "text"
    checkpoint_id: str  #: id of the row in the catalogue
    checkpoint: str  #: its name when the job was submitted
    width: int  #: pixels, a multiple of 8
    height: int  #: pixels, a multiple of 8
    steps: int
    sampler: str  #: a label of domain.samplers.SAMPLERS
    schedule: str  #: a label of domain.samplers.SCHEDULES
    cfg_scale: float
    seed: int
    format: Format = "webp"
    quality: int = 90  #: 1 to 100; ignored by PNG
    exact: bool = False  #: bit-equal whatever else is in the batch
    version: int = RECIPE_VERSION

    def for_shot(self, index: int) -> Self:
        """The recipe of one shot: the same, with that shot's own seed (wrapping at the largest seed)."""
        return replace(self, seed=(self.seed + index) % (SEED_MAX + 1))

    def with_seed(self, seed: int) -> Self:
        """The recipe of a shot whose seed is known: after a retry, seeds need not be consecutive."""
        return replace(self, seed=seed)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values, the form that is stored and sent to agents."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The inverse of :meth:`as_dict`; raises TypeError for fields of another version."""
        return cls(**values)

    @property
    def fingerprint(self) -> str:
        """A SHA-256 over the canonical JSON form: equal recipes, equal fingerprints."""
        canonical = json.dumps(self.as_dict(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(canonical.encode()).hexdigest()
