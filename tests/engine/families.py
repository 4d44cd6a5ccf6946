"""Every family in miniature, with random weights, put together as the published ones are, in all layouts."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import save_file
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from tests.engine.published import transformers_names

FAMILIES = ("sd1", "sd2", "sdxl", "sdxl-refiner")
WIDTH = 64  #: of every text encoder

_CROSS, _PLAIN = "CrossAttnDownBlock2D", "DownBlock2D"
_UP = {_CROSS: "CrossAttnUpBlock2D", _PLAIN: "UpBlock2D"}


def make_networks(family: str, *, channels: int = 4, seed: int = 0) -> dict[str, Any]:
    """component -> network, in the order of a pipeline. ``channels``: what the UNet is given (9: inpainting)."""
    torch.manual_seed(seed)
    networks: dict[str, Any] = {"unet": _unet(family, channels), "vae": _vae(family)}
    if family != "sdxl-refiner":
        is_open = family == "sd2"
        networks["text_encoder"] = CLIPTextModel(_text(WIDTH, "gelu" if is_open else "quick_gelu"))
    if family.startswith("sdxl"):
        networks["text_encoder_2"] = CLIPTextModelWithProjection(_text(WIDTH, "gelu"))
    for name, network in networks.items():
        network.eval().requires_grad_(False)
        if name.startswith("text"):
            for parameter in network.parameters():
                torch.nn.init.normal_(parameter, std=0.3)
    # Untrained networks whisper; these speak loudly enough for a wrong weight to show in the picture.
    networks["unet"].conv_out.weight *= 4
    networks["vae"].decoder.conv_out.weight *= 4
    for name, parameter in networks["unet"].named_parameters():
        if "attn2.to_v" in name:
            parameter.mul_(8)
    return networks


def write_file(path: Path, state: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.contiguous().clone() for name, tensor in state.items()}, path, dict(metadata or {}))
    return path


def write_folder(
    folder: Path, networks: Mapping[str, Any], family: str, *, prediction: str = "epsilon", shards: int = 0
) -> Path:
    """As diffusers saves a pipeline; with ``shards`` its UNet in that many files."""
    classes = {"sd1": "StableDiffusionPipeline", "sd2": "StableDiffusionPipeline", "sdxl": "StableDiffusionXLPipeline"}
    index: dict[str, Any] = {"_class_name": classes.get(family, "StableDiffusionXLImg2ImgPipeline")}
    for component in ("unet", "vae", "text_encoder", "text_encoder_2"):
        network = networks.get(component)
        index[component] = [None, None] if network is None else ["library", type(network).__name__]
        if network is None:
            continue
        is_text = component.startswith("text")
        (folder / component).mkdir(parents=True)
        config = network.config.to_dict() if is_text else dict(network.config)
        (folder / component / "config.json").write_text(json.dumps(config, default=str))
        state = transformers_names(network) if is_text else network.state_dict()
        stem = "model" if is_text else "diffusion_pytorch_model"
        if component == "unet" and shards:
            _write_shards(folder / component, stem, state, shards)
        else:
            write_file(folder / component / f"{stem}.safetensors", state, {"format": "pt"})
    (folder / "model_index.json").write_text(json.dumps(index))
    (folder / "scheduler").mkdir()
    scheduler = {"_class_name": "EulerDiscreteScheduler", "prediction_type": prediction, "beta_start": 0.00085}
    scheduler |= {"beta_end": 0.012, "beta_schedule": "scaled_linear", "num_train_timesteps": 1000}
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps(scheduler))
    return folder


def _write_shards(folder: Path, stem: str, state: Mapping[str, Tensor], shards: int) -> None:
    names = sorted(state)
    weight_map: dict[str, str] = {}
    for index in range(shards):
        file = f"{stem}-{index + 1:05}-of-{shards:05}.safetensors"
        part = {name: state[name] for name in names[index::shards]}
        write_file(folder / file, part, {"format": "pt"})
        weight_map |= dict.fromkeys(part, file)
    (folder / f"{stem}.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))


def _unet(family: str, channels: int) -> Any:
    downs: tuple[str, ...]
    widths: tuple[int, ...]
    depths: tuple[int, ...]
    common: dict[str, Any] = {"in_channels": channels, "sample_size": 8, "norm_num_groups": 32}
    if family == "sd1":
        downs, widths, depths = (_CROSS, _PLAIN), (32, 64), (1, 1)
        common |= {"cross_attention_dim": WIDTH, "attention_head_dim": 8, "layers_per_block": 1}
    elif family == "sd2":
        downs, widths, depths = (_CROSS, _PLAIN), (64, 128), (1, 1)
        common |= {"cross_attention_dim": WIDTH, "layers_per_block": 1}
    elif family == "sdxl":
        downs, widths, depths = (_PLAIN, _CROSS), (64, 128), (1, 2)
        common |= {"cross_attention_dim": 2 * WIDTH, "layers_per_block": 2}
    else:
        downs, widths, depths = (_PLAIN, _CROSS, _PLAIN), (64, 64, 128), (2, 2, 2)
        common |= {"cross_attention_dim": WIDTH, "layers_per_block": 1}
    if family != "sd1":
        common |= {"use_linear_projection": True, "attention_head_dim": tuple(width // 64 for width in widths)}
    if family.startswith("sdxl"):
        numbers = 6 if family == "sdxl" else 5
        common |= {"addition_embed_type": "text_time", "addition_time_embed_dim": 256}
        common |= {"projection_class_embeddings_input_dim": WIDTH + 256 * numbers}
    return UNet2DConditionModel(
        block_out_channels=widths,
        down_block_types=downs,
        up_block_types=tuple(_UP[kind] for kind in reversed(downs)),
        transformer_layers_per_block=depths,
        **common,
    )


def _vae(family: str) -> Any:
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(32, 32, 64, 64),
        layers_per_block=1,
        norm_num_groups=32,
        sample_size=64,
        scaling_factor=0.13025 if family.startswith("sdxl") else 0.18215,
    )


def _text(width: int, activation: str) -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=49408,
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=3,
        num_attention_heads=1,
        projection_dim=width,
        hidden_act=activation,
        bos_token_id=49406,
        eos_token_id=49407,
    )
