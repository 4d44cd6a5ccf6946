"""The published networks at full size, without their weights: every parameter has exactly one place in the files."""

from functools import cache
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from stablehand.domain.families import from_single_file
from stablehand.engine.architectures import family_config, text_config, unet_config, vae_config
from stablehand.engine.layouts import Origin, adapt_shape, find_components, shapes_of
from stablehand.engine.loading import build_text_encoder, build_unet, build_vae
from tests.engine.published import open_clip, original_unet, single_file, whole_pipeline

CROSS, PLAIN = "CrossAttnDownBlock2D", "DownBlock2D"
#: what the authors publish of each UNet: the arguments of diffusers' class, tensors and parameters
UNETS: dict[str, tuple[dict[str, Any], int, int]] = {
    "sd1": ({"cross_attention_dim": 768, "attention_head_dim": 8}, 686, 859_520_964),
    "sd2": (
        {"cross_attention_dim": 1024, "attention_head_dim": (5, 10, 20, 20), "use_linear_projection": True},
        686,
        865_910_724,
    ),
    "sdxl": (
        {
            "block_out_channels": (320, 640, 1280),
            "down_block_types": (PLAIN, CROSS, CROSS),
            "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            "transformer_layers_per_block": (1, 2, 10),
            "cross_attention_dim": 2048,
            "attention_head_dim": (5, 10, 20),
            "use_linear_projection": True,
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": 256,
            "projection_class_embeddings_input_dim": 2816,
        },
        1680,
        2_567_463_684,
    ),
    "sdxl-refiner": (
        {
            "block_out_channels": (384, 768, 1536, 1536),
            "down_block_types": (PLAIN, CROSS, CROSS, PLAIN),
            "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            "transformer_layers_per_block": 4,
            "cross_attention_dim": 1280,
            "attention_head_dim": (6, 12, 24, 24),
            "use_linear_projection": True,
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": 256,
            "projection_class_embeddings_input_dim": 2560,
        },
        1220,
        2_259_526_660,
    ),
}
#: width, layers, tensors and parameters of the text encoders (that of SD 2 without its last layer)
TEXTS = {
    "clip_l": (768, 12, 196, 123_060_480),
    "clip_h": (1024, 23, 372, 340_387_840),
    "clip_g": (1280, 32, 517, 694_659_840),
}
#: text encoders of each family, by component
ENCODERS = {
    "sd1": {"text_encoder": "clip_l"},
    "sd2": {"text_encoder": "clip_h"},
    "sdxl": {"text_encoder": "clip_l", "text_encoder_2": "clip_g"},
    "sdxl-refiner": {"text_encoder_2": "clip_g"},
}
#: tensors in the published single files: sd_xl_base_1.0 has 2515
FILE_TENSORS = {"sdxl": 2515}


@cache
def published(family: str, channels: int) -> dict[str, Any]:
    """component -> the full-size network on the meta device, counted against what is known of it."""
    arguments, tensors, parameters = UNETS[family]
    with torch.device("meta"):
        unet: Any = UNet2DConditionModel(in_channels=channels, **arguments)
        vae: Any = AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            block_out_channels=(128, 256, 512, 512),
            layers_per_block=2,
        )
        networks = {"unet": unet, "vae": vae}
        for component, name in ENCODERS[family].items():
            networks[component] = encoder(name)
    first_convolution = (channels - 4) * arguments.get("block_out_channels", (320,))[0] * 9
    assert count(unet) == (tensors, parameters + first_convolution)
    assert count(vae) == (248, 83_653_863)
    for component, name in ENCODERS[family].items():
        assert count(networks[component]) == TEXTS[name][2:]
    return networks


def encoder(name: str) -> Any:
    width, layers, _, _ = TEXTS[name]
    config = CLIPTextConfig(
        vocab_size=49408,
        hidden_size=width,
        intermediate_size=4 * width,
        num_hidden_layers=layers,
        num_attention_heads=width // 64,
        projection_dim=width,
    )
    return CLIPTextModelWithProjection(config) if name == "clip_g" else CLIPTextModel(config)


def count(network: Any) -> tuple[int, int]:
    state = network.state_dict()
    return len(state), sum(tensor.numel() for tensor in state.values())


@pytest.mark.parametrize(("layout", "channels"), [("original", 4), ("diffusers", 4), ("original", 9)])
@pytest.mark.parametrize("family", UNETS)
def test_every_parameter_has_exactly_one_place(family: str, layout: str, channels: int) -> None:
    networks = published(family, channels)
    state = single_file(networks, family) if layout == "original" else whole_pipeline(networks)
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    if layout == "original" and channels == 4 and family in FILE_TENSORS:
        assert len(shapes) == FILE_TENSORS[family]

    network = from_single_file(shapes, {})
    assert network is not None
    assert (network.family, network.input_channels, network.inpainting) == (family, channels, channels == 9)
    found = find_components(shapes)
    assert set(found) == set(networks)
    templates = family_config(family)
    used: list[tuple[str, int | None]] = []
    for component, theirs in networks.items():
        origins = found[component]  # type: ignore[index]
        config = component_config(family, component, templates, shapes_of(origins, shapes), layout)
        if channels == 4:
            assert_same_architecture(config, templates[component])  # type: ignore[index]
        ours = build(component, config)
        for name, tensor in theirs.state_dict().items():
            origin = origins.get(name) or origins[name.removeprefix("text_model.")]
            used.append((origin.key, origin.third))
            assert adapt_shape(source_shape(origin, shapes), tuple(tensor.shape)), name
        assert {name: tensor.shape for name, tensor in ours.state_dict().items()} == {
            name: tensor.shape for name, tensor in theirs.state_dict().items()
        }
    assert len(used) == len(set(used)), "no value is used twice"
    left_over = set(shapes) - {key for key, _ in used}
    assert {key for key in left_over if "resblocks.23." not in key} <= {
        "alphas_cumprod",
        "model_ema.decay",
        "cond_stage_model.model.logit_scale",
        "cond_stage_model.model.text_projection",
        "cond_stage_model.transformer.text_model.embeddings.position_ids",
        "conditioner.embedders.0.model.logit_scale",
        "conditioner.embedders.0.transformer.text_model.embeddings.position_ids",
        "conditioner.embedders.1.model.logit_scale",
    }


@pytest.mark.parametrize("family", UNETS)
def test_the_map_of_the_unet_is_that_of_diffusers_own_converter(family: str) -> None:
    """The converter is told the names as values, so what it returns is its map."""
    unet = published(family, 4)["unet"]
    names = [f"model.diffusion_model.{name}" for name in original_unet(unet)]
    theirs = convert_ldm_unet_checkpoint({name: name for name in names}, dict(unet.config))
    assert {name: origin.key for name, origin in find_components(names)["unet"].items()} == theirs


def test_the_extra_layer_of_open_clip_is_left_out() -> None:
    with torch.device("meta"):
        state = open_clip(encoder("clip_h"), extra_layer=True)
    shapes = {f"cond_stage_model.model.{name}": tuple(tensor.shape) for name, tensor in state.items()}
    unet = {"model.diffusion_model.conv": (1,)}
    origins = find_components({**unet, **shapes})["text_encoder"]
    config = text_config(family_config("sd2")["text_encoder"], shapes_of(origins, shapes), drop_last_layer=True)
    assert config["num_hidden_layers"] == 23


def component_config(
    family: str, component: str, templates: Any, shapes: dict[str, tuple[int, ...]], layout: str
) -> dict[str, Any]:
    if component == "unet":
        return unet_config(templates["unet"], shapes)
    if component == "vae":
        return vae_config(templates["vae"], shapes)
    return text_config(templates[component], shapes, drop_last_layer=family == "sd2" and layout == "original")


def assert_same_architecture(read: dict[str, Any], published_config: dict[str, Any]) -> None:
    """What was read off the shapes is what the package has on record for the family."""
    different = {key for key, value in published_config.items() if read[key] != value}
    # At levels without attention its depth means nothing.
    assert different <= {"transformer_layers_per_block"}


def source_shape(origin: Origin, shapes: dict[str, tuple[int, ...]]) -> tuple[int, ...]:
    shape = shapes[origin.key]
    if origin.third is not None:
        shape = (shape[0] // 3, *shape[1:])
    return shape[::-1] if origin.is_transposed else shape


def build(component: str, config: dict[str, Any]) -> Any:
    if component == "unet":
        return build_unet(config)
    if component == "vae":
        return build_vae(config)
    return build_text_encoder(config, projected=component == "text_encoder_2")
