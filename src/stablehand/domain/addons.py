"""Addons: files of weights that are used beside a checkpoint: other autoencoders, learned words, upscalers."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from stablehand.domain.recipes import Addon
from stablehand.domain.upscalers import recognise_upscaler

AddonKind = Literal["vae", "embedding", "upscaler"]
ADDON_KINDS: tuple[AddonKind, ...] = get_args(AddonKind)

#: kind -> folder in ``models.location``
ADDON_FOLDERS: dict[AddonKind, str] = {"vae": "vae", "embedding": "embeddings", "upscaler": "upscalers"}

Shapes = Mapping[str, Sequence[int]]

#: width of a learned word -> family of the checkpoints it is for
_FAMILY_BY_WIDTH = {768: "sd1", 1024: "sd2"}


@dataclass(frozen=True, slots=True, kw_only=True)
class AddonFile:
    """One in the catalogue."""

    id: str
    kind: AddonKind
    name: str  #: the file's name without suffix; an embedding's is the word that calls it in a prompt
    path: str  #: relative to ``models.location``; of those that the package ships "builtin:FOLDER/NAME"
    family: str | None  #: what it is for, where its header says so
    scale: int | None = None  #: of an upscaler, where its header says so
    size_bytes: int
    sha256: str | None  #: None until the background hash is done
    source: str | None = None  #: where it can be fetched again
    missing_since: datetime | None = None  #: set while the file is gone

    @property
    def short_hash(self) -> str | None:
        return None if self.sha256 is None else self.sha256[:10]

    def as_part(self) -> Addon:
        """How a recipe names it."""
        return Addon(kind=self.kind, id=self.id, name=self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundAddon:
    """A usable addon as a scan finds it on disk."""

    new_id: str  #: its id in case it is a new one
    kind: AddonKind
    name: str
    path: str
    family: str | None
    scale: int | None = None
    size_bytes: int
    stamp: str
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Recognised:
    family: str | None
    scale: int | None = None


def recognise_addon(kind: AddonKind, shapes: Shapes) -> Recognised | None:
    """What a header says of a file in the folder of ``kind``; None when it holds nothing of that kind.

    Autoencoders of all families have the same shapes, so theirs is never said.
    """
    if kind == "vae":
        ends = ("encoder.conv_in.weight", "decoder.conv_in.weight")
        return Recognised(None) if all(any(key.endswith(end) for key in shapes) for end in ends) else None
    if kind == "upscaler":
        layout = recognise_upscaler(shapes)
        return None if layout is None else Recognised(None, layout.scale)
    if {"clip_l", "clip_g"} <= set(shapes):
        return Recognised("sdxl")
    words = shapes.get("emb_params") or shapes.get("*") or (next(iter(shapes.values())) if len(shapes) == 1 else ())
    if len(words) not in (1, 2) or words[-1] not in _FAMILY_BY_WIDTH:
        return None
    return Recognised(_FAMILY_BY_WIDTH[words[-1]])


def find_addon(addons: Iterable[AddonFile], kind: AddonKind, text: str) -> AddonFile | None:
    """The one that somebody means, by id, name or file name, without regard to case."""
    wanted = text.strip().casefold()
    alike = [addon for addon in addons if addon.kind == kind]
    spellings: tuple[Callable[[AddonFile], str], ...] = (
        lambda addon: addon.id.casefold(),
        lambda addon: addon.name.casefold(),
        lambda addon: addon.path.casefold(),
        lambda addon: addon.path.rpartition("/")[2].casefold(),
    )
    return next((addon for spell in spellings for addon in alike if spell(addon) == wanted), None)


def called_embeddings(addons: Iterable[AddonFile], family: str, *texts: str | None) -> tuple[AddonFile, ...]:
    """The embeddings whose words stand in any of these prompts, for checkpoints of ``family``.

    Where exactly they stand is for the reader of the prompt to say; one too many does no harm.
    """
    whole = "\n".join(text.casefold() for text in texts if text)
    return tuple(
        addon
        for addon in addons
        if addon.kind == "embedding" and addon.family == family and addon.name.casefold() in whole
    )
