"""Real-ESRGAN's compact network: convolutions at the picture's own size, then a shuffle of channels into pixels.

As its authors describe it (https://github.com/xinntao/Real-ESRGAN, "tiny models"); it learns what to add to the nearest
neighbour.
"""

from torch import Tensor, nn
from torch.nn import functional


class CompactNet(nn.Module):
    """``convolutions`` between the first and the last one, each followed by a PReLU."""

    def __init__(self, *, width: int, convolutions: int, scale: int) -> None:
        super().__init__()
        self.scale = scale
        layers: list[nn.Module] = [nn.Conv2d(3, width, 3, padding=1), nn.PReLU(width)]
        for _ in range(convolutions):
            layers += [nn.Conv2d(width, width, 3, padding=1), nn.PReLU(width)]
        self.body = nn.Sequential(*layers, nn.Conv2d(width, 3 * scale * scale, 3, padding=1))

    def forward(self, pixels: Tensor) -> Tensor:
        """(n, 3, h, w) from 0 to 1 to (n, 3, h*scale, w*scale), about 0 to 1."""
        added: Tensor = functional.pixel_shuffle(self.body(pixels), self.scale)
        size = [side * self.scale for side in pixels.shape[-2:]]
        return added + functional.interpolate(pixels, size=size, mode="nearest")
