"""Key layouts: from the names that tensors have in files to the names that our networks have for them.

Written from the published networks: CompVis and Stability's ``openaimodel.UNetModel`` and ``model.Encoder/Decoder``,
OpenCLIP's text transformer, and the modules of diffusers and transformers, whose names are the ones on our side.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from stablehand.domain.families import DIFFUSERS_UNET, ORIGINAL_UNET

Component = Literal["unet", "vae", "text_encoder", "text_encoder_2"]
Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the value of a parameter comes from."""

    key: str
    third: int | None = None  #: of a tensor that holds queries, keys and values one above the other
    is_transposed: bool = False


#: name of a parameter -> where it comes from
Origins = dict[str, Origin]
#: name within a component in a file -> names of ours for it; empty for what no network needs
Renaming = Callable[[str], Sequence[tuple[str, Origin]]]


def find_components(keys: Iterable[str]) -> dict[Component, Origins]:
    """Which parts a single file holds, in which layout each; parts that are not there are left out."""
    all_keys = list(keys)
    found: dict[Component, Origins] = {}
    if any(key.startswith(ORIGINAL_UNET) for key in all_keys):
        inside = [key.removeprefix(ORIGINAL_UNET) for key in all_keys if key.startswith(ORIGINAL_UNET)]
        _put(found, "unet", all_keys, ORIGINAL_UNET, original_unet(inside))
        _put(found, "vae", all_keys, "first_stage_model.", original_vae(all_keys, "first_stage_model."))
        for component, prefix, renaming in _ORIGINAL_TEXT:
            if component not in found:
                _put(found, component, all_keys, prefix, renaming)
        if "text_encoder" not in found:
            # SDXL's refiner has one text encoder, which SDXL itself has as its second.
            _put(found, "text_encoder_2", all_keys, "conditioner.embedders.0.model.", open_clip)
    else:
        _put(found, "unet", all_keys, DIFFUSERS_UNET, same)
        _put(found, "vae", all_keys, "vae.", diffusers_vae)
        _put(found, "text_encoder", all_keys, "text_encoder.", transformers_clip)
        _put(found, "text_encoder_2", all_keys, "text_encoder_2.", transformers_clip)
    return found


def rename(keys: Iterable[str], prefix: str, renaming: Renaming) -> Origins:
    """Our names for all keys that begin with ``prefix``."""
    origins: Origins = {}
    for key in keys:
        if key.startswith(prefix):
            for name, origin in renaming(key.removeprefix(prefix)):
                origins[name] = Origin(key, origin.third, origin.is_transposed)
    return origins


def find_vae(keys: Iterable[str]) -> Origins:
    """Our names for the keys of a file that holds an autoencoder alone, in either layout, with or without prefix."""
    all_keys = list(keys)
    prefix = next(
        (word for word in ("first_stage_model.", "vae.") if any(key.startswith(word) for key in all_keys)), ""
    )
    is_original = any(key.startswith(f"{prefix}decoder.up.") for key in all_keys)
    return rename(all_keys, prefix, original_vae(all_keys, prefix) if is_original else diffusers_vae)


def adapt_shape(shape: Shape, wanted: Shape) -> bool:
    """Whether a tensor fits by adding or leaving out sides of 1 at its end: 1×1 convolutions and matrices are alike."""
    return _without_ones(shape) == _without_ones(wanted)


# Each of the following is one layout of one network.


def same(name: str) -> Sequence[tuple[str, Origin]]:
    return [(name, Origin(name))]


def original_unet(names: Iterable[str]) -> Renaming:
    """``openaimodel.UNetModel``: blocks counted through all levels, each level ending in what changes the size."""
    sizes = [int(found[1]) for name in names if (found := re.match(r"input_blocks\.(\d+)\.0\.op\.weight", name))]
    blocks = [int(found[1]) for name in names if (found := re.match(r"input_blocks\.(\d+)\.", name))]
    # Input block 0 is the first convolution; each level has its residual blocks and, but for the last, a smaller size.
    stride = min(sizes) if sizes else max(blocks, default=0) + 1

    def renaming(name: str) -> Sequence[tuple[str, Origin]]:
        plain = next((to + name[len(of) :] for of, to in _UNET_SINGLE.items() if name.startswith(of)), None)
        if plain is None and (found := re.fullmatch(r"input_blocks\.(\d+)\.(\d)\.(.+)", name)):
            level, place = divmod(int(found[1]) - 1, stride)
            plain = _unet_block(f"down_blocks.{level}", place, int(found[2]), found[3])
        elif plain is None and (found := re.fullmatch(r"output_blocks\.(\d+)\.(\d)\.(.+)", name)):
            level, place = divmod(int(found[1]), stride)
            plain = _unet_block(f"up_blocks.{level}", place, int(found[2]), found[3])
        elif plain is None and (found := re.fullmatch(r"middle_block\.(\d)\.(.+)", name)):
            index = int(found[1])
            plain = (
                f"mid_block.attentions.{index // 2}.{found[2]}"
                if index % 2
                else f"mid_block.resnets.{index // 2}.{_residual(found[2])}"
            )
        return [(plain, Origin(name))] if plain is not None else []

    return renaming


def original_vae(keys: Iterable[str], prefix: str) -> Renaming:
    """``model.Encoder`` and ``model.Decoder``; the decoder counts its levels from the full size downwards."""
    levels = [int(found[1]) for key in keys if (found := re.match(re.escape(prefix) + r"decoder\.up\.(\d+)\.", key))]
    last = max(levels, default=0)

    def renaming(name: str) -> Sequence[tuple[str, Origin]]:
        if found := re.fullmatch(r"encoder\.down\.(\d+)\.(.+)", name):
            return [(f"encoder.down_blocks.{found[1]}.{_vae_block(found[2], 'downsample')}", Origin(name))]
        if found := re.fullmatch(r"decoder\.up\.(\d+)\.(.+)", name):
            level = last - int(found[1])
            return [(f"decoder.up_blocks.{level}.{_vae_block(found[2], 'upsample')}", Origin(name))]
        if found := re.fullmatch(r"(encoder|decoder)\.mid\.block_(\d)\.(.+)", name):
            return [(f"{found[1]}.mid_block.resnets.{int(found[2]) - 1}.{_shortcut(found[3])}", Origin(name))]
        if found := re.fullmatch(r"(encoder|decoder)\.mid\.attn_1\.(\w+)\.(weight|bias)", name):
            part = _VAE_ATTENTION.get(found[2], found[2])
            return [(f"{found[1]}.mid_block.attentions.0.{part}.{found[3]}", Origin(name))]
        if name.startswith(("encoder.", "decoder.", "quant_conv.", "post_quant_conv.")):
            return [(name.replace(".norm_out.", ".conv_norm_out."), Origin(name))]
        return []  # the discriminator and the like that training leaves behind

    return renaming


def diffusers_vae(name: str) -> Sequence[tuple[str, Origin]]:
    """As ours, but for the attention's names before diffusers 0.15."""
    for old, new in _OLD_VAE_ATTENTION.items():
        name_now = name.replace(f".attentions.0.{old}.", f".attentions.0.{new}.")
        if name_now != name:
            return [(name_now, Origin(name))]
    return same(name)


def transformers_clip(name: str) -> Sequence[tuple[str, Origin]]:
    """transformers' CLIP text models; some versions, and some old single files, leave ``text_model.`` out."""
    return [(name.removeprefix("text_model."), Origin(name))]


def open_clip(name: str) -> Sequence[tuple[str, Origin]]:
    """OpenCLIP's text transformer: queries, keys and values in one tensor, the projection the other way round."""
    if found := re.fullmatch(r"transformer\.resblocks\.(\d+)\.attn\.in_proj_(weight|bias)", name):
        inside = f"encoder.layers.{found[1]}.self_attn"
        return [
            (f"{inside}.{part}_proj.{found[2]}", Origin(name, third=index))
            for index, part in enumerate(("q", "k", "v"))
        ]
    if found := re.fullmatch(r"transformer\.resblocks\.(\d+)\.(.+)\.(weight|bias)", name):
        part = _OPEN_CLIP_BLOCK.get(found[2])
        return [(f"encoder.layers.{found[1]}.{part}.{found[3]}", Origin(name))] if part else []
    if name == "text_projection":
        return [("text_projection.weight", Origin(name, is_transposed=True))]
    plain = _OPEN_CLIP_SINGLE.get(name)
    return [(plain, Origin(name))] if plain else []


_ORIGINAL_TEXT: tuple[tuple[Component, str, Renaming], ...] = (
    ("text_encoder", "cond_stage_model.transformer.", transformers_clip),
    ("text_encoder", "cond_stage_model.model.", open_clip),
    ("text_encoder", "conditioner.embedders.0.transformer.", transformers_clip),
    ("text_encoder_2", "conditioner.embedders.1.model.", open_clip),
)

_UNET_SINGLE = {
    "input_blocks.0.0.": "conv_in.",
    "time_embed.0.": "time_embedding.linear_1.",
    "time_embed.2.": "time_embedding.linear_2.",
    "time_embed.cond_proj.": "time_embedding.cond_proj.",
    "label_emb.0.0.": "add_embedding.linear_1.",
    "label_emb.0.2.": "add_embedding.linear_2.",
    "out.0.": "conv_norm_out.",
    "out.2.": "conv_out.",
}

_RESIDUAL = {
    "in_layers.0": "norm1",
    "in_layers.2": "conv1",
    "emb_layers.1": "time_emb_proj",
    "out_layers.0": "norm2",
    "out_layers.3": "conv2",
    "skip_connection": "conv_shortcut",
}

_VAE_ATTENTION = {"norm": "group_norm", "q": "to_q", "k": "to_k", "v": "to_v", "proj_out": "to_out.0"}
_OLD_VAE_ATTENTION = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}

_OPEN_CLIP_BLOCK = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "attn.out_proj": "self_attn.out_proj",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}

_OPEN_CLIP_SINGLE = {
    "token_embedding.weight": "embeddings.token_embedding.weight",
    "positional_embedding": "embeddings.position_embedding.weight",
    "ln_final.weight": "final_layer_norm.weight",
    "ln_final.bias": "final_layer_norm.bias",
}


def _put(
    found: dict[Component, Origins], component: Component, keys: Sequence[str], prefix: str, renaming: Renaming
) -> None:
    origins = rename(keys, prefix, renaming)
    if origins:
        found[component] = origins


def _unet_block(level: str, place: int, index: int, inside: str) -> str:
    """One member of an input or output block: a residual block, its attention, or a change of size."""
    if inside.startswith("op."):
        return f"{level}.downsamplers.0.conv.{inside.removeprefix('op.')}"
    if inside.startswith("conv."):
        return f"{level}.upsamplers.0.{inside}"
    return f"{level}.attentions.{place}.{inside}" if index else f"{level}.resnets.{place}.{_residual(inside)}"


@cache
def _residual(inside: str) -> str:
    part, _, kind = inside.rpartition(".")
    return f"{_RESIDUAL.get(part, part)}.{kind}"


def _vae_block(inside: str, resize: str) -> str:
    """The inside of one level: its residual blocks and what changes the size after them."""
    if inside.startswith(f"{resize}."):
        return f"{resize}rs.0.{inside.removeprefix(f'{resize}.')}"
    return "resnets." + _shortcut(inside.removeprefix("block."))


def _shortcut(inside: str) -> str:
    return inside.replace("nin_shortcut.", "conv_shortcut.")


def _without_ones(shape: Shape) -> Shape:
    """(n, m, 1, 1) as (n, m); never fewer than two sides, so that a bias stays a bias."""
    sides = tuple(shape)
    while len(sides) > 2 and sides[-1] == 1:
        sides = sides[:-1]
    return sides


def shapes_of(origins: Mapping[str, Origin], shapes: Mapping[str, Shape]) -> dict[str, Shape]:
    """The shapes that parameters will have, by our names."""
    found = {}
    for name, origin in origins.items():
        shape = tuple(shapes[origin.key])
        if origin.third is not None:
            shape = (shape[0] // 3, *shape[1:])
        found[name] = shape[::-1] if origin.is_transposed else shape
    return found
