"""The original layouts, written down the way their networks are put together: block after block, in order.

The engine's maps go from files to networks by arithmetic on names; these go the other way by walking through the
constructors of ``openaimodel.UNetModel``, ``model.Encoder``, ``model.Decoder`` and OpenCLIP's text transformer.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

RESIDUAL = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
VAE_RESIDUAL = {name: name for name in ("norm1", "conv1", "norm2", "conv2")} | {"conv_shortcut": "nin_shortcut"}
VAE_ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}
OPEN_CLIP = {
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "self_attn.out_proj": "attn.out_proj",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
}


def original_unet(network: Any) -> dict[str, Tensor]:
    """The UNet's state as a single file of the original layout has it, without prefix."""
    return _renamed(network.state_dict(), list(_unet_places(network.config)))


def original_vae(network: Any) -> dict[str, Tensor]:
    state = _renamed(network.state_dict(), list(_vae_places(network.config)))
    return {
        name: tensor[:, :, None, None] if ".mid.attn_1." in name and tensor.dim() == 2 else tensor
        for name, tensor in state.items()
    }


def clip(network: Any) -> dict[str, Tensor]:
    """transformers' names, as files have them."""
    return {f"text_model.{_bare(name)}": tensor for name, tensor in network.state_dict().items()}


def transformers_names(network: Any) -> dict[str, Tensor]:
    """As ``save_pretrained`` has always written them: everything but the projection below ``text_model``."""
    return {
        name if name.startswith("text_projection") else f"text_model.{_bare(name)}": tensor
        for name, tensor in network.state_dict().items()
    }


def open_clip(network: Any, *, extra_layer: bool) -> dict[str, Tensor]:
    """OpenCLIP's names and fused projections. ``extra_layer``: one more than ours has, as SD 2's files."""
    state = {_bare(name): tensor for name, tensor in network.state_dict().items()}
    layers = network.config.num_hidden_layers
    written = {
        "token_embedding.weight": state["embeddings.token_embedding.weight"],
        "positional_embedding": state["embeddings.position_embedding.weight"],
        "ln_final.weight": state["final_layer_norm.weight"],
        "ln_final.bias": state["final_layer_norm.bias"],
        "logit_scale": torch.zeros((), device=state["final_layer_norm.bias"].device),
    }
    if "text_projection.weight" in state:
        written["text_projection"] = state["text_projection.weight"].T.contiguous()
    for index in range(layers + extra_layer):
        ours, theirs = f"encoder.layers.{min(index, layers - 1)}", f"transformer.resblocks.{index}"
        for kind in ("weight", "bias"):
            fused = torch.cat([state[f"{ours}.self_attn.{part}_proj.{kind}"] for part in "qkv"])
            written[f"{theirs}.attn.in_proj_{kind}"] = fused
            for name, other in OPEN_CLIP.items():
                tensor = state[f"{ours}.{name}.{kind}"]
                written[f"{theirs}.{other}.{kind}"] = tensor + 1 if index == layers else tensor
    return written


def single_file(networks: Mapping[str, Any], family: str) -> dict[str, Tensor]:
    """A whole checkpoint in the original layout, with the odds and ends that real files carry."""
    state = {f"model.diffusion_model.{name}": tensor for name, tensor in original_unet(networks["unet"]).items()}
    state |= {f"first_stage_model.{name}": tensor for name, tensor in original_vae(networks["vae"]).items()}
    if family == "sd1":
        words, prefix = clip(networks["text_encoder"]), "cond_stage_model.transformer."
        words["text_model.embeddings.position_ids"] = torch.arange(77)[None]
    elif family == "sd2":
        words, prefix = open_clip(networks["text_encoder"], extra_layer=True), "cond_stage_model.model."
    elif family == "sdxl":
        words, prefix = clip(networks["text_encoder"]), "conditioner.embedders.0.transformer."
        words["text_model.embeddings.position_ids"] = torch.arange(77)[None]
        second = open_clip(networks["text_encoder_2"], extra_layer=False)
        state |= {f"conditioner.embedders.1.model.{name}": tensor for name, tensor in second.items()}
    else:
        words, prefix = open_clip(networks["text_encoder_2"], extra_layer=False), "conditioner.embedders.0.model."
    state |= {f"{prefix}{name}": tensor for name, tensor in words.items()}
    if family in ("sd1", "sd2"):
        state |= {"alphas_cumprod": torch.zeros(1000), "model_ema.decay": torch.zeros(())}
    return state


def whole_pipeline(networks: Mapping[str, Any]) -> dict[str, Tensor]:
    """A diffusers pipeline in one file: its components' names as prefixes."""
    state: dict[str, Tensor] = {}
    for component, network in networks.items():
        names = transformers_names(network) if component.startswith("text") else network.state_dict()
        state |= {f"{component}.{name}": tensor for name, tensor in names.items()}
    return state


def _unet_places(config: Any) -> Iterator[tuple[str, str, Mapping[str, str]]]:
    """(our prefix, theirs, names inside) in the order in which UNetModel appends its blocks."""
    nothing: dict[str, str] = {}
    yield "conv_in", "input_blocks.0.0", nothing
    yield "time_embedding.linear_1", "time_embed.0", nothing
    yield "time_embedding.linear_2", "time_embed.2", nothing
    yield "time_embedding.cond_proj", "time_embed.cond_proj", nothing
    yield "add_embedding.linear_1", "label_emb.0.0", nothing
    yield "add_embedding.linear_2", "label_emb.0.2", nothing
    yield "conv_norm_out", "out.0", nothing
    yield "conv_out", "out.2", nothing
    block = 1
    last = len(config.block_out_channels) - 1
    for level, kind in enumerate(config.down_block_types):
        for layer in range(config.layers_per_block):
            yield f"down_blocks.{level}.resnets.{layer}", f"input_blocks.{block}.0", RESIDUAL
            if "CrossAttn" in kind:
                yield f"down_blocks.{level}.attentions.{layer}", f"input_blocks.{block}.1", nothing
            block += 1
        if level < last:
            yield f"down_blocks.{level}.downsamplers.0.conv", f"input_blocks.{block}.0.op", nothing
            block += 1
    yield "mid_block.resnets.0", "middle_block.0", RESIDUAL
    yield "mid_block.attentions.0", "middle_block.1", nothing
    yield "mid_block.resnets.1", "middle_block.2", RESIDUAL
    block = 0
    for level, kind in enumerate(config.up_block_types):
        for layer in range(config.layers_per_block + 1):
            members = 1
            yield f"up_blocks.{level}.resnets.{layer}", f"output_blocks.{block}.0", RESIDUAL
            if "CrossAttn" in kind:
                yield f"up_blocks.{level}.attentions.{layer}", f"output_blocks.{block}.1", nothing
                members += 1
            if layer == config.layers_per_block and level < last:
                yield f"up_blocks.{level}.upsamplers.0.conv", f"output_blocks.{block}.{members}.conv", nothing
            block += 1


def _vae_places(config: Any) -> Iterator[tuple[str, str, Mapping[str, str]]]:
    nothing: dict[str, str] = {}
    levels = len(config.block_out_channels)
    for side in ("encoder", "decoder"):
        yield f"{side}.conv_in", f"{side}.conv_in", nothing
        yield f"{side}.conv_norm_out", f"{side}.norm_out", nothing
        yield f"{side}.conv_out", f"{side}.conv_out", nothing
        yield f"{side}.mid_block.resnets.0", f"{side}.mid.block_1", VAE_RESIDUAL
        yield f"{side}.mid_block.attentions.0", f"{side}.mid.attn_1", VAE_ATTENTION
        yield f"{side}.mid_block.resnets.1", f"{side}.mid.block_2", VAE_RESIDUAL
    for level in range(levels):
        for layer in range(config.layers_per_block):
            yield f"encoder.down_blocks.{level}.resnets.{layer}", f"encoder.down.{level}.block.{layer}", VAE_RESIDUAL
        if level < levels - 1:
            yield f"encoder.down_blocks.{level}.downsamplers.0.conv", f"encoder.down.{level}.downsample.conv", nothing
    for step, level in enumerate(reversed(range(levels))):
        for layer in range(config.layers_per_block + 1):
            yield f"decoder.up_blocks.{step}.resnets.{layer}", f"decoder.up.{level}.block.{layer}", VAE_RESIDUAL
        if level:
            yield f"decoder.up_blocks.{step}.upsamplers.0.conv", f"decoder.up.{level}.upsample.conv", nothing
    yield "quant_conv", "quant_conv", nothing
    yield "post_quant_conv", "post_quant_conv", nothing


def _renamed(state: Mapping[str, Tensor], places: list[tuple[str, str, Mapping[str, str]]]) -> dict[str, Tensor]:
    written: dict[str, Tensor] = {}
    for name, tensor in state.items():
        ours, theirs, inside = next(place for place in places if name.startswith(f"{place[0]}."))
        rest = name.removeprefix(f"{ours}.")
        part, dot, kind = rest.rpartition(".")
        other = f"{theirs}.{inside.get(part, part)}{dot}{kind}"
        assert other not in written
        written[other] = tensor
    return written


def _bare(name: str) -> str:
    return name.removeprefix("text_model.")
