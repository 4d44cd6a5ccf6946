"""Noise that depends on a recipe and a position only, never on who else is drawn or who asked before.

Sources, as in A1111: ``CPU`` is torch's CPU generator, equal on every machine; ``GPU`` is the generator of the device
that draws, so that a picture differs between kinds of devices (on a machine without one it is ``CPU``); ``NV`` gives an
NVIDIA device's numbers on any machine.
"""

from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from stablehand.domain.recipes import NoiseOptions
from stablehand.engine import philox
from stablehand.engine.brownian import BrownianPath

_SEEDS = 2**64
CPU = torch.device("cpu")
#: Rows this parallel are mixed linearly: the arc between them has no length to divide by (A1111's limit).
_PARALLEL = 0.9995


class _Sequence(Protocol):
    """The draws of one seed, in order."""

    def draw(self, shape: tuple[int, ...]) -> Tensor: ...


class _Generated:
    def __init__(self, seed: int, device: torch.device) -> None:
        self._device = device
        self._generator = torch.Generator(device)
        self._generator.manual_seed(seed % _SEEDS)

    def draw(self, shape: tuple[int, ...]) -> Tensor:
        return torch.randn(shape, generator=self._generator, device=self._device, dtype=torch.float32)


class _Philox:
    def __init__(self, seed: int) -> None:
        self._seed = seed % _SEEDS
        self._draws = 0

    def draw(self, shape: tuple[int, ...]) -> Tensor:
        count = int(torch.Size(shape).numel())
        values = philox.normal(self._seed, self._draws, count)
        self._draws += 1
        return torch.from_numpy(values).reshape(shape)


class Noise:
    """The sequence of normal draws of one picture.

    Position 0 starts the picture, with variation seed and seed resize worked in; position k is what the k-th draw after
    it would give, as if all of them had been made in order. Asking in order is cheap; asking backwards by more than one
    starts the sequence again.

    ``shape``: (channels, height, width). ``ensd``: added to the seed of all draws after the first one.
    """

    def __init__(
        self,
        seed: int,
        shape: tuple[int, ...],
        options: NoiseOptions | None = None,
        *,
        ensd: int = 0,
        device: torch.device = CPU,
        pixels_per_latent: int = 8,
    ) -> None:
        self.seed = seed
        self.shape = shape
        self._options = options or NoiseOptions()
        self._ensd = ensd
        self._device = device
        self._pixels_per_latent = pixels_per_latent
        self._later: _Sequence | None = None
        self._next = 0
        self._latest: tuple[int, Tensor] | None = None

    def at(self, position: int) -> Tensor:
        """Standard normal, float32, of this noise's shape, on its device."""
        if self._latest is None or self._latest[0] != position:
            drawn = self._first() if position == 0 else self._later_at(position)
            self._latest = (position, drawn.to(self._device))
        return self._latest[1]

    def path(self, lowest: float, highest: float) -> BrownianPath:
        """The picture's Brownian motion over its noise levels; of the seed alone, as A1111's."""

        def draw(seed: int) -> Tensor:
            return self._start(seed).draw(self.shape).to(self._device)

        return BrownianPath(self.seed, lowest, highest, draw)

    def _start(self, seed: int) -> _Sequence:
        if self._options.source == "NV":
            return _Philox(seed)
        return _Generated(seed, self._device if self._options.source == "GPU" else CPU)

    def _later_at(self, position: int) -> Tensor:
        if self._later is None or position < self._next:
            self._later = self._start(self.seed + self._ensd)
            if not self._ensd:
                self._later.draw(self.shape)
            self._next = 1
        while True:
            drawn = self._later.draw(self.shape)
            self._next += 1
            if self._next > position:
                return drawn

    def _first(self) -> Tensor:
        options = self._options
        shape = self.shape
        if options.seed_resize_from_h > 0 and options.seed_resize_from_w > 0:
            size = (options.seed_resize_from_h, options.seed_resize_from_w)
            shape = (self.shape[0], *(max(1, pixels // self._pixels_per_latent) for pixels in size))
        drawn = self._start(self.seed).draw(shape)
        if options.subseed_strength:
            drawn = mix(drawn, self._start(options.subseed).draw(shape), options.subseed_strength)
        if shape == self.shape:
            return drawn
        return _pasted(drawn, self._start(self.seed).draw(self.shape))


def mix(first: Tensor, second: Tensor, share: float) -> Tensor:
    """From ``first`` to ``second`` by ``share``, along the arc between them (Shoemake 1985), which keeps the variance.

    Vectors run along dimension 1, as A1111 takes them. Shapes: (channels, height, width).
    """
    cosine = (_directions(first) * _directions(second)).sum(1, keepdim=True)
    if float(cosine.mean()) > _PARALLEL:
        return torch.lerp(first, second, share)
    angle = torch.acos(cosine.clamp(-1, 1))
    sine = torch.sin(angle).clamp(min=1e-8)
    return torch.sin((1 - share) * angle) / sine * first + torch.sin(share * angle) / sine * second


def _directions(vectors: Tensor) -> Tensor:
    return functional.normalize(vectors, dim=1)


def _pasted(small: Tensor, canvas: Tensor) -> Tensor:
    """``small`` in the middle of ``canvas``, cut where it is larger. The middle is found as A1111 finds it."""
    result = canvas.clone()
    target, source = [slice(None)], [slice(None)]
    for wide, narrow in zip(canvas.shape[1:], small.shape[1:], strict=True):
        offset = (wide - narrow) // 2
        length = narrow if offset >= 0 else narrow + 2 * offset
        target.append(slice(max(offset, 0), max(offset, 0) + length))
        source.append(slice(max(-offset, 0), max(-offset, 0) + length))
    result[tuple(target)] = small[tuple(source)]
    return result
