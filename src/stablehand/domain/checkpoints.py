"""A checkpoint: the weights of one Stable Diffusion network, known by its own id from the moment it is seen."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


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
    inpainting: bool = False  #: its UNet also sees the mask and what lies around it
    prediction: str | None = None  #: "epsilon" or "v_prediction"; None: neither the header nor a file beside it says
    zero_terminal_snr: bool = False
    distillation: str | None = None  #: "lcm", "turbo" …: made for few steps and little guidance
    source: str | None = None  #: where it can be fetched again
    missing_since: datetime | None = None  #: set while the file is gone

    @property
    def short_hash(self) -> str | None:
        """The hash as A1111 shows it."""
        return None if self.sha256 is None else self.sha256[:10]


class FoundFile(Protocol):
    """What a scan knows of any kind of weights."""

    @property
    def path(self) -> str: ...
    @property
    def stamp(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A usable checkpoint as a scan finds it on disk."""

    new_id: str  #: its id in case it is a new one
    name: str
    path: str
    family: str
    native_size: int
    size_bytes: int
    stamp: str  #: changes when the files do, stays when they are only moved
    builtin: bool
    inpainting: bool = False
    prediction: str | None = None
    zero_terminal_snr: bool = False
    distillation: str | None = None
    source: str | None = None


def match_files(known: Mapping[str, str], found: Iterable[FoundFile]) -> dict[str, str]:
    """found path -> path of the row it belongs to, for everything that is not new.

    ``known``: path -> stamp of the rows. The same path is the same checkpoint, whatever its files say now; a file at a
    new path is a moved one when exactly one row with its stamp has lost its file.
    """
    entries = list(found)
    here = {entry.path for entry in entries}
    matches = {path: path for path in here if path in known}
    lost: dict[str, list[str]] = {}
    for path, stamp in known.items():
        if path not in here:
            lost.setdefault(stamp, []).append(path)
    for entry in entries:
        if entry.path not in matches and len(candidates := lost.get(entry.stamp, [])) == 1:
            matches[entry.path] = candidates.pop()
    return matches


def find(checkpoints: Iterable[Checkpoint], text: str) -> Checkpoint | None:
    """The checkpoint that somebody means: by id, else by name, path or file name without regard to case."""
    known = list(checkpoints)
    wanted = text.strip()
    folded = wanted.casefold()
    spellings: tuple[Callable[[Checkpoint], bool], ...] = (
        lambda entry: entry.id == wanted,
        lambda entry: entry.name.casefold() == folded,
        lambda entry: entry.path.casefold() == folded,
        lambda entry: entry.path.rpartition("/")[2].casefold() == folded,
    )
    return next((entry for matches in spellings for entry in known if matches(entry)), None)
