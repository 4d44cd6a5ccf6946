"""ESRGAN's network: residual-in-residual dense blocks, then nearest upsampling (Wang et al. 2018, arXiv:1809.00219).

Real-ESRGAN's variants for smaller scales fold the picture first (Wang et al. 2021, arXiv:2107.10833). The parts bear
the names that published files have today.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

#: What a block adds to what came in is scaled by this, at both depths.
RESIDUAL_SCALE = 0.2
_SLOPE = 0.2


class DenseBlock(nn.Module):
    """Five convolutions, each of which sees what all before it made."""

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        for number in range(1, 6):
            inner = width + (number - 1) * growth
            self.add_module(f"conv{number}", nn.Conv2d(inner, growth if number < 5 else width, 3, padding=1))

    def forward(self, features: Tensor) -> Tensor:
        """(n, width, h, w) to the same shape."""
        seen = features
        for number in range(1, 5):
            made = functional.leaky_relu(self.get_submodule(f"conv{number}")(seen), _SLOPE)
            seen = torch.cat((seen, made), 1)
        added: Tensor = self.get_submodule("conv5")(seen)
        return added * RESIDUAL_SCALE + features


class Block(nn.Module):
    """Three dense blocks in a row, and a way around them."""

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        self.rdb1 = DenseBlock(width, growth)
        self.rdb2 = DenseBlock(width, growth)
        self.rdb3 = DenseBlock(width, growth)

    def forward(self, features: Tensor) -> Tensor:
        """(n, width, h, w) to the same shape."""
        added: Tensor = self.rdb3(self.rdb2(self.rdb1(features)))
        return added * RESIDUAL_SCALE + features


class RRDBNet(nn.Module):
    """``fold`` x ``fold`` pixels become one with more channels, then it is doubled ``doublings`` times."""

    def __init__(self, *, width: int, growth: int, blocks: int, doublings: int, fold: int = 1) -> None:
        super().__init__()
        self.fold = fold
        self.doublings = doublings
        self.conv_first = nn.Conv2d(3 * fold * fold, width, 3, padding=1)
        self.body = nn.Sequential(*(Block(width, growth) for _ in range(blocks)))
        self.conv_body = nn.Conv2d(width, width, 3, padding=1)
        for number in range(1, doublings + 1):
            self.add_module(f"conv_up{number}", nn.Conv2d(width, width, 3, padding=1))
        self.conv_hr = nn.Conv2d(width, width, 3, padding=1)
        self.conv_last = nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, pixels: Tensor) -> Tensor:
        """(n, 3, h, w) from 0 to 1, sides divisible by ``fold``, to (n, 3, h*scale, w*scale), about 0 to 1."""
        features = functional.pixel_unshuffle(pixels, self.fold) if self.fold > 1 else pixels
        features = self.conv_first(features)
        features = features + self.conv_body(self.body(features))
        for number in range(1, self.doublings + 1):
            larger = functional.interpolate(features, scale_factor=2.0, mode="nearest")
            features = functional.leaky_relu(self.get_submodule(f"conv_up{number}")(larger), _SLOPE)
        drawn: Tensor = self.conv_last(functional.leaky_relu(self.conv_hr(features), _SLOPE))
        return drawn
