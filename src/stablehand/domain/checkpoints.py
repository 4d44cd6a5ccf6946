"""A checkpoint: the weights of one Stable Diffusion network, known by its own id from the moment it is seen."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    id: str
    name: str  #: the file's or folder's name without suffix; what people choose by
    path: str  #: relative to ``models.location``; "builtin:NAME" for what the package ships
    family: str  #: "sd1", "sd2", "sdxl" …, read from headers and shapes
    native_size: int  #: pixels a side
    size_bytes: int
    sha256: str | None  #: None until the background hash is done
    builtin: bool
    source: str | None = None  #: where it can be fetched again
    missing_since: datetime | None = None  #: set while the file is gone
