"""Siblings: folders of checkpoints that share parts. Pure: it reads an index, never a disk."""

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

#: in model_index.json: the folder beside this one from which the parts come that this one lacks
PARTS_FROM = "_parts_from"


def lender_of(index: Mapping[str, Any]) -> str | None:
    """The name of the folder that lends its parts, as a pipeline's index gives it; None: it borrows nothing.

    Raises:
        ValueError: what it gives is no plain name, and so might lead anywhere.
    """
    name = index.get(PARTS_FROM)
    if name is None:
        return None
    if not isinstance(name, str) or name.startswith(".") or "\\" in name or PurePath(name).parts != (name,):
        raise ValueError(f"{PARTS_FROM} must be the name of a folder beside it, not {name!r}")
    return name
