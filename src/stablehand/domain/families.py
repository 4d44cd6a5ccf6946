"""Families of checkpoints, told apart by names and shapes alone: what a header says, without the weights."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: family -> pixels a side that its networks were trained at
NATIVE_SIZES = {"sd1": 512, "sd2": 768, "sdxl": 1024, "sdxl-refiner": 1024, "sd3": 1024, "flux": 1024}

#: width of the text encoding that the UNet attends to -> family
_FAMILY_BY_CONTEXT = {768: "sd1", 1024: "sd2", 2048: "sdxl", 1280: "sdxl-refiner"}

_FAMILY_BY_PIPELINE = {
    "StableDiffusionXLPipeline": "sdxl",
    "StableDiffusion3Pipeline": "sd3",
    "FluxPipeline": "flux",
}

_UNET = "model.diffusion_model."

#: Of the first block that has cross attention, in the layout of single files: SD 1 and 2 first, then SDXL.
_CONTEXT_KEYS = tuple(f"{_UNET}input_blocks.{block}.1.transformer_blocks.0.attn2.to_k.weight" for block in (1, 4))


@dataclass(frozen=True, slots=True)
class Network:
    family: str
    native_size: int  #: pixels a side


def from_single_file(shapes: Mapping[str, Sequence[int]], metadata: Mapping[str, str]) -> Network | None:
    """The network in a single file with the original key names; None when it holds no whole checkpoint.

    ``metadata``: the header's own words, of which ``modelspec.resolution`` says the native size better than a guess.
    """
    family = _family_of_keys(shapes)
    if family is None:
        return None
    return Network(family, _stated_size(metadata) or NATIVE_SIZES[family])


def from_folder(
    pipeline: str, unet: Mapping[str, Any], vae: Mapping[str, Any], *, second_text_encoder: bool
) -> Network | None:
    """The network in a diffusers folder, from its configuration files; None when they do not describe one.

    A network of no public family whose text encoder, UNet and decoder are put together as Stable Diffusion 1 does it
    counts as one of that family, with the size that its UNet was made for.
    """
    family = _FAMILY_BY_PIPELINE.get(pipeline)
    if family is None and pipeline.startswith("StableDiffusion"):
        context = unet.get("cross_attention_dim")
        family = "sdxl" if second_text_encoder else "sd2" if context == 1024 else "sd1"
    if family is None:
        return None
    side = unet.get("sample_size")
    stages = vae.get("block_out_channels")
    if not isinstance(side, int) or not isinstance(stages, list) or not stages:
        return Network(family, NATIVE_SIZES[family])
    return Network(family, side * 2 ** (len(stages) - 1))


def _family_of_keys(shapes: Mapping[str, Sequence[int]]) -> str | None:
    if any(key.startswith(f"{_UNET}joint_blocks.") for key in shapes):
        return "sd3"
    if any(key.startswith((f"{_UNET}double_blocks.", "double_blocks.")) for key in shapes):
        return "flux"
    for key in _CONTEXT_KEYS:
        if key in shapes and len(shapes[key]) == 2:
            return _FAMILY_BY_CONTEXT.get(shapes[key][1])
    return None


def _stated_size(metadata: Mapping[str, str]) -> int | None:
    width, _, height = metadata.get("modelspec.resolution", "").partition("x")
    if width.isdecimal() and height.isdecimal() and 64 <= min(int(width), int(height)) <= 4096:
        return min(int(width), int(height))
    return None
