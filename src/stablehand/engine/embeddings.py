"""Textual-inversion embeddings: words that a file teaches a text encoder (Gal et al. 2022, arXiv 2208.01618)."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from stablehand.domain.errors import CheckpointBroken
from stablehand.engine.tensors import FETCH_AGAIN, TensorFiles

#: names of the tensor in files for SD 1 and SD 2, which have one encoder and tell themselves apart by width
_SINGLE = ("emb_params", "*")
#: width of a word in each encoder -> its name (engine.text.EncoderName)
_ENCODER_BY_WIDTH = {768: "clip_l", 1024: "clip_h", 1280: "clip_g"}


@dataclass(frozen=True, slots=True, eq=False)
class Embedding:
    """``vectors``: name of an encoder -> (words, width) in float32, on the CPU."""

    vectors: Mapping[str, Tensor]

    @property
    def words(self) -> int:
        """Places that it takes in a prompt."""
        return max(len(vector) for vector in self.vectors.values())


def read_embedding(path: Path) -> Embedding:
    """An embedding file for SD 1 or SD 2 (``emb_params``) or SDXL (``clip_l``, ``clip_g``). Raises CheckpointBroken."""
    files = TensorFiles(path)
    found: dict[str, Tensor] = {}
    with files.reading() as read:
        for name, shape in files.shapes.items():
            if len(shape) not in (1, 2):
                continue
            encoder = name if name in ("clip_l", "clip_g") else _ENCODER_BY_WIDTH.get(shape[-1])
            # A file of one tensor is an embedding whatever the tensor is called: some trainers name it by its word.
            if encoder is not None and (name in (*_SINGLE, "clip_l", "clip_g") or len(files.shapes) == 1):
                found[encoder] = read(name).to(torch.float32, copy=True).reshape(-1, shape[-1])
    if not found:
        raise CheckpointBroken(f"{path} holds no textual-inversion embedding.", hint=FETCH_AGAIN)
    if not all(bool(torch.isfinite(vector).all()) for vector in found.values()):
        raise CheckpointBroken(f"{path} has values that are not numbers.", hint=FETCH_AGAIN)
    if len({len(vector) for vector in found.values()}) > 1:
        raise CheckpointBroken(f"{path} has not as many words for one text encoder as for the other.", hint=FETCH_AGAIN)
    return Embedding(found)
