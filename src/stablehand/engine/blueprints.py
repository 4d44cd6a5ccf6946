"""What a checkpoint on disk consists of: its networks, their files, names and configurations; no value is read yet."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import yaml

from stablehand.domain.errors import CheckpointBroken, RecipeUnsupported
from stablehand.domain.families import Network, from_folder, from_single_file, is_of_another_kind, with_side_words
from stablehand.domain.siblings import lender_of
from stablehand.engine.architectures import Config, family_config, text_config, unet_config, vae_config
from stablehand.engine.layouts import (
    Component,
    Origins,
    Renaming,
    Shape,
    diffusers_vae,
    find_components,
    rename,
    same,
    shapes_of,
    transformers_clip,
)
from stablehand.engine.tensors import FETCH_AGAIN, TensorFiles, component_files, naming, read_json

#: component -> the stem of its weight file in a folder, and the names in it
_FOLDER_PARTS: dict[Component, tuple[str, Renaming]] = {
    "unet": ("diffusion_pytorch_model", same),
    "vae": ("diffusion_pytorch_model", diffusers_vae),
    "text_encoder": ("model", transformers_clip),
    "text_encoder_2": ("model", transformers_clip),
}
#: family -> components of it
_PARTS_OF: dict[str, tuple[Component, ...]] = {
    "sd1": ("unet", "vae", "text_encoder"),
    "sd2": ("unet", "vae", "text_encoder"),
    "sdxl": ("unet", "vae", "text_encoder", "text_encoder_2"),
    "sdxl-refiner": ("unet", "vae", "text_encoder_2"),
}
_TOKENIZER_FOLDERS: dict[Component, str] = {"text_encoder": "tokenizer", "text_encoder_2": "tokenizer_2"}
SIDE_FILE_MAX_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class Part:
    """One network: which files and names it is in, and how it is built."""

    files: TensorFiles
    origins: Origins
    config: Config
    config_file: Path  #: what to name when the configuration makes no network

    @property
    def parameters(self) -> int:
        return sum(prod(shape) for shape in shapes_of(self.origins, self.files.shapes).values())


@dataclass(frozen=True, slots=True)
class Blueprint:
    path: Path
    network: Network
    parts: Mapping[Component, Part]
    scheduler: Config  #: as diffusers' scheduler_config.json
    tokenizers: Mapping[Component, Path]  #: folders that come with the checkpoint

    @property
    def parameters(self) -> int:
        return sum(part.parameters for part in self.parts.values())


def read_blueprint(path: Path) -> Blueprint:
    """Of a single file or a diffusers folder, from headers and configurations alone.

    Raises CheckpointBroken (which file, and what is wrong with it) and RecipeUnsupported for a whole checkpoint that
    no engine of this version runs.
    """
    if not path.exists():
        raise CheckpointBroken(f"{path} is missing.", hint=FETCH_AGAIN)
    return _from_file(path) if path.is_file() else _from_folder(path)


def _from_file(path: Path) -> Blueprint:
    files = TensorFiles(path)
    network = from_single_file(files.shapes, files.metadata)
    if network is None:
        raise CheckpointBroken(
            f"{path} holds no Stable Diffusion checkpoint.",
            hint="A checkpoint holds a UNet, an autoencoder and a text encoder; LoRAs, VAEs and embeddings have "
            "folders of their own beside checkpoints/.",
        )
    network = with_side_words(network, _side_words(path))
    _check_supported(path, network, files.shapes)
    found = find_components(files.shapes)
    missing = [name for name in _PARTS_OF[network.family] if name not in found]
    if missing:
        raise CheckpointBroken(
            f"{path} lacks the {' and the '.join(name.replace('_', ' ') for name in missing)}.",
            hint="Use a file with the whole checkpoint.",
        )
    templates = family_config(network.family)
    parts = {}
    for component in _PARTS_OF[network.family]:
        origins = found[component]
        try:
            config = _config(component, network.family, templates[component], origins, files)
        except CheckpointBroken as error:
            raise CheckpointBroken(f"{path} cannot be loaded: {error.message}", hint=FETCH_AGAIN) from error
        parts[component] = Part(files, origins, config, path)
    return Blueprint(path, network, parts, templates["scheduler"], {})


def _config(component: Component, family: str, template: Config, origins: Origins, files: TensorFiles) -> Config:
    shapes = shapes_of(origins, files.shapes)
    if component == "unet":
        return unet_config(template, shapes)
    if component == "vae":
        return vae_config(template, shapes)
    is_whole_open_clip = family == "sd2" and any(origin.third is not None for origin in origins.values())
    return text_config(template, shapes, drop_last_layer=is_whole_open_clip)


def _from_folder(folder: Path) -> Blueprint:
    """A part that is not in the folder comes from the sibling that the index names, if it names one."""
    index = read_json(folder / "model_index.json")
    with naming(folder / "model_index.json"):
        lender = lender_of(index)

    def place(name: str) -> Path:
        own = folder / name
        return own if lender is None or own.is_dir() else folder.parent / lender / name

    scheduler = read_json(place("scheduler") / "scheduler_config.json") if place("scheduler").is_dir() else {}
    unet = read_json(place("unet") / "config.json") if place("unet").is_dir() else {}
    vae = read_json(place("vae") / "config.json") if place("vae").is_dir() else {}
    network = from_folder(
        str(index.get("_class_name", "")),
        unet,
        vae,
        second_text_encoder=_is_named(index, "text_encoder_2"),
        first_text_encoder=_is_named(index, "text_encoder"),
        scheduler=scheduler,
    )
    if network is None:
        raise RecipeUnsupported(
            f"{folder.name} is a {index.get('_class_name', 'different')} checkpoint.",
            hint="This engine runs Stable Diffusion 1, 2 and XL.",
        )
    _check_supported(folder, network, {})
    components = _PARTS_OF[network.family]
    tokenizers = {part: _TOKENIZER_FOLDERS[part] for part in components if part in _TOKENIZER_FOLDERS}
    # The big families' vocabulary is everybody's; a folder of a small one of its own must bring it.
    missing = [name for name in (*components, "scheduler") if not place(name).is_dir()]
    if missing:
        raise CheckpointBroken(f"{folder} lacks the folders {', '.join(missing)}.", hint=FETCH_AGAIN)
    parts = {}
    for component in components:
        stem, renaming = _FOLDER_PARTS[component]
        config_file = place(component) / "config.json"
        files = component_files(place(component), stem)
        parts[component] = Part(files, rename(files.shapes, "", renaming), read_json(config_file), config_file)
    _check_widths(folder, parts)
    return Blueprint(folder, network, parts, scheduler, {part: place(name) for part, name in tokenizers.items()})


def _check_widths(folder: Path, parts: Mapping[Component, Part]) -> None:
    given = [part.config.get("hidden_size") for name, part in parts.items() if name.startswith("text_encoder")]
    width = parts["unet"].config.get("cross_attention_dim")
    if not all(isinstance(side, int) for side in given) or sum(given) != width:  # type: ignore[arg-type]
        raise CheckpointBroken(
            f"{folder}/unet/config.json expects text features of width {width}, "
            f"but text_encoder/config.json gives {' + '.join(map(str, given))}.",
            hint="The folder mixes parts of different checkpoints; fetch it again.",
        )


def _check_supported(path: Path, network: Network, shapes: Mapping[str, Shape]) -> None:
    reason = "it is computed by EDM's rules" if is_of_another_kind(shapes) else network.unsupported
    if reason is not None:
        raise RecipeUnsupported(f"{path.name} cannot be drawn with: {reason}.", hint="Choose another checkpoint.")


def _is_named(index: Mapping[str, Any], component: str) -> bool:
    """Whether the index gives a class for a component; pipelines write [null, null] for those left out."""
    entry = index.get(component)
    return isinstance(entry, list) and len(entry) == 2 and entry[1] is not None


def _side_words(path: Path) -> Mapping[str, Any]:
    """What a YAML file of the same name says about a single file, where its header does not."""
    side = path.with_suffix(".yaml")
    if not side.is_file():
        return {}
    with naming(side):
        if side.stat().st_size > SIDE_FILE_MAX_BYTES:
            raise ValueError("it is far too long")
        try:
            words = yaml.safe_load(side.read_text(encoding="utf-8"))
        except (yaml.YAMLError, RecursionError) as error:
            raise ValueError(f"it is not YAML: {error}") from error
    if not isinstance(words, dict):
        raise CheckpointBroken(f"{side} holds no settings.", hint="See the guide on bringing your own checkpoint.")
    return words


def with_prediction(blueprint: Blueprint, prediction: str | None) -> Config:
    """The scheduler's configuration with what is known about the network put into it."""
    network = blueprint.network
    known = {"prediction_type": prediction} if prediction else {}
    return {**blueprint.scheduler, **known, "rescale_betas_zero_snr": network.zero_terminal_snr}
