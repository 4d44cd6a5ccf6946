"""Checkpoints into memory: a diffusers folder becomes a :class:`Resident`.

Everything that can be wrong with files is found here and named by file, before a picture is drawn with it.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.utils import logging as diffusers_logging
from safetensors import SafetensorError, safe_open
from transformers import CLIPTextModel, CLIPTokenizer
from transformers.utils import logging as transformers_logging

from stablehand.domain.errors import CheckpointBroken, CheckpointUnreadable, RecipeUnsupported
from stablehand.engine.devices import Placement
from stablehand.engine.levels import NoiseLevels
from stablehand.engine.preview import PreviewMap
from stablehand.engine.text import Text

#: component -> the stem of its weight file
WEIGHT_FILES = {"unet": "diffusion_pytorch_model", "vae": "diffusion_pytorch_model", "text_encoder": "model"}

Slot = str  #: names the weights a row is computed with; a checkpoint's id, later with what is merged into it


@dataclass(eq=False)
class Resident:
    """A checkpoint in memory, ready to draw."""

    slot: Slot
    unet: Any
    vae: Any
    text: Text
    levels: NoiseLevels
    placement: Placement
    size_bytes: int
    unet_parameters: int
    vae_parameters: int
    preview: PreviewMap = field(default_factory=PreviewMap)

    @property
    def latent_channels(self) -> int:
        return int(self.unet.config.in_channels)

    @property
    def pixels_per_latent(self) -> int:
        return int(2 ** (len(self.vae.config.block_out_channels) - 1))


def load_folder(slot: Slot, folder: Path, placement: Placement) -> Resident:
    """Load a diffusers folder of the Stable Diffusion 1.x type.

    Raises CheckpointBroken (which file, and what is wrong with it), RecipeUnsupported for families this engine cannot
    run. torch.OutOfMemoryError passes through.
    """
    _quiet()
    check_family(folder)
    dtype = placement.dtype

    def load_weights(component: str, loader: Any, **options: Any) -> Any:
        file = weight_file(folder, component)
        variant = "fp16" if ".fp16." in file.name else None
        with _naming(file):
            network, info = loader.from_pretrained(
                str(folder / component),
                local_files_only=True,
                use_safetensors=True,
                output_loading_info=True,
                variant=variant,
                **options,
            )
        if info["missing_keys"]:
            raise CheckpointBroken(
                f"{file} lacks {len(info['missing_keys'])} tensors, among them {min(info['missing_keys'])}.",
                hint="Fetch the checkpoint again.",
            )
        network = network.eval().requires_grad_(False).to(placement.device)
        for name, tensor in network.state_dict().items():
            if tensor.is_floating_point() and not torch.isfinite(tensor).all():
                raise CheckpointBroken(
                    f"{file} has values that are not numbers in {name}.", hint="Fetch the checkpoint again."
                )
        return network

    text_encoder = load_weights("text_encoder", CLIPTextModel, dtype=dtype)
    unet = load_weights("unet", UNet2DConditionModel, dtype=dtype).to(memory_format=placement.memory_format)
    vae = load_weights("vae", AutoencoderKL, dtype=dtype).to(memory_format=placement.memory_format)
    with _naming(folder / "tokenizer" / "vocab.json"):
        tokenizer = CLIPTokenizer.from_pretrained(str(folder / "tokenizer"), local_files_only=True)
    scheduler = _read_json(folder / "scheduler" / "scheduler_config.json")
    return Resident(
        slot=slot,
        unet=unet,
        vae=vae,
        text=Text(tokenizer, text_encoder, placement.device),
        levels=NoiseLevels.from_config(scheduler),
        placement=placement,
        size_bytes=sum(_parameters(network) for network in (unet, vae, text_encoder)) * dtype.itemsize,
        unet_parameters=_parameters(unet),
        vae_parameters=_parameters(vae),
    )


def check_family(folder: Path) -> None:
    """Raises unless the folder's configs describe a network of the Stable Diffusion 1.x type."""
    index = _read_json(folder / "model_index.json")
    missing = [name for name in (*WEIGHT_FILES, "tokenizer", "scheduler") if not (folder / name).is_dir()]
    if "text_encoder_2" in index or "transformer" in index:
        raise RecipeUnsupported(
            f"{folder.name} is a {index.get('_class_name', 'different')} checkpoint.",
            hint="This engine runs folders of the Stable Diffusion 1.x type.",
        )
    if missing:
        raise CheckpointBroken(f"{folder} lacks the folders {', '.join(missing)}.", hint="Fetch the checkpoint again.")
    unet = _read_json(folder / "unet" / "config.json")
    text = _read_json(folder / "text_encoder" / "config.json")
    if unet.get("cross_attention_dim") != text.get("hidden_size"):
        raise CheckpointBroken(
            f"{folder}/unet/config.json expects text features of width {unet.get('cross_attention_dim')}, "
            f"but text_encoder/config.json gives {text.get('hidden_size')}.",
            hint="The folder mixes parts of different checkpoints; fetch it again.",
        )


def weight_file(folder: Path, component: str) -> Path:
    """The safetensors file of one component, full precision before half; raises CheckpointBroken."""
    stem = WEIGHT_FILES[component]
    candidates = [folder / component / f"{stem}{variant}.safetensors" for variant in ("", ".fp16")]
    file = next((path for path in candidates if path.is_file()), None)
    if file is None:
        raise CheckpointBroken(
            f"{candidates[0]} is missing.",
            hint="Only safetensors files are loaded; convert others, or fetch the checkpoint again.",
        )
    with _naming(file), safe_open(file, "pt"):
        return file  # the header, which must match the file's length, could be read


def weight_bytes(folder: Path, dtype: torch.dtype) -> int:
    """How much memory the weights will take in ``dtype``, from the headers alone."""
    count = 0
    for component in WEIGHT_FILES:
        file = weight_file(folder, component)
        with safe_open(file, "pt") as tensors:
            for name in tensors.keys():  # noqa: SIM118 - not a mapping
                shape = tensors.get_slice(name).get_shape()
                count += int(torch.Size(shape).numel())
    return count * dtype.itemsize


@contextmanager
def _naming(file: Path) -> Iterator[None]:
    """Turns what loaders raise into CheckpointBroken with the file's name."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except (SafetensorError, OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split())[:300]
        kind = CheckpointUnreadable if _may_pass(error) else CheckpointBroken
        raise kind(f"{file} could not be loaded: {reason}", hint="Fetch the checkpoint again.") from error


def _may_pass(error: Exception) -> bool:
    """True for trouble of the disk or the network; a file that is not there is certain."""
    return isinstance(error, OSError) and not isinstance(error, FileNotFoundError | NotADirectoryError)


def _parameters(network: Any) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def _read_json(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointBroken(f"{file} is missing.", hint="Fetch the checkpoint again.") from None
    except (OSError, ValueError) as error:
        kind = CheckpointUnreadable if _may_pass(error) else CheckpointBroken
        raise kind(f"{file} is not readable JSON: {error}", hint="Fetch the checkpoint again.") from error
    if not isinstance(content, dict):
        raise CheckpointBroken(f"{file} is not a JSON object.", hint="Fetch the checkpoint again.")
    return content


def _quiet() -> None:
    """The loaders' own bars and advice say nothing to a person who runs a server."""
    diffusers_logging.set_verbosity_error()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
