"""Networks out of files: built without memory, then filled tensor by tensor, never twice in memory."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.utils import logging as diffusers_logging
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection
from transformers.utils import logging as transformers_logging

from stablehand.domain.errors import CheckpointBroken
from stablehand.engine.architectures import Config
from stablehand.engine.devices import Placement
from stablehand.engine.layouts import Origin, Origins, Shape, adapt_shape
from stablehand.engine.tensors import FETCH_AGAIN, TensorFiles, TensorReader

#: Read by us in three different forms, so taken care of apart: transformers moved the text model up one level.
_TEXT_PREFIX = "text_model."


def build_unet(config: Config) -> Any:
    """A UNet on the meta device. Raises what diffusers raises for a configuration that makes no sense."""
    return _on_meta(lambda: UNet2DConditionModel.from_config(config))


def build_vae(config: Config) -> Any:
    return _on_meta(lambda: AutoencoderKL.from_config(config))


def build_text_encoder(config: Config, *, projected: bool) -> Any:
    kind: Any = CLIPTextModelWithProjection if projected else CLIPTextModel
    return _on_meta(lambda: kind(CLIPTextConfig.from_dict(config)))


def building(build: Callable[[Config], Any], config: Config, file: Path) -> Any:
    """Build a network by a configuration that lies in, or was read off, ``file``. Raises CheckpointBroken."""
    try:
        return build(config)
    except (ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise CheckpointBroken(
            f"{file} cannot be loaded: its configuration makes no network: {' '.join(str(error).split())[:300]}",
            hint="Fetch it again. What is built otherwise than the published ones must come as a diffusers folder.",
        ) from error


def fill(
    network: Any, files: TensorFiles, origins: Origins, placement: Placement, dtype: torch.dtype | None = None
) -> Any:
    """Give every parameter its value, on the device of ``placement``, and return the network ready to run.

    Raises CheckpointBroken naming the file: a tensor is missing, has the wrong shape or holds values that are not
    numbers. torch.OutOfMemoryError passes through.
    """
    wanted = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    named = {name: origins.get(name) or origins.get(name.removeprefix(_TEXT_PREFIX)) for name in wanted}
    missing = sorted(name for name, origin in named.items() if origin is None)
    if missing:
        raise CheckpointBroken(
            f"{files.paths[0]} lacks {len(missing)} tensors, among them {missing[0]}.", hint=FETCH_AGAIN
        )
    found = {name: origin for name, origin in named.items() if origin is not None}
    _check_shapes(wanted, found, files)
    state: dict[str, Tensor] = {}
    sound: dict[str, Tensor] = {}
    with files.reading() as read, torch.inference_mode(mode=False):
        for name, origin in found.items():
            value = _value(read, origin).reshape(wanted[name])
            state[name] = _place(value, placement, dtype or placement.dtype)
            # float8 knows no isfinite, so the copy is asked; what overflows half precision is not sound either.
            sound[name] = torch.isfinite(state[name]).all()
        _check_numbers(sound, found, files)
        network.load_state_dict(state, strict=True, assign=True)
    restore_positions(network, placement.device)
    return network.eval().requires_grad_(False)


def parameters(network: Any) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def _on_meta(build: Callable[[], Any]) -> Any:
    _quiet()
    with torch.device("meta"):
        return build()


def _check_shapes(wanted: Mapping[str, Shape], origins: Mapping[str, Origin], files: TensorFiles) -> None:
    for name, origin in origins.items():
        shape = tuple(files.shapes[origin.key])
        expected = wanted[name][::-1] if origin.is_transposed else wanted[name]
        if origin.third is not None:
            expected = (expected[0] * 3, *expected[1:])
        if not adapt_shape(shape, expected):
            raise CheckpointBroken(
                f"{files.path_of(origin.key)} cannot be loaded: {origin.key} has the shape {list(shape)}, "
                f"where {list(expected)} belongs.",
                hint=FETCH_AGAIN,
            )


def _check_numbers(sound: Mapping[str, Tensor], origins: Mapping[str, Origin], files: TensorFiles) -> None:
    """One question to the device for all tensors together."""
    if not sound or bool(torch.stack(list(sound.values())).all()):
        return
    key = next(origins[name].key for name, is_sound in sound.items() if not is_sound)
    raise CheckpointBroken(f"{files.path_of(key)} has values that are not numbers in {key}.", hint=FETCH_AGAIN)


def _value(read: TensorReader, origin: Origin) -> Tensor:
    tensor = read(origin.key)
    if origin.third is not None:
        tensor = tensor.chunk(3)[origin.third]
    return tensor.T if origin.is_transposed else tensor


def _place(value: Tensor, placement: Placement, dtype: torch.dtype) -> Tensor:
    """A copy on the device: the file may change or go away, what is in memory must not."""
    layout = placement.memory_format if value.dim() == 4 else torch.contiguous_format
    return value.to(placement.device, dtype, copy=True, memory_format=layout)


def restore_positions(network: nn.Module, device: torch.device) -> None:
    """Buffers that are computed, not stored, have no values yet: of our networks only CLIP's positions."""
    for name, buffer in list(network.named_buffers()):
        if not buffer.is_meta:
            continue
        owner, _, short = name.rpartition(".")
        assert short == "position_ids", f"{name} is not stored and not known how to compute"
        positions = torch.arange(buffer.shape[-1], device=device).expand(buffer.shape)
        setattr(network.get_submodule(owner), short, positions)


def _quiet() -> None:
    """The libraries' own advice says nothing to a person who runs a server."""
    diffusers_logging.set_verbosity_error()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
