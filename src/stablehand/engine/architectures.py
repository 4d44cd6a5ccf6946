"""How networks are built: each family's published configuration, bent to what the shapes in a file say.

Widths, depths and inputs can be read from shapes; heads, norms and activations cannot, and are the family's. So pruned
and inpainting networks of a family load as well, and a wrong shape shows as a tensor that does not fit.
"""

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any, Literal, cast

from stablehand.domain.errors import CheckpointBroken
from stablehand.engine.layouts import Component, Shape

Shapes = Mapping[str, Shape]
Config = dict[str, Any]

#: channels of one attention head in every text encoder, and in the UNets from SD 2 on
HEAD_CHANNELS = 64


def family_config(family: str) -> dict[Component | Literal["scheduler"], Config]:
    """The published configuration, by component. Raises KeyError for a family without one."""
    file = files("stablehand.engine") / "configs" / f"{family}.json"
    if not file.is_file():
        raise KeyError(family)
    return cast(dict[Component | Literal["scheduler"], Config], json.loads(file.read_text(encoding="utf-8")))


def unet_config(template: Config, shapes: Shapes) -> Config:
    """The UNet that these shapes belong to. Raises CheckpointBroken when they are no UNet's."""
    levels = _count(shapes, "down_blocks.")
    if not levels:
        raise CheckpointBroken("The UNet has no blocks.", hint="Fetch the checkpoint again.")
    channels = [_first(shapes, f"down_blocks.{level}.resnets.0.conv1.weight") for level in range(levels)]
    depths = [_count(shapes, f"down_blocks.{level}.attentions.0.transformer_blocks.") for level in range(levels)]
    up_depths = [_count(shapes, f"up_blocks.{level}.attentions.0.transformer_blocks.") for level in range(levels)]
    attending = next((name for name in shapes if name.endswith(".transformer_blocks.0.attn2.to_k.weight")), None)
    if attending is None:
        raise CheckpointBroken("The UNet attends to no text.", hint="Fetch the checkpoint again.")
    projection = shapes.get(attending.partition(".transformer_blocks.")[0] + ".proj_in.weight", ())
    # A level may attend on one side only; its depth is then told by that side.
    deep = [down or up for down, up in zip(depths, reversed(up_depths), strict=True)]
    config = {
        **template,
        "in_channels": _side(shapes, "conv_in.weight", 1),
        "out_channels": _first(shapes, "conv_out.weight"),
        "block_out_channels": channels,
        "layers_per_block": _count(shapes, "down_blocks.0.resnets."),
        "down_block_types": ["CrossAttnDownBlock2D" if depth else "DownBlock2D" for depth in depths],
        "up_block_types": ["CrossAttnUpBlock2D" if depth else "UpBlock2D" for depth in up_depths],
        "transformer_layers_per_block": [
            depth or _count(shapes, "mid_block.attentions.0.transformer_blocks.") or 1 for depth in deep
        ],
        "cross_attention_dim": shapes[attending][-1],
        "use_linear_projection": len(projection) == 2,
    }
    if isinstance(template["attention_head_dim"], list):
        config["attention_head_dim"] = [max(1, width // HEAD_CHANNELS) for width in channels]
    if "add_embedding.linear_1.weight" in shapes:
        config["projection_class_embeddings_input_dim"] = _side(shapes, "add_embedding.linear_1.weight", 1)
    if "time_embedding.cond_proj.weight" in shapes:
        config["time_cond_proj_dim"] = _side(shapes, "time_embedding.cond_proj.weight", 1)
    if any(down and up and down != up for down, up in zip(depths, reversed(up_depths), strict=True)):
        config["reverse_transformer_layers_per_block"] = [depth or 1 for depth in up_depths]
    return config


def vae_config(template: Config, shapes: Shapes) -> Config:
    """The autoencoder that these shapes belong to. Raises CheckpointBroken when they are no autoencoder's."""
    levels = _count(shapes, "encoder.down_blocks.")
    if not levels or not any(name.startswith("decoder.") for name in shapes):
        raise CheckpointBroken("The autoencoder lacks its encoder or decoder.", hint="Fetch the file again.")
    return {
        **template,
        "block_out_channels": [
            _first(shapes, f"encoder.down_blocks.{level}.resnets.0.conv1.weight") for level in range(levels)
        ],
        "layers_per_block": _count(shapes, "encoder.down_blocks.0.resnets."),
        "down_block_types": ["DownEncoderBlock2D"] * levels,
        "up_block_types": ["UpDecoderBlock2D"] * levels,
        "latent_channels": _side(shapes, "decoder.conv_in.weight", 1),
        "mid_block_add_attention": "decoder.mid_block.attentions.0.to_q.weight" in shapes,
        "use_quant_conv": "quant_conv.weight" in shapes,
        "use_post_quant_conv": "post_quant_conv.weight" in shapes,
    }


def text_config(template: Config, shapes: Shapes, *, drop_last_layer: bool) -> Config:
    """The text encoder that these shapes belong to.

    ``drop_last_layer``: SD 2 was trained on what comes before the last layer of OpenCLIP, which original files hold
    nevertheless. Raises CheckpointBroken when the shapes are no text encoder's.
    """
    layers = _count(shapes, "encoder.layers.")
    width = _side(shapes, "embeddings.token_embedding.weight", 1)
    vocabulary = _first(shapes, "embeddings.token_embedding.weight")
    projected = shapes.get("text_projection.weight")
    return {
        **template,
        "vocab_size": vocabulary,
        "hidden_size": width,
        "intermediate_size": _first(shapes, "encoder.layers.0.mlp.fc1.weight"),
        "num_hidden_layers": layers - 1 if drop_last_layer else layers,
        "num_attention_heads": max(1, width // HEAD_CHANNELS),
        "max_position_embeddings": _first(shapes, "embeddings.position_embedding.weight"),
        "projection_dim": projected[0] if projected else width,
    }


def _count(shapes: Shapes, prefix: str) -> int:
    """How many numbered things there are below a name."""
    numbers = {name.removeprefix(prefix).partition(".")[0] for name in shapes if name.startswith(prefix)}
    return len({number for number in numbers if number.isdecimal()})


def _first(shapes: Shapes, name: str) -> int:
    return _side(shapes, name, 0)


def _side(shapes: Shapes, name: str, side: int) -> int:
    shape = shapes.get(name)
    if shape is None or len(shape) <= side:
        raise CheckpointBroken(
            f"The tensor {name} {'is missing' if shape is None else f'has the shape {list(shape)}'}.",
            hint="Fetch the file again.",
        )
    return shape[side]
