"""Decodes: which finished latents go into a call of the decoder, and the calls that are under way.

On a GPU a call is put on a stream of its own beside the UNet's, and an event says when its pixels have come, so that
nobody waits for it. A CPU has nothing to overlap, its cores are all in the UNet's calls already (docs/benchmarks.md):
there a call is done when it returns.
"""

import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from stablehand.domain.notes import Note
from stablehand.engine import decode as decoding
from stablehand.engine.caps import ASSUMED_SPEED, CALL_SECONDS, MEMORY_SHARE, Caps
from stablehand.engine.devices import Placement
from stablehand.engine.groups import GroupKey
from stablehand.engine.pictures import Picture

#: Calls under way at a time: one that works and one that is ready to.
UNDER_WAY_MOST = 2
#: Pictures in one call, however much memory there is: more gains nothing, and on a CPU a second one only pushes the
#: first out of the cache.
DECODED_MOST = {"cuda": 8, "cpu": 1}


@dataclass(slots=True, eq=False)
class Call:
    """Pictures whose latents are being decoded together."""

    pictures: Sequence[Picture]
    kind: GroupKey
    alike: int  #: how many could have been in it, had there been room
    decoding: decoding.Decoding
    began: float = field(default_factory=time.perf_counter)

    def finish(self) -> list[NDArray[np.uint8] | None]:
        """The pixels, waiting for them if need be; None where there is no picture in a latent. Raises what a call
        may raise."""
        return self.decoding.finish(lambda index: self.pictures[index].note(Note.FLOAT32_DECODE))

    @property
    def seconds(self) -> float:
        """What it took the device. Only after :meth:`finish`."""
        own = self.decoding.device_seconds
        return time.perf_counter() - self.began if own is None else own


class Decodes:
    """``beside``: whether calls go on while other work is done; without it, as the device can."""

    def __init__(self, placement: Placement, *, beside: bool | None = None) -> None:
        kind = placement.device.type
        self._placement = placement
        self._assumed_speed = ASSUMED_SPEED[kind]
        self.caps = Caps(CALL_SECONDS[kind], DECODED_MOST[kind])  #: how many pictures may go into a call
        self.beside = placement.device.type == "cuda" if beside is None else beside
        # The stream of a CPU is a word without meaning, so the same code runs there.
        self._stream: Any = torch.get_device_module(placement.device).Stream() if self.beside else None
        self._calls: deque[Call] = deque()

    def undecoded(self, drawn: Mapping[str, Picture]) -> list[Picture]:
        """Finished latents that are in no call yet, oldest first."""
        under_way = self.pictures()
        return [picture for picture in drawn.values() if picture not in under_way]

    def wants(self, drawn: Mapping[str, Picture]) -> bool:
        """Whether another call can begin."""
        return len(self._calls) < UNDER_WAY_MOST and bool(self.undecoded(drawn))

    def lags(self, drawn: Mapping[str, Picture]) -> bool:
        """Whether more is drawn than is decoded: then the next step waits, so that latents do not pile up."""
        return len(self._calls) >= UNDER_WAY_MOST and bool(self.undecoded(drawn))

    def pictures(self) -> list[Picture]:
        """Those in the calls under way, also if they have been dropped since: their weights are being read."""
        return [picture for call in self._calls for picture in call.pictures]

    def choose(self, undecoded: Sequence[Picture]) -> tuple[list[Picture], int]:
        """Those that go into the next call, the oldest first, and how many could share it if there was room."""
        oldest = undecoded[0]
        kind = kind_of(oldest)
        alike = [one for one in undecoded if kind_of(one) == kind and one.autoencoder is oldest.autoencoder]
        memory_pictures = int(MEMORY_SHARE * self._placement.free_bytes() / oldest.decode_bytes)
        guess_seconds = decoding.decode_operations(oldest.autoencoder, kind.shape) / self._assumed_speed
        cap = self.caps.rows(kind, memory_pictures, guess_seconds)
        is_alone = oldest.tiled or oldest.recipe.exact
        return [oldest] if is_alone else [one for one in alike if not one.tiled][:cap], len(alike)

    def begin(self, pictures: Sequence[Picture], alike: int) -> None:
        """Raises MemoryError for what cannot fit, and what the decoder raises."""
        first = pictures[0]
        if len(pictures) * first.decode_bytes > self._placement.free_bytes():
            raise MemoryError
        began = time.perf_counter()
        latents = [picture.latent for picture in pictures]
        under_way = decoding.begin(first.autoencoder, latents, tiled=first.tiled, stream=self._stream)
        self._calls.append(Call(pictures, kind_of(first), alike, under_way, began))

    def take(self, *, must_wait: bool) -> list[Call]:
        """The calls that are done, oldest first; with ``must_wait`` at least the oldest, which may not be."""
        done: list[Call] = []
        while self._calls and (self._calls[0].decoding.is_done() or (must_wait and not done)):
            done.append(self._calls.popleft())
        return done

    def close(self) -> None:
        """Wait for what is under way, and forget it: its weights are about to go."""
        for call in self._calls:
            with suppress(RuntimeError):  # a device that is lost has nothing to wait for
                call.decoding.wait()
        self._calls.clear()


def kind_of(picture: Picture) -> GroupKey:
    """What its call of the decoder costs depends on."""
    return replace(picture.group, chunks=0)
