"""Upscalers in miniature: random networks in files of every layout."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor, nn

from stablehand.engine.rrdb import RRDBNet
from stablehand.engine.srvgg import CompactNet
from stablehand.engine.upscalers import Upscaler, load_upscaler
from tests.engine.drawing import PLACEMENT


def rrdb(doublings: int = 1, fold: int = 1, seed: int = 0) -> RRDBNet:
    return _speaking(RRDBNet(width=6, growth=4, blocks=1, doublings=doublings, fold=fold), seed)


def compact(scale: int = 2, seed: int = 0) -> CompactNet:
    return _speaking(CompactNet(width=8, convolutions=2, scale=scale), seed)


Network = TypeVar("Network", bound=nn.Module)


def _speaking(network: Network, seed: int) -> Network:
    """Random weights that let neighbours show; colours stay about where they were."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            spread = 1.0 / max(1, parameter[0].numel()) ** 0.5
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * spread)
    return network.eval()


def write(folder: Path, network: nn.Module, names: str = "today", name: str = "net") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    values = {_named(key, names): value.clone() for key, value in network.state_dict().items()}
    if names == "2018":
        values = _numbered(values)
    path = folder / f"{name}.safetensors"
    save_file(values, path)
    return path


def load(path: Path) -> Upscaler:
    return load_upscaler(path, PLACEMENT)


def noise(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def _named(key: str, names: str) -> str:
    if names == "prefixed":
        return f"params_ema.{key}"
    if names == "2019":
        key = re.sub(r"^body\.(\d+)\.rdb(\d)\.", r"RRDB_trunk.\1.RDB\2.", key)
        return key.replace("conv_body", "trunk_conv").replace("conv_up", "upconv").replace("conv_hr", "HRconv")
    return key


def _numbered(values: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """As the first files had it: the places of layers in a sequence."""
    ups = sorted({key.split(".")[0] for key in values if key.startswith("conv_up")})
    places = {"conv_first": 0, **{up: 3 * number for number, up in enumerate(ups, start=1)}}
    places |= {"conv_hr": 3 * len(ups) + 2, "conv_last": 3 * len(ups) + 4}
    found = {}
    for key, value in values.items():
        part, end = key.split(".")[0], key.rpartition(".")[2]
        if part in places:
            found[f"model.{places[part]}.{end}"] = value
        elif part == "conv_body":
            blocks = len({key.split(".")[1] for key in values if key.startswith("body.")})
            found[f"model.1.sub.{blocks}.{end}"] = value
        else:
            found[re.sub(r"^body\.(\d+)\.rdb(\d)\.conv(\d)\.", r"model.1.sub.\1.RDB\2.conv\3.0.", key)] = value
    return found
