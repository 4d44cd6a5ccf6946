"""Addons in the catalogue: autoencoders, embeddings and upscalers, known from their headers without loading them."""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from stablehand.adapters import weights
from stablehand.domain.addons import (
    ADDON_FOLDERS,
    AddonFile,
    AddonKind,
    FoundAddon,
    Recognised,
    called_embeddings,
    find_addon,
)
from stablehand.domain.addons import recognise_addon as recognise
from stablehand.domain.checkpoints import Checkpoint
from stablehand.domain.errors import CheckpointBroken
from stablehand.domain.recipes import Addon, Recipe
from stablehand.domain.upscalers import LATENT_UPSCALERS, PIXEL_UPSCALERS
from stablehand.services import Services
from stablehand.services.identity import new_id

_BUILTIN = "builtin:"


def scan_addons(services: Services, models_dir: Path, builtin: Path) -> tuple[tuple[str, str], ...]:
    """Bring the catalogue up to date with the folders of addons; returns (path, what is wrong) of unusable files.

    ``builtin``: the folder of what the package ships.
    """
    known = {addon.path: addon for addon in services.store.addons()}
    stamps = services.store.addon_stamps()
    sources = weights.read_sources(models_dir)
    found: list[FoundAddon] = []
    problems: list[tuple[str, str]] = []
    taken = {name.casefold() for name in (*LATENT_UPSCALERS, *PIXEL_UPSCALERS)}
    for kind, folder in ADDON_FOLDERS.items():
        problems += [(f"{folder}/{file.name}", weights.PICKLE_WORDS) for file in weights.pickles(models_dir / folder)]
        for path, place in _places(folder, models_dir, builtin):
            try:
                measured = weights.measure(place)
                entry = known[path] if stamps.get(path) == measured.stamp else _recognise(kind, place)
            except CheckpointBroken as error:
                problems.append((path, f"{error.message} {error.hint}".strip()))
                continue
            except OSError as error:
                problems.append((path, f"It cannot be read: {error.strerror}."))
                continue
            name = place.name[: -len(weights.SUFFIX)] if place.is_file() else place.name
            if kind == "upscaler":  # they share their names with formulas, and users' files may share them with ours
                name = path if name.casefold() in taken else name
                taken.add(name.casefold())
            found.append(
                FoundAddon(
                    new_id=new_id(),
                    kind=kind,
                    name=name,
                    path=path,
                    family=entry.family,
                    scale=entry.scale,
                    size_bytes=measured.size_bytes,
                    stamp=measured.stamp,
                    source=sources.get(path),
                )
            )
    if {(entry.path, entry.stamp, entry.source) for entry in found} != {
        (path, stamp, known[path].source) for path, stamp in stamps.items()
    }:
        services.store.note_addons(found)
    return tuple(problems)


def place_of_addon(addon: AddonFile, models_dir: Path, builtin: Path) -> Path:
    """Where its file or folder lies."""
    if addon.path.startswith(_BUILTIN):
        return builtin / addon.path.removeprefix(_BUILTIN)
    return models_dir / addon.path


def hash_next_addon(services: Services, models_dir: Path, builtin: Path) -> bool:
    """Compute one missing SHA-256. False when there is none to compute."""
    for unhashed in services.store.unhashed_addons():
        place = place_of_addon(unhashed.addon, models_dir, builtin)
        try:
            digest = weights.sha256_of(place)
            unchanged = weights.measure(place).stamp == unhashed.stamp
        except OSError:
            continue  # gone or unreadable since the scan; the next scan will say so
        if unchanged:
            services.store.note_addon_hash(unhashed.addon.id, unhashed.stamp, digest)
            return True
    return False


def list_addons(services: Services, kind: AddonKind | None = None) -> tuple[AddonFile, ...]:
    """Those whose files are there, by kind and name."""
    return tuple(addon for addon in services.store.addons() if kind in (None, addon.kind))


def choose_addons(services: Services, recipe: Recipe, checkpoint: Checkpoint) -> tuple[Addon, ...]:
    """What belongs to a recipe: what it names, else the autoencoder of the settings, and the embeddings it calls."""
    known = list_addons(services)
    named = [addon for addon in recipe.addons if addon.kind != "vae"]
    chosen = [addon for addon in recipe.addons if addon.kind == "vae"]
    if not chosen and services.default_vae is not None:
        default = find_addon(known, "vae", services.default_vae)
        chosen = [] if default is None else [default.as_part()]
    hires = recipe.hires
    texts = [recipe.prompt, recipe.negative_prompt]
    texts += [text for text in (hires.prompt, hires.negative_prompt) if text] if hires is not None else []
    return (*chosen, *named, *(addon.as_part() for addon in called_embeddings(known, checkpoint.family, *texts)))


def _places(folder: str, models_dir: Path, builtin: Path) -> Iterator[tuple[str, Path]]:
    """(path in the catalogue, place on disk) of everything that may be an addon of this folder."""
    for place in weights.candidates(models_dir / folder, weights.CONFIG):
        yield f"{folder}/{place.name}", place
    for place in weights.candidates(builtin / folder):
        yield f"{_BUILTIN}{folder}/{place.name}", place


def _recognise(kind: AddonKind, place: Path) -> Recognised:
    """What the headers say. Raises CheckpointBroken."""
    shapes = weights.read_network_headers(place) if place.is_dir() else weights.read_header(place).shapes
    recognised = recognise(kind, shapes)
    if kind == "upscaler" and place.is_dir():
        raise CheckpointBroken(f"{place.name} is a folder.", hint="An upscaler is a single .safetensors file.")
    if recognised is None and kind == "upscaler":
        if _has_spandrel():
            return Recognised(None)
        raise CheckpointBroken(
            f"{place.name} is no upscaler of a kind that is built in.",
            hint="ESRGAN, Real-ESRGAN and its compact networks are; stablehand[spandrel] knows many more.",
        )
    if recognised is None:
        raise CheckpointBroken(f"{place.name} holds no {kind}.", hint="Each kind of weights has a folder of its own.")
    return recognised


def _has_spandrel() -> bool:
    """Whether the library of many architectures is installed; it is never loaded here, for it needs torch."""
    return find_spec("spandrel") is not None
