"""Parked pictures as bytes: a sampler's state that another process, on another machine, takes up again.

The bytes are a safetensors file, so that reading what a stranger sent runs none of his code. Its metadata holds the
numbers as JSON and a digest over everything. Equal state after the round trip, bit for bit.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from stablehand.engine.faults import ParkedStateBroken
from stablehand.engine.samplers.state import SamplerState

#: Raised when bytes could be read otherwise than they were meant. 2: a state may lie between two passes.
VERSION = 2
FORMAT = "stablehand-parked"
#: Far above any picture: 4096 pixels square with five latents of history take 21 MB.
SIZE_LIMIT_BYTES = 256 * 2**20
#: The numbers of the longest schedule take some kilobytes.
HEADER_LIMIT_BYTES = 2**20
HINT = "The shot can still be drawn from its beginning: drop the parked state."


def pack(state: SamplerState) -> bytes:
    """The state as bytes; it may lie on any device. Raises ParkedStateBroken for a state beyond the size limit."""
    tensors = {"latent": state.latent}
    for name, history in state.history.items():
        tensors |= {f"history.{name}.{index}": tensor for index, tensor in enumerate(history)}
    tensors = {name: tensor.detach().to("cpu").contiguous().clone() for name, tensor in tensors.items()}
    numbers = json.dumps(
        {
            "sigmas": state.sigmas,
            "step": state.step,
            "draws": state.draws,
            "history": {name: len(history) for name, history in state.history.items()},
            "numbers": state.numbers,
        }
    )
    metadata = {"format": FORMAT, "version": str(VERSION), "state": numbers, "sha256": _digest(numbers, tensors)}
    packed = save(tensors, metadata)
    if len(packed) > SIZE_LIMIT_BYTES:
        raise ParkedStateBroken(
            f"The state to park takes {len(packed)} bytes, more than {SIZE_LIMIT_BYTES}.", hint=HINT
        )
    return packed


def unpack(packed: bytes) -> SamplerState:
    """The state, on the CPU. Raises ParkedStateBroken for bytes that :func:`pack` did not write, or not like this."""
    metadata = _metadata(packed)
    try:
        tensors = load(packed)
        numbers = metadata["state"]
        if _digest(numbers, tensors) != metadata["sha256"]:
            raise ValueError("their digest does not fit")
        values = json.loads(numbers)
        history = {
            name: tuple(tensors.pop(f"history.{name}.{index}") for index in range(length))
            for name, length in values["history"].items()
        }
        state = SamplerState(
            latent=tensors.pop("latent"),
            sigmas=tuple(values["sigmas"]),
            step=values["step"],
            draws=values["draws"],
            history=history,
            numbers=values["numbers"],
        )
        _check(state)
        if tensors:
            raise ValueError(f"they hold unknown tensors: {', '.join(sorted(tensors))}")
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ParkedStateBroken(f"These {len(packed)} bytes are a damaged parked state: {error}.", hint=HINT) from error
    return state


def _metadata(packed: bytes) -> dict[str, str]:
    """The header's own words, read before anything else is believed."""
    if len(packed) > SIZE_LIMIT_BYTES:
        raise ParkedStateBroken(f"A parked state of {len(packed)} bytes is more than {SIZE_LIMIT_BYTES}.", hint=HINT)
    length = int.from_bytes(packed[:8], "little")
    if len(packed) < 8 or length > min(HEADER_LIMIT_BYTES, len(packed) - 8):
        raise ParkedStateBroken("These bytes are no parked state, or only a part of one.", hint=HINT)
    try:
        metadata = json.loads(packed[8 : 8 + length])["__metadata__"]
        found, version = metadata["format"], metadata["version"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ParkedStateBroken(
            "These bytes are no parked state: their header says nothing of one.", hint=HINT
        ) from error
    if found != FORMAT:
        raise ParkedStateBroken(f"These bytes are no parked state but {found!r}.", hint=HINT)
    if version != str(VERSION):
        raise ParkedStateBroken(
            f"This state was parked in version {version} of the format; this engine reads version {VERSION}.",
            hint="Run the same version of Stablehand on all agents. " + HINT,
        )
    return dict(metadata)


def _digest(numbers: str, tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256(numbers.encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _check(state: SamplerState) -> None:
    """Raises ValueError for values of the wrong kind."""
    if state.latent.ndim != 3 or not state.latent.is_floating_point():
        raise ValueError(f"the latent has the shape {tuple(state.latent.shape)} and type {state.latent.dtype}")
    whole: tuple[Any, ...] = (state.step, state.draws)
    if not all(type(value) is int and value >= 0 for value in whole) or state.step > max(0, state.steps):
        raise ValueError(f"step {state.step} of {state.steps}, draw {state.draws}")
    if not state.sigmas or not all(
        isinstance(value, float | int) for value in (*state.sigmas, *state.numbers.values())
    ):
        raise ValueError("there are no noise levels, or values that are no numbers")
