"""Networks with random weights: as large as the published ones, or in miniature. Speed does not depend on weights."""

import math
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import diffusers
import torch
from safetensors.torch import save_file
from torch import Tensor

from stablehand.domain.families import NATIVE_SIZES, Network
from stablehand.engine.architectures import Config, family_config
from stablehand.engine.autoencoders import Autoencoder
from stablehand.engine.checkpoints import Resident
from stablehand.engine.devices import Placement
from stablehand.engine.layouts import Component
from stablehand.engine.levels import NoiseLevels
from stablehand.engine.loading import build_text_encoder, build_unet, build_vae, parameters, restore_positions
from stablehand.engine.text import Encoder, Text
from stablehand.engine.tokenizers import Tokenizer, find_tokenizer

Family = Literal["sd1", "sd2", "sdxl"]
Configs = Mapping[Component | Literal["scheduler"], Config]

#: Random values that are drawn; a prime, so that they meet no tensor's rows twice in the same way.
_SOME = 4_000_037
#: channels of one attention head in a text encoder, and so the least that one can be wide
_TEXT_WIDTH = 64
_ENCODERS: dict[Family, tuple[Component, ...]] = {
    "sd1": ("text_encoder",),
    "sd2": ("text_encoder",),
    "sdxl": ("text_encoder", "text_encoder_2"),
}


def miniature(family: Family) -> Configs:
    """A family's configuration with the least of everything; its loader takes it for that family."""
    configs = deepcopy(dict(family_config(family)))
    widths = [32, 64] if family == "sd1" else [64, 128]
    encoders = _ENCODERS[family]
    configs["unet"] |= {
        "block_out_channels": widths,
        "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D"],
        "up_block_types": ["CrossAttnUpBlock2D", "UpBlock2D"],
        "transformer_layers_per_block": [1, 1],
        "layers_per_block": 1,
        "cross_attention_dim": _TEXT_WIDTH * len(encoders),
        "attention_head_dim": 8 if family == "sd1" else [width // 64 for width in widths],
    }
    if family == "sdxl":
        configs["unet"]["projection_class_embeddings_input_dim"] = _TEXT_WIDTH + 6 * 256
    configs["vae"] |= {"block_out_channels": [32, 32, 64, 64], "layers_per_block": 1}
    for component in encoders:
        configs[component] |= {
            "hidden_size": _TEXT_WIDTH,
            "intermediate_size": 2 * _TEXT_WIDTH,
            "num_hidden_layers": 2,
            "num_attention_heads": 1,
            "projection_dim": _TEXT_WIDTH,
        }
    return configs


def make_resident(
    family: Family, placement: Placement, configs: Configs | None = None, *, slot: str = "bench", seed: int = 0
) -> Resident:
    """A checkpoint of a family, made up in the device's memory; without ``configs`` at full size.

    Raises CheckpointBroken when there is no tokenizer, and what torch raises when memory does not suffice.
    """
    configs = configs or family_config(family)
    generator = torch.Generator(placement.device).manual_seed(seed)

    def weighted(network: Any, dtype: torch.dtype = placement.dtype) -> Any:
        return _with_random_weights(network, placement, dtype, generator)

    unet = weighted(build_unet(configs["unet"]))
    vae = weighted(build_vae(configs["vae"]), placement.decoder_dtype(family))
    autoencoder = Autoencoder(vae, placement, placement.decoder_dtype(family), parameters(vae))
    encoders = []
    for component in _ENCODERS[family]:
        is_second = component == "text_encoder_2"
        encoders.append(
            Encoder(
                name="clip_g" if is_second else "clip_h" if family == "sd2" else "clip_l",
                network=weighted(build_text_encoder(configs[component], projected=is_second)),
                tokenizer=find_tokenizer(open_clip=is_second or family == "sd2"),
                reads_penultimate=family == "sdxl",
                summarises=is_second,
            )
        )
    others = sum(parameters(network) for network in (unet, *(encoder.network for encoder in encoders)))
    return Resident(
        slot=slot,
        network=Network(family, NATIVE_SIZES[family]),
        unet=unet,
        autoencoder=autoencoder,
        text=Text(encoders, placement.device),
        levels=NoiseLevels.from_config(configs["scheduler"]),
        placement=placement,
        size_bytes=others * placement.dtype.itemsize + autoencoder.size_bytes,
        unet_parameters=parameters(unet),
    )


def write_file(resident: Resident, path: Path) -> Path:
    """A checkpoint as one file: a whole diffusers pipeline, its components' names as prefixes."""
    networks = {"unet": resident.unet, "vae": resident.autoencoder.network}
    networks |= {f"text_encoder{'_2' * index}": one.network for index, one in enumerate(resident.text.encoders)}
    state: dict[str, Tensor] = {}
    for component, network in networks.items():
        for name, tensor in network.state_dict().items():
            # transformers' files have always had one level more above the text model than its classes have now.
            is_inner = component.startswith("text") and not name.startswith(("text_model.", "text_projection."))
            state[f"{component}.{'text_model.' * is_inner}{name}"] = tensor.cpu().contiguous()
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(state, path, {"modelspec.prediction_type": "epsilon"})
    return path


def pipeline_of(resident: Resident) -> Any:
    """diffusers' own pipeline around the very same networks."""
    encoders = resident.text.encoders
    parts = {
        "vae": resident.autoencoder.network,
        "unet": resident.unet,
        "text_encoder": encoders[0].network,
        "tokenizer": PipelineTokenizer(encoders[0].tokenizer),
        "scheduler": diffusers.DDIMScheduler(
            beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1, clip_sample=False
        ),
    }
    pipeline: Any
    if len(encoders) > 1:
        second = {"text_encoder_2": encoders[1].network, "tokenizer_2": PipelineTokenizer(encoders[1].tokenizer)}
        pipeline = diffusers.StableDiffusionXLPipeline(**parts, **second, add_watermarker=False)
    else:
        nothing: dict[str, Any] = {"safety_checker": None, "feature_extractor": None}
        pipeline = diffusers.StableDiffusionPipeline(**parts, **nothing, requires_safety_checker=False)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


class PipelineTokenizer:
    """As much of transformers' tokenizer as a pipeline uses, by one of ours: it needs no files."""

    model_max_length = 77
    added_tokens_encoder: Mapping[str, int] = {}

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer

    def __call__(self, text: str | Sequence[str], **_options: object) -> Any:
        texts = [text] if isinstance(text, str) else list(text)
        ids = torch.full((len(texts), self.model_max_length), self._tokenizer.pad)
        for row, one in zip(ids, texts, strict=True):
            inner = self._tokenizer.ids(one)[: self.model_max_length - 2]
            told = [self._tokenizer.start, *inner, self._tokenizer.end]
            row[: len(told)] = torch.tensor(told)
        return SimpleNamespace(input_ids=ids, attention_mask=torch.ones_like(ids))

    def tokenize(self, text: str) -> list[str]:
        return text.split()


def _with_random_weights(network: Any, placement: Placement, dtype: torch.dtype, generator: torch.Generator) -> Any:
    """Values under which activations keep their size, so that nothing overflows: a few millions, over and over."""
    some = torch.empty(_SOME, dtype=torch.float32, device=placement.device).normal_(generator=generator)
    state: dict[str, Tensor] = {}
    with torch.inference_mode(mode=False):
        for name, wanted in network.state_dict().items():
            value = torch.empty(wanted.shape, dtype=dtype, device=placement.device)
            if value.dim() >= 2:
                scaled = some[: value.numel()] / math.sqrt(value[0].numel())
                flat = value.view(-1)
                for begin in range(0, len(flat), _SOME):
                    piece = flat[begin : begin + _SOME]
                    piece.copy_(scaled[: len(piece)])
            else:
                value.fill_(1.0 if name.endswith("weight") else 0.0)
            layout = placement.memory_format if value.dim() == 4 else torch.contiguous_format
            state[name] = value.to(memory_format=layout)
        network.load_state_dict(state, strict=True, assign=True)
    restore_positions(network, placement.device)
    return network.eval().requires_grad_(False)
