"""Circumstances: what on this machine may change the bits of a picture that the engine draws."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from types import MappingProxyType
from typing import Any

import torch

from stablehand.domain.manifests import Part
from stablehand.engine.autoencoders import Autoencoder
from stablehand.engine.checkpoints import Resident
from stablehand.engine.devices import Placement, cpu_name
from stablehand.engine.upscalers import Upscaler, upscaler_dtype

#: Libraries whose versions matter to bits, beside torch: networks, tokens.
_LIBRARIES = ("diffusers", "transformers", "instant-clip-tokenizer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """The part of a domain.manifests.Manifest that the engine knows."""

    software: Mapping[str, str]  #: name -> version
    device: str
    device_name: str
    compute: str
    dtypes: Mapping[Part, str] = field(default_factory=dict)
    attention: tuple[str, ...] = ()
    bucket: int | None = None


def circumstances_of(
    resident: Resident,
    autoencoder: Autoencoder,
    attention: Collection[str],
    *,
    overflowed: bool,
    bucket: int | None = None,
    is_enlarged: bool = False,
) -> Circumstances:
    """Of a picture that ``resident`` has drawn; ``overflowed``: it had to be decoded in float32.

    ``bucket``: rows that its calls were filled up to. ``is_enlarged``: a network led to its last pass.
    """
    placement = resident.placement
    enlarged: dict[Part, str] = {"upscaler": _word(upscaler_dtype(placement))} if is_enlarged else {}
    return Circumstances(
        software=software(),
        device=placement.device.type,
        device_name=placement.name,
        compute=_compute(placement),
        dtypes={
            "unet": _word(placement.dtype),
            "text": _word(placement.dtype),
            "vae": _word(torch.float32 if overflowed else autoencoder.dtype),
            **enlarged,
        },
        attention=tuple(sorted(attention)),
        bucket=bucket,
    )


def enlarging_circumstances(upscaler: Upscaler, *, overflowed: bool) -> Circumstances:
    """Of a picture that a network has made larger; ``overflowed``: some of it had to be computed in float32."""
    placement = upscaler.placement
    return Circumstances(
        software=software(),
        device=placement.device.type,
        device_name=placement.name,
        compute=_compute(placement),
        dtypes={"upscaler": _word(torch.float32 if overflowed else upscaler.dtype)},
    )


def host_circumstances() -> Circumstances:
    """Of what is done without a network: on this machine's processor, whatever else it has."""
    return Circumstances(software=software(), device="cpu", device_name=cpu_name(), compute=_vectors())


@cache
def software() -> Mapping[str, str]:
    """What computes, name -> version."""
    found = {"torch": str(torch.__version__)}
    if torch.version.cuda is not None:
        found["cuda"] = torch.version.cuda
    cudnn: Any = torch.backends.cudnn
    if torch.cuda.is_available() and cudnn.is_available():
        found["cudnn"] = str(cudnn.version())
    for library in _LIBRARIES:
        try:
            found[library] = version(library)
        except ModuleNotFoundError:
            continue  # the tokenizer is optional: checkpoints may bring their own
    return MappingProxyType(found)


@cache
def _compute(placement: Placement) -> str:
    if placement.device.type != "cuda":
        return _vectors()
    major, minor = torch.cuda.get_device_capability(placement.device)
    return f"{major}.{minor}"


def _vectors() -> str:
    """The widest vectors that torch uses here: AVX2, AVX512 ...; sums over them end in other last bits."""
    return str(torch.backends.cpu.get_cpu_capability())


def _word(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
