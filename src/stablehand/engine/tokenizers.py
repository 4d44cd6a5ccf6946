"""Words to token ids: CLIP's vocabulary, from a small wheel or from files, never from the network."""

from functools import cache
from pathlib import Path
from typing import Any, Protocol

from transformers import CLIPTokenizer

from stablehand.domain.errors import CheckpointBroken
from stablehand.engine.tensors import naming

#: files of which a folder needs one set
_FILES = (("vocab.json", "merges.txt"), ("tokenizer.json",))


class Tokenizer(Protocol):
    """Ids of a text without its start and end. ``pad`` fills what is left of a chunk after the end."""

    start: int
    end: int
    pad: int

    def ids(self, text: str) -> list[int]: ...


class WheelTokenizer:
    """CLIP's own vocabulary, as instant-clip-tokenizer carries it (wheels for CPython 3.11 and 3.12)."""

    def __init__(self, pad: int | None = None) -> None:
        self._clip = _clip()
        self.start: int = self._clip.start_of_text()
        self.end: int = self._clip.end_of_text()
        self.pad = self.end if pad is None else pad

    def ids(self, text: str) -> list[int]:
        ids: list[int] = self._clip.encode(text)
        return ids


@cache
def _clip() -> Any:
    """One for all: building it takes a tenth of a second, and it never changes."""
    from instant_clip_tokenizer import Tokenizer  # noqa: PLC0415 - there is no wheel for every Python

    return Tokenizer()


class FolderTokenizer:
    """A vocabulary in transformers' files. Raises CheckpointBroken when they cannot be read."""

    def __init__(self, folder: Path) -> None:
        with naming(folder / "vocab.json"):
            self._clip: Any = CLIPTokenizer.from_pretrained(str(folder), local_files_only=True)
        self.start: int = self._clip.bos_token_id
        self.end: int = self._clip.eos_token_id
        self.pad: int = self._clip.pad_token_id

    def ids(self, text: str) -> list[int]:
        ids: list[int] = self._clip(text, add_special_tokens=False, truncation=False, verbose=False).input_ids
        return ids


def holds_tokenizer(folder: Path) -> bool:
    return any(all((folder / name).is_file() for name in names) for names in _FILES)


def find_tokenizer(*, beside: Path | None = None, shared: Path | None = None, open_clip: bool = False) -> Tokenizer:
    """The tokenizer of a text encoder.

    ``beside``: the checkpoint's own folder of it, which comes first. ``shared``: ``models/tokenizers``, where a folder
    with CLIP's vocabulary (of any name) stands in for the wheel, also where there would be one. ``open_clip``: the
    encoder is one of OpenCLIP's, which were trained with zeros after the end, not with more ends.

    Raises CheckpointBroken, with the way to get one, when there is none.
    """
    if beside is not None and holds_tokenizer(beside):
        return FolderTokenizer(beside)
    folders = []
    if shared is not None and shared.is_dir():
        folders = [shared, *sorted(path for path in shared.iterdir() if path.is_dir())]
    chosen = next((folder for folder in folders if holds_tokenizer(folder)), None)
    if chosen is not None:
        tokenizer = FolderTokenizer(chosen)
        tokenizer.pad = 0 if open_clip else tokenizer.end
        return tokenizer
    try:
        return WheelTokenizer(pad=0 if open_clip else None)
    except ImportError:
        raise CheckpointBroken(
            "There is no tokenizer for CLIP's text encoders on this machine.",
            hint="Use Python 3.11 or 3.12 and install instant-clip-tokenizer, or put vocab.json and merges.txt of "
            f"openai/clip-vit-large-patch14 into {(shared or Path('models/tokenizers')) / 'clip'}.",
        ) from None
