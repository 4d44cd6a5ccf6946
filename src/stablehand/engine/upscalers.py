"""Networks that enlarge pictures, out of files: those that are built in, and whatever spandrel knows if it is there."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from stablehand.domain.errors import CheckpointBroken, RecipeUnsupported
from stablehand.domain.upscalers import UpscalerLayout, recognise_upscaler
from stablehand.engine.devices import Placement
from stablehand.engine.faults import first_line
from stablehand.engine.layouts import Origin
from stablehand.engine.loading import fill, parameters
from stablehand.engine.rrdb import RRDBNet
from stablehand.engine.srvgg import CompactNet
from stablehand.engine.tensors import TensorFiles, naming

FETCH_AGAIN = "Fetch the upscaler again."


@dataclass(eq=False)
class Upscaler:
    """Ready to enlarge. Several checkpoints may share one."""

    name: str
    network: Callable[[Tensor], Tensor]  #: (n, 3, h, w) from 0 to 1 to (n, 3, h*scale, w*scale)
    module: Any  #: whose weights it computes with
    placement: Placement
    dtype: torch.dtype
    parameters: int
    scale: int
    multiple: int  #: sides that it is given are divisible by this
    width: int  #: channels at the size of what it draws

    @property
    def size_bytes(self) -> int:
        return self.parameters * self.dtype.itemsize

    def operations(self, pixels: int) -> float:
        """About how many floating-point operations so many pixels of the input take."""
        at_output = 2 * 9 * self.width**2 * 2 * self.scale**2
        return pixels * (2.0 * self.parameters / self.multiple**2 + at_output)

    def call_bytes(self, pixels: int) -> int:
        """About how much memory so many pixels of the input take at the peak: a few tensors as large as the result."""
        return 4 * self.width * self.scale**2 * pixels * self.dtype.itemsize


def upscaler_dtype(placement: Placement) -> torch.dtype:
    """What such a network computes in: bfloat16 cannot tell neighbouring bytes apart, so it is never that."""
    return torch.float16 if placement.dtype == torch.float16 else torch.float32


def upscaler_bytes(path: Path, placement: Placement) -> int:
    """Memory that the weights of this file will take. Raises CheckpointBroken."""
    files = TensorFiles(path)
    counts = [torch.Size(shape).numel() for shape in files.shapes.values()]
    return sum(counts) * upscaler_dtype(placement).itemsize


def load_upscaler(path: Path, placement: Placement) -> Upscaler:
    """The network in a file. Raises CheckpointBroken, and RecipeUnsupported for one that only spandrel knows."""
    files = TensorFiles(path)
    layout = recognise_upscaler(files.shapes)
    return _foreign(path, files, placement) if layout is None else _own(path, files, layout, placement)


def _own(path: Path, files: TensorFiles, layout: UpscalerLayout, placement: Placement) -> Upscaler:
    dtype = upscaler_dtype(placement)
    with torch.device("meta"):
        network = RRDBNet(**layout.sizes) if layout.architecture == "rrdb" else CompactNet(**layout.sizes)
    fill(network, files, {name: Origin(key) for name, key in layout.names.items()}, placement, dtype)
    return Upscaler(
        name=path.stem,
        network=network,
        module=network,
        placement=placement,
        dtype=dtype,
        parameters=parameters(network),
        scale=layout.scale,
        multiple=layout.sizes.get("fold", 1),
        width=layout.sizes["width"] if layout.architecture == "rrdb" else 3 + layout.sizes["width"] // layout.scale**2,
    )


def _foreign(path: Path, files: TensorFiles, placement: Placement) -> Upscaler:
    """By spandrel, an optional library that knows many architectures."""
    try:
        spandrel: Any = import_module("spandrel")
    except Exception as error:  # also when torchvision, which it needs, does not fit this torch
        why = "is not installed" if isinstance(error, ModuleNotFoundError) else f"cannot be used ({first_line(error)})"
        raise RecipeUnsupported(
            f"{path.name} is of an architecture that is not built in, and spandrel {why} on this agent.",
            hint="Install stablehand[spandrel] there, or choose an upscaler of the kind ESRGAN.",
        ) from error
    with files.reading() as read, naming(path):
        state = {name: read(name).clone() for name in files.shapes}
    try:
        model = spandrel.ModelLoader(device="cpu").load_from_state_dict(state)
    except Exception as error:
        text = f"{path.name} holds nothing that spandrel knows: {type(error).__name__}: {str(error)[:200]}"
        raise CheckpointBroken(text, hint=FETCH_AGAIN) from error
    if (model.input_channels, model.output_channels) != (3, 3) or str(model.purpose) not in ("SR", "FaceSR"):
        raise CheckpointBroken(f"{path.name} is no upscaler of colour pictures.", hint="Choose another one.")
    dtype = upscaler_dtype(placement)
    if dtype == torch.float16 and not model.supports_half:
        dtype = torch.float32
    model.to(placement.device, dtype)
    model.eval()
    return Upscaler(
        name=path.stem,
        network=model,
        module=model.model,
        placement=placement,
        dtype=dtype,
        parameters=parameters(model.model),
        scale=int(model.scale),
        multiple=max(1, int(model.size_requirements.multiple_of)),
        width=64,
    )
