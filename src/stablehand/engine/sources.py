"""Sources: the input picture and mask of a recipe, made ready for the network, and put around what it draws.

Everything here is pixels on the CPU; the formulas of crop, blur and fill follow what A1111's users know.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pictures
from PIL import ImageFilter, ImageOps

from stablehand.domain.recipes import Recipe, ResizeMode, Source
from stablehand.engine.faults import InputBroken

Pixels = NDArray[np.uint8]  #: (height, width, 3)
Shade = NDArray[np.float32]  #: (height, width), 0 to 1

_LANCZOS = Pictures.Resampling.LANCZOS
#: Radii in pixels with which what surrounds a hole is smeared into it, from far to near.
_FILL_RADII = (256, 64, 16, 4, 2)
_HINT = "Upload it again and order anew."
#: What the server keeps is PNG; the others do no harm.
_FORMATS = ("PNG", "JPEG", "WEBP")
#: A pixel of a mask counts as white from here on.
_WHITE = 128


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def size(self) -> tuple[int, int]:
        return self.right - self.left, self.bottom - self.top

    @property
    def corners(self) -> tuple[int, int, int, int]:
        return self.left, self.top, self.right, self.bottom


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """What lies around the part that is drawn, put back when it is done."""

    original: Pixels  #: at the size of the result
    shade: Shade  #: how much of what was drawn is to be seen, at that size
    box: Box | None  #: where it belongs; None: everywhere

    def around(self, drawn: Pixels) -> Pixels:
        """The whole picture: ``drawn`` where the mask is white, the original where it is black."""
        whole = Pictures.fromarray(self.original)
        inner = Pictures.fromarray(drawn)
        if self.box is not None:
            whole.paste(_cover(inner, self.box.size), self.box.corners)
        else:
            whole = inner
        mixed = whole_of(whole) * self.shade[..., None] + self.original * (1 - self.shade[..., None])
        return np.asarray(mixed.round().clip(0, 255).astype(np.uint8))


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """An input, ready to be encoded."""

    pixels: Pixels  #: at the size that is drawn, or its own for the latent upscale
    mask: Shade | None = None  #: at the size that is drawn, 0 or 1; 1 is repainted
    frame: Frame | None = None


def open_input(inputs: Mapping[str, bytes], input_id: str) -> Pictures.Image:
    """RGB, upright, on white where it is transparent. Raises InputBroken for one that is not there or is no picture."""
    if input_id not in inputs:
        raise InputBroken(f"The picture {input_id[:12]} that it starts from did not come.", hint=_HINT)
    try:
        with Pictures.open(io.BytesIO(inputs[input_id]), formats=_FORMATS) as file:
            upright = ImageOps.exif_transpose(file).convert("RGBA")
    except (OSError, ValueError, SyntaxError, Pictures.DecompressionBombError) as error:
        raise InputBroken(
            f"The picture {input_id[:12]} that it starts from cannot be opened: {type(error).__name__}.", hint=_HINT
        ) from error
    white = Pictures.new("RGBA", upright.size, "white")
    return Pictures.alpha_composite(white, upright).convert("RGB")


def whole_of(picture: Pictures.Image) -> NDArray[np.float32]:
    return np.asarray(picture, np.float32)


def prepare(recipe: Recipe, inputs: Mapping[str, bytes]) -> Prepared:
    """Bring the input of ``recipe`` to its size. ``inputs``: id -> bytes of a picture file. Raises InputBroken."""
    source = recipe.source
    assert source is not None
    picture = open_input(inputs, source.input)
    size = (recipe.width, recipe.height)
    mask = _mask(source, inputs, picture.size)
    if mask is None:
        # With nothing to repaint everything is drawn anew; "only masked" still means the input's own size.
        whole = Frame(np.asarray(picture), np.ones(picture.size[::-1], np.float32), Box(0, 0, *picture.size))
        frame = whole if recipe.kind == "inpaint" and source.only_masked else None
        return Prepared(np.asarray(_resized(picture, size, source.resize_mode)), frame=frame)
    box = _box(mask, source.only_masked_padding, size, picture.size) if source.only_masked else None
    if box is not None:
        inner, inner_mask = picture.crop(box.corners), mask.crop(box.corners)
        small, small_mask = _contained(inner, size), _contained(inner_mask, size)
        frame = Frame(np.asarray(picture), _shade(mask), box)
    else:
        small, small_mask = (_resized(one, size, source.resize_mode) for one in (picture, mask))
        frame = Frame(np.asarray(small), _shade(small_mask), None)
    if source.mask_fill == "fill":
        small = filled(small, small_mask)
    hard = np.asarray(np.asarray(small_mask, np.float32) >= _WHITE, np.float32)
    return Prepared(np.asarray(small), hard, frame)


def latent_mask(mask: Shade, height: int, width: int) -> Shade:
    """A mask at the size of latents, 0 or 1."""
    small = Pictures.fromarray((mask * 255).astype(np.uint8)).resize((width, height), Pictures.Resampling.BICUBIC)
    return np.asarray(np.asarray(small, np.float32) >= _WHITE, np.float32)


def _mask(source: Source, inputs: Mapping[str, bytes], size: tuple[int, int]) -> Pictures.Image | None:
    """Grey, blurred, at the size of the picture; None when there is none, or nothing in it is white."""
    if source.mask is None:
        return None
    mask = open_input(inputs, source.mask).convert("L")
    if mask.size != size:
        mask = mask.resize(size, _LANCZOS)
    if source.mask_invert:
        mask = ImageOps.invert(mask)
    hard = np.asarray(mask) > _WHITE
    if not hard.any():
        return None
    return Pictures.fromarray(blurred(hard.astype(np.float32) * 255, source.mask_blur).round().astype(np.uint8))


def blurred(shade: NDArray[np.float32], sigma: int) -> NDArray[np.float32]:
    """A Gaussian blur with a kernel of 2 int(2.5 sigma + 0.5) + 1 pixels, mirrored at the edges."""
    if sigma <= 0:
        return shade
    reach = int(2.5 * sigma + 0.5)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    kernel = (kernel / kernel.sum()).astype(np.float32)
    for axis in (0, 1):
        # A kernel may be wider than the picture, so mirror as often as it takes.
        padded = np.pad(shade, [(reach, reach) if side == axis else (0, 0) for side in (0, 1)], mode="symmetric")
        views = np.lib.stride_tricks.sliding_window_view(padded, len(kernel), axis=axis)
        shade = np.asarray(views @ kernel, np.float32)
    return shade


def filled(picture: Pictures.Image, mask: Pictures.Image) -> Pictures.Image:
    """The picture with what lies under the mask painted over with the colours around it, smeared ever finer."""
    known = 1 - _shade(mask)[..., None]
    base = whole_of(picture)
    result = base * known
    weight = known
    layers = result.copy()
    covered = known.copy()
    for radius in reversed(_FILL_RADII):
        blur = ImageFilter.GaussianBlur(radius)
        soft_weight = _channel(weight, blur)
        soft = np.concatenate([_channel(result[..., [band]], blur, 255) for band in range(3)], axis=-1)
        colours = soft / np.maximum(soft_weight, 1e-3)
        share = (1 - covered) * np.clip(soft_weight * 4, 0, 1)
        layers += colours * share
        covered += share
    mean = result.sum(axis=(0, 1)) / max(float(known.sum()), 1.0)
    layers += mean * (1 - covered)
    return Pictures.fromarray(layers.round().clip(0, 255).astype(np.uint8))


def _channel(values: NDArray[np.float32], blur: ImageFilter.Filter, most: float = 1.0) -> NDArray[np.float32]:
    plane = Pictures.fromarray((values[..., 0] / most * 255).round().clip(0, 255).astype(np.uint8))
    return np.asarray(plane.filter(blur), np.float32)[..., None] / np.float32(255 / most)


def _shade(mask: Pictures.Image) -> Shade:
    return np.asarray(mask, np.float32) / np.float32(255)


def _box(mask: Pictures.Image, padding: int, drawn: tuple[int, int], whole: tuple[int, int]) -> Box:
    """What is drawn: around the white of ``mask``, with ``padding``, in the proportions of ``drawn`` if they fit."""
    left, top, right, bottom = mask.getbbox() or (0, 0, *whole)
    left, top = max(0, left - padding), max(0, top - padding)
    right, bottom = min(whole[0], right + padding), min(whole[1], bottom + padding)
    ratio = drawn[0] / drawn[1]
    if (right - left) / (bottom - top) > ratio:
        top, bottom = _stretched(top, bottom, round((right - left) / ratio), whole[1])
    else:
        left, right = _stretched(left, right, round((bottom - top) * ratio), whole[0])
    return Box(left, top, right, bottom)


def _stretched(start: int, end: int, length: int, room: int) -> tuple[int, int]:
    """A stretch of ``length`` around the one given, moved into 0..room, and no longer than that."""
    length = min(max(length, end - start), room)
    start = max(0, min(start - (length - (end - start)) // 2, room - length))
    return start, start + length


def _resized(picture: Pictures.Image, size: tuple[int, int], mode: ResizeMode) -> Pictures.Image:
    if mode == "Crop and resize":
        return _cover(picture, size)
    if mode == "Resize and fill":
        return _contained(picture, size)
    if mode == "Just resize (latent upscale)":
        return picture
    return picture.resize(size, _LANCZOS)


def _cover(picture: Pictures.Image, size: tuple[int, int]) -> Pictures.Image:
    """Scaled until it covers ``size``; what sticks out is cut off evenly."""
    return ImageOps.fit(picture, size, _LANCZOS)


def _contained(picture: Pictures.Image, size: tuple[int, int]) -> Pictures.Image:
    """Scaled until it fits into ``size``; its edges are drawn out to fill the rest."""
    scale = min(size[0] / picture.width, size[1] / picture.height)
    inner = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    values = np.asarray(picture.resize(inner, _LANCZOS))
    left, top = (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2
    margins = [(top, size[1] - inner[1] - top), (left, size[0] - inner[0] - left)]
    return Pictures.fromarray(np.pad(values, [*margins, *[(0, 0)] * (values.ndim - 2)], mode="edge"))
