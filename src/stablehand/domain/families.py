"""Families of checkpoints, told apart by names and shapes alone: what a header says, without the weights.

Never by a file's name, which says what somebody called it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

Prediction = Literal["epsilon", "v_prediction"]
Distillation = Literal["lcm", "turbo", "lightning", "hyper"]

Shapes = Mapping[str, Sequence[int]]

#: family -> pixels a side that its networks were trained at
NATIVE_SIZES = {"sd1": 512, "sd2": 768, "sdxl": 1024, "sdxl-refiner": 1024, "sd3": 1024, "flux": 1024}

#: width of the text encoding that the UNet attends to -> family
_FAMILY_BY_CONTEXT = {768: "sd1", 1024: "sd2", 2048: "sdxl", 1280: "sdxl-refiner"}

#: class of a diffusers pipeline, without its task -> family
_FAMILY_BY_PIPELINE = {"StableDiffusionXL": "sdxl", "StableDiffusion3": "sd3", "Flux": "flux"}

#: UNet keys in the layout of the original single files, and of whole diffusers pipelines saved as one file.
ORIGINAL_UNET, DIFFUSERS_UNET = "model.diffusion_model.", "unet."

#: Ends of keys by which both layouts name the same things.
_CROSS_ATTENTION = ".transformer_blocks.0.attn2.to_k.weight"
_FIRST_CONVOLUTIONS = (f"{ORIGINAL_UNET}input_blocks.0.0.weight", f"{DIFFUSERS_UNET}conv_in.weight")
_GUIDANCE_KEYS = (f"{ORIGINAL_UNET}time_embed.cond_proj.weight", f"{DIFFUSERS_UNET}time_embedding.cond_proj.weight")
_SIZE_CONDITIONING = (f"{ORIGINAL_UNET}label_emb.0.0.weight", f"{DIFFUSERS_UNET}add_embedding.linear_1.weight")

#: Empty tensors that trainers leave in a file to say how it wants to be sampled.
V_MARKER, ZERO_SNR_MARKER = "v_pred", "ztsnr"
_EDM_MARKERS = ("edm_mean", "edm_vpred.sigma_max")

#: how people and trainers write it
_PREDICTION_WORDS: dict[str, Prediction] = {
    "v": "v_prediction",
    "v_prediction": "v_prediction",
    "v-prediction": "v_prediction",
    "epsilon": "epsilon",
    "eps": "epsilon",
}

_DISTILLATIONS: tuple[Distillation, ...] = ("lcm", "turbo", "lightning", "hyper")
#: metadata in which people say what they trained
_TELLING = re.compile(
    r"modelspec\.(title|architecture|description|tags|trigger_phrase|usage_hint)|ss_base_model_version"
)


@dataclass(frozen=True, slots=True)
class Network:
    family: str
    native_size: int  #: pixels a side
    input_channels: int = 4  #: 9: inpainting, which also sees the mask and what lies around it
    prediction: Prediction | None = None  #: None: the header does not say
    zero_terminal_snr: bool = False  #: trained down to pure noise (Lin et al. 2023, arXiv 2305.08891)
    distillation: Distillation | None = None  #: made for few steps and little guidance

    @property
    def inpainting(self) -> bool:
        return self.input_channels == 9

    @property
    def unsupported(self) -> str | None:
        """Why no engine of this version draws with it, although it is whole; None when one does."""
        if self.family in ("sd3", "flux"):
            return f"it is of the family {self.family}; this version draws with SD 1, SD 2 and SDXL"
        if self.input_channels not in (4, 9):
            kinds = {5: "for depth maps", 7: "for upscaling", 8: "for editing by instruction"}
            what = kinds.get(self.input_channels, f"with {self.input_channels} input channels")
            return f"it is a network {what}; this version draws with networks of 4 and 9 input channels"
        return None


def from_single_file(shapes: Shapes, metadata: Mapping[str, str]) -> Network | None:
    """The network in a single file of either layout; None when it holds no checkpoint.

    ``metadata``: the header's own words, of which ``modelspec.resolution`` says the native size better than a guess.
    """
    family = _family_of_keys(shapes)
    if family is None:
        return None
    first = next((shapes[key] for key in _FIRST_CONVOLUTIONS if key in shapes), ())
    prediction = _stated_prediction(shapes, metadata)
    # Of SD 2 those that predict noise were made for the smaller size, those that predict velocity for the larger.
    usual = 512 if (family, prediction) == ("sd2", "epsilon") else NATIVE_SIZES[family]
    return Network(
        family,
        _stated_size(metadata) or usual,
        input_channels=first[1] if len(first) == 4 else 4,
        prediction=prediction,
        zero_terminal_snr=ZERO_SNR_MARKER in shapes,
        distillation="lcm" if any(key in shapes for key in _GUIDANCE_KEYS) else _stated_distillation(metadata),
    )


def from_folder(
    pipeline: str,
    unet: Mapping[str, Any],
    vae: Mapping[str, Any],
    *,
    second_text_encoder: bool,
    first_text_encoder: bool = True,
    scheduler: Mapping[str, Any] | None = None,
) -> Network | None:
    """The network in a diffusers folder, from its configuration files; None when they do not describe one.

    A network of no public family whose text encoder, UNet and decoder are put together as Stable Diffusion 1 does it
    counts as one of that family, with the size that its UNet was made for.
    """
    family = next((name for start, name in _FAMILY_BY_PIPELINE.items() if pipeline.startswith(start)), None)
    if family is None and pipeline.startswith(("StableDiffusion", "LatentConsistencyModel")):
        is_second = unet.get("cross_attention_dim") == 1024 or bool(unet.get("use_linear_projection"))
        family = "sdxl" if second_text_encoder else "sd2" if is_second else "sd1"
    if family is None:
        return None
    if family == "sdxl" and not first_text_encoder:
        family = "sdxl-refiner"
    side = unet.get("sample_size")
    stages = vae.get("block_out_channels")
    channels = unet.get("in_channels")
    network = Network(
        family,
        NATIVE_SIZES[family],
        input_channels=channels if isinstance(channels, int) else 4,
        **_sampling_of(unet, scheduler or {}),
    )
    if not isinstance(side, int) or not isinstance(stages, list) or not stages:
        return network
    return replace(network, native_size=side * 2 ** (len(stages) - 1))


def _sampling_of(unet: Mapping[str, Any], scheduler: Mapping[str, Any]) -> dict[str, Any]:
    """What a folder's scheduler says about how it was trained. Distilled ones space their steps from the end."""
    prediction = scheduler.get("prediction_type")
    is_lcm = unet.get("time_cond_proj_dim") is not None or scheduler.get("_class_name") == "LCMScheduler"
    is_turbo = scheduler.get("timestep_spacing") == "trailing" and not scheduler.get("rescale_betas_zero_snr")
    return {
        "prediction": prediction if prediction in ("epsilon", "v_prediction") else None,
        "zero_terminal_snr": bool(scheduler.get("rescale_betas_zero_snr")),
        "distillation": "lcm" if is_lcm else "turbo" if is_turbo else None,
    }


def _family_of_keys(shapes: Shapes) -> str | None:
    """By the width of the text that the UNet attends to; for widths of no public family, by how it is put together."""
    if any(".joint_blocks." in key for key in shapes):
        return "sd3"
    if any(key.startswith((f"{ORIGINAL_UNET}double_blocks.", "double_blocks.")) for key in shapes):
        return "flux"
    unet = ORIGINAL_UNET if any(key.startswith(ORIGINAL_UNET) for key in shapes) else DIFFUSERS_UNET
    attending = next((key for key in shapes if key.startswith(unet) and key.endswith(_CROSS_ATTENTION)), None)
    if attending is None or len(shapes[attending]) != 2:
        return None
    known = _FAMILY_BY_CONTEXT.get(shapes[attending][1])
    if known is not None:
        return known
    if any(key in shapes for key in _SIZE_CONDITIONING):
        two = any(key.startswith(("conditioner.embedders.1.", "text_encoder.")) for key in shapes)
        return "sdxl" if two else "sdxl-refiner"
    if not any(key.startswith(("cond_stage_model.", "text_encoder.")) for key in shapes):
        return None
    projection = shapes.get(attending.removesuffix(_CROSS_ATTENTION) + ".proj_in.weight", ())
    return "sd2" if len(projection) == 2 else "sd1"  # SD 2 projects with matrices, SD 1 with 1×1 convolutions


def with_side_words(network: Network, words: Mapping[str, Any]) -> Network:
    """A network as a file beside it describes it, where its header says nothing or says it wrongly.

    Known are ``prediction`` (``epsilon`` or ``v``), ``zero_terminal_snr`` and ``distillation``; and, from the YAML file
    that Stability published with SD 2, ``model.params.parameterization``.
    """
    told = words.get("prediction") or _inside(words, "model", "params", "parameterization")
    zero_snr = words.get("zero_terminal_snr")
    distillation = words.get("distillation")
    return replace(
        network,
        prediction=_PREDICTION_WORDS.get(str(told), network.prediction),
        zero_terminal_snr=zero_snr if isinstance(zero_snr, bool) else network.zero_terminal_snr,
        distillation=next((name for name in _DISTILLATIONS if name == distillation), network.distillation),
    )


def _inside(words: Mapping[str, Any], *path: str) -> object:
    """A value some levels deep; None where the way ends before."""
    value: object = words
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def is_of_another_kind(shapes: Shapes) -> bool:
    """Whether its marks say it is computed by rules that no sampler here follows (EDM, as Playground 2.5)."""
    return any(marker in shapes for marker in _EDM_MARKERS)


def _stated_prediction(shapes: Shapes, metadata: Mapping[str, str]) -> Prediction | None:
    stated = metadata.get("modelspec.prediction_type", "").casefold()
    architecture = metadata.get("modelspec.architecture", "").casefold()
    if V_MARKER in shapes:
        return "v_prediction"
    if stated in _PREDICTION_WORDS:
        return _PREDICTION_WORDS[stated]
    if architecture.startswith("stable-diffusion-v2"):
        return "v_prediction" if architecture.endswith("-v") else "epsilon"
    return None


def _stated_distillation(metadata: Mapping[str, str]) -> Distillation | None:
    words = " ".join(text.casefold() for key, text in metadata.items() if _TELLING.fullmatch(key))
    return next((name for name in _DISTILLATIONS if re.search(rf"(?<![a-z]){name}(?![a-z])", words)), None)


def _stated_size(metadata: Mapping[str, str]) -> int | None:
    width, _, height = metadata.get("modelspec.resolution", "").partition("x")
    if width.isdecimal() and height.isdecimal() and 64 <= min(int(width), int(height)) <= 4096:
        return min(int(width), int(height))
    return None
