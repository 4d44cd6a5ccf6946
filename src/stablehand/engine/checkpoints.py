"""Checkpoints into memory: files become a :class:`Resident`.

Everything that can be wrong with files is found here and named by file, before a picture is drawn with it.
"""

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stablehand.domain.errors import CheckpointBroken
from stablehand.domain.families import Network
from stablehand.engine.attention import AttentionPaths
from stablehand.engine.autoencoders import Autoencoder, load_part
from stablehand.engine.blueprints import Blueprint, read_blueprint, with_prediction
from stablehand.engine.devices import Placement
from stablehand.engine.layouts import Component
from stablehand.engine.levels import NoiseLevels
from stablehand.engine.loading import build_text_encoder, build_unet, building, fill, parameters
from stablehand.engine.probes import measure_prediction
from stablehand.engine.text import Encoder, Text
from stablehand.engine.tokenizers import Tokenizer, find_tokenizer, holds_tokenizer

Slot = str  #: names the weights a row is computed with; a checkpoint's id, later with what is merged into it

#: Words in CLIP's vocabulary. An encoder with another number has a vocabulary of its own.
CLIP_WORDS = 49408


@dataclass(eq=False)
class Resident:
    """A checkpoint in memory, ready to draw."""

    slot: Slot
    network: Network
    unet: Any
    autoencoder: Autoencoder
    text: Text
    levels: NoiseLevels
    placement: Placement
    size_bytes: int
    unet_parameters: int
    load_seconds: float = 0.0
    attention: AttentionPaths = field(default_factory=AttentionPaths)

    @property
    def latent_channels(self) -> int:
        """Of what is drawn; an inpainting UNet takes more channels than that."""
        return int(self.unet.config.out_channels)

    @property
    def pixels_per_latent(self) -> int:
        return self.autoencoder.pixels_per_latent

    @property
    def knows_sizes(self) -> bool:
        """Whether the UNet is told sizes and a summary of the text besides the noise level (SDXL)."""
        return bool(self.unet.config.addition_embed_type == "text_time")

    @property
    def knows_guidance(self) -> bool:
        """Whether the UNet is told the guidance scale and so needs no second row for it (LCM)."""
        return self.unet.config.time_cond_proj_dim is not None

    def modules(self) -> dict[str, Any]:
        """Every network by name, for what moves or counts weights."""
        encoders = {f"text_encoder_{index}": encoder.network for index, encoder in enumerate(self.text.encoders)}
        return {"unet": self.unet, "vae": self.autoencoder.network, **encoders}


def load_checkpoint(slot: Slot, path: Path, placement: Placement, tokenizers: Path | None = None) -> Resident:
    """Load a single file or a diffusers folder of Stable Diffusion 1, 2 or XL.

    ``tokenizers``: where a tokenizer is looked for when the checkpoint brings none. Raises CheckpointBroken (which
    file, and what is wrong with it), RecipeUnsupported for families that this engine cannot run.
    torch.OutOfMemoryError passes through.
    """
    start = time.perf_counter()
    blueprint = read_blueprint(path)
    family = blueprint.network.family
    encoders = [
        _load_encoder(blueprint, component, placement, tokenizers)
        for component in blueprint.parts
        if component in ("text_encoder", "text_encoder_2")
    ]
    part = blueprint.parts["unet"]
    unet = fill(building(build_unet, part.config, part.config_file), part.files, part.origins, placement)
    autoencoder = load_part(blueprint.parts["vae"], family, placement)
    prediction = blueprint.network.prediction
    if prediction is None and family == "sd2" and path.is_file():
        prediction = measure_prediction(unet, placement)
    others = sum(parameters(network) for network in (unet, *(encoder.network for encoder in encoders)))
    return Resident(
        slot=slot,
        network=blueprint.network,
        unet=unet,
        autoencoder=autoencoder,
        text=Text(encoders, placement.device),
        levels=NoiseLevels.from_config(with_prediction(blueprint, prediction)),
        placement=placement,
        size_bytes=others * placement.dtype.itemsize + autoencoder.size_bytes,
        unet_parameters=parameters(unet),
        load_seconds=time.perf_counter() - start,
    )


def weight_bytes(path: Path, placement: Placement) -> int:
    """How much memory the weights will take, from the headers alone. Raises as :func:`load_checkpoint`."""
    blueprint = read_blueprint(path)
    vae = blueprint.parts["vae"].parameters
    decoder = placement.decoder_dtype(blueprint.network.family)
    return (blueprint.parameters - vae) * placement.dtype.itemsize + vae * decoder.itemsize


def _load_encoder(blueprint: Blueprint, component: Component, placement: Placement, tokenizers: Path | None) -> Encoder:
    part = blueprint.parts[component]
    family = blueprint.network.family
    is_second = component == "text_encoder_2"
    network = building(lambda config: build_text_encoder(config, projected=is_second), part.config, part.config_file)
    filled = fill(network, part.files, part.origins, placement)
    return Encoder(
        name="clip_g" if is_second else "clip_h" if family == "sd2" else "clip_l",
        network=filled,
        tokenizer=_tokenizer(blueprint, component, int(filled.config.vocab_size), tokenizers),
        reads_penultimate=family in ("sdxl", "sdxl-refiner"),
        summarises=is_second,
    )


def _tokenizer(blueprint: Blueprint, component: Component, words: int, tokenizers: Path | None) -> Tokenizer:
    beside = blueprint.tokenizers.get(component)
    if words != CLIP_WORDS and (beside is None or not holds_tokenizer(beside)):
        where = beside if beside is not None else blueprint.path
        raise CheckpointBroken(
            f"{where} holds no tokenizer, and the text encoder has {words} words of its own.",
            hint="Bring the checkpoint as a diffusers folder, with its vocabulary in tokenizer/.",
        )
    is_open_clip = component == "text_encoder_2" or blueprint.network.family == "sd2"
    return find_tokenizer(beside=beside, shared=tokenizers, open_clip=is_open_clip)
