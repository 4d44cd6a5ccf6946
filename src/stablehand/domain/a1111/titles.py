"""Checkpoints under the names that this dialect gives them."""

import re
from collections.abc import Sequence
from typing import Any

from stablehand.domain.a1111.errors import unknown_checkpoint
from stablehand.domain.a1111.labels import meant
from stablehand.domain.checkpoints import Checkpoint, find

_HASH = re.compile(r"(?:(.*?)\s*\[)?([0-9a-f]{8,64})\]?", re.IGNORECASE | re.DOTALL)


def file_name(checkpoint: Checkpoint) -> str:
    return checkpoint.path.removeprefix("builtin:").rpartition("/")[2]


def title_of(checkpoint: Checkpoint) -> str:
    """By which clients find one in the list again: the file's name, and its hash once that is known."""
    short = checkpoint.short_hash
    return file_name(checkpoint) if short is None else f"{file_name(checkpoint)} [{short}]"


def listed(checkpoint: Checkpoint) -> dict[str, Any]:
    """One line of ``/sd-models``. Where the file lies on the server is nobody's business: ``filename`` is its name."""
    return {
        "title": title_of(checkpoint),
        "model_name": checkpoint.name,
        "hash": checkpoint.short_hash,
        "sha256": checkpoint.sha256,
        "filename": file_name(checkpoint),
        "config": None,
    }


def find_by_title(known: Sequence[Checkpoint], wanted: str | None) -> Checkpoint | None:
    """The checkpoint that a client means: by title, file name, name, hash or SHA-256; None when it names none.

    Raises Refused for one that is not there.
    """
    text = meant(wanted)
    if text is None:
        return None
    by_name = find(known, text)
    parts = _HASH.fullmatch(text)
    by_hash = None
    if parts is not None:
        digest = parts[2].lower()
        same = [entry for entry in known if (entry.sha256 or "").startswith(digest)]
        by_name = by_name or (find(known, parts[1]) if parts[1] else None)
        # Of copies of the same weights it is the one that is named as well.
        by_hash = by_name if by_name in same else next(iter(same), None)
    found = by_hash or by_name
    if found is None:
        raise unknown_checkpoint(text)
    return found
