"""The way between latents and pixels: a checkpoint's own autoencoder, or one that is put in its place."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from stablehand.domain.errors import CheckpointBroken
from stablehand.engine.architectures import family_config, vae_config
from stablehand.engine.blueprints import Part
from stablehand.engine.devices import Placement
from stablehand.engine.layouts import find_vae, shapes_of
from stablehand.engine.loading import build_vae, building, fill, parameters
from stablehand.engine.preview import PreviewMap
from stablehand.engine.tensors import FETCH_AGAIN, TensorFiles, component_files, read_json


@dataclass(eq=False)
class Autoencoder:
    """Ready to encode and decode. Several checkpoints may share one."""

    network: Any
    placement: Placement
    dtype: torch.dtype
    parameters: int
    preview: PreviewMap = field(default_factory=PreviewMap)

    @property
    def size_bytes(self) -> int:
        return self.parameters * self.dtype.itemsize

    @property
    def latent_channels(self) -> int:
        return int(self.network.config.latent_channels)

    @property
    def pixels_per_latent(self) -> int:
        return int(2 ** (len(self.network.config.block_out_channels) - 1))

    @property
    def scale(self) -> float:
        """What latents are multiplied by on the way to the sampler."""
        return float(self.network.config.scaling_factor)

    @property
    def shift(self) -> float:
        return float(getattr(self.network.config, "shift_factor", None) or 0.0)


def load_part(part: Part, family: str, placement: Placement) -> Autoencoder:
    """The autoencoder of a checkpoint. Raises CheckpointBroken."""
    dtype = placement.decoder_dtype(family)
    network = fill(building(build_vae, part.config, part.config_file), part.files, part.origins, placement, dtype)
    return Autoencoder(network, placement, dtype, parameters(network))


def load_autoencoder(path: Path, family: str, placement: Placement) -> Autoencoder:
    """An autoencoder by itself, to be used with checkpoints of ``family``: a file of either layout, or a folder.

    A file does not say what its latents are scaled by; that is the family's. Raises CheckpointBroken.
    """
    return load_part(autoencoder_part(path, family), family, placement)


def autoencoder_part(path: Path, family: str) -> Part:
    """Where such an autoencoder's values lie. Raises CheckpointBroken."""
    template = family_config(family)["vae"]
    is_folder = path.is_dir()
    files = component_files(path, "diffusion_pytorch_model") if is_folder else TensorFiles(path)
    origins = find_vae(files.shapes)
    try:
        config = vae_config(template, shapes_of(origins, files.shapes))
    except CheckpointBroken as error:
        raise CheckpointBroken(f"{path} cannot be loaded: {error.message}", hint=FETCH_AGAIN) from error
    if is_folder and (path / "config.json").is_file():
        config = {**config, **read_json(path / "config.json"), "scaling_factor": template["scaling_factor"]}
    return Part(files, origins, config, path)
