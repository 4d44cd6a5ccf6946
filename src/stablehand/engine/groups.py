"""Groups: which pictures may share a UNet call."""

from dataclasses import dataclass

from torch import Tensor

from stablehand.engine.checkpoints import Slot
from stablehand.engine.text import CHUNK_POSITIONS


@dataclass(frozen=True, slots=True)
class GroupKey:
    """Pictures with equal keys may share a UNet call."""

    slot: Slot
    shape: tuple[int, int, int]  #: of one latent: channels, height, width
    chunks: int  #: prompt chunks, rounded up to a bucket
    control: tuple[str, ...] = ()  #: what else steers the network
    bucket: int = 0  #: rows of every call, for pictures that must be bit-equal whatever else runs; 0: as many as come


def context_bucket(chunks: int) -> int:
    """The next power of two: few groups, and at most half of a context is padding."""
    return 1 << (chunks - 1).bit_length()


def chunks_of(*contexts: Tensor) -> int:
    """The longest of the contexts, in prompt chunks."""
    return max(len(context) for context in contexts) // CHUNK_POSITIONS
