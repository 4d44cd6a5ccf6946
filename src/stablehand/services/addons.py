"""Addons in the catalogue: autoencoders and embeddings, known from their headers without loading them."""

from pathlib import Path

from stablehand.adapters import weights
from stablehand.domain.addons import ADDON_FOLDERS, AddonFile, AddonKind, FoundAddon, called_embeddings, find_addon
from stablehand.domain.addons import recognise_addon as recognise
from stablehand.domain.checkpoints import Checkpoint
from stablehand.domain.errors import CheckpointBroken
from stablehand.domain.recipes import Addon, Recipe
from stablehand.services import Services
from stablehand.services.identity import new_id


def scan_addons(services: Services, models_dir: Path) -> tuple[tuple[str, str], ...]:
    """Bring the catalogue up to date with the folders of addons; returns (path, what is wrong) of unusable files."""
    known = {addon.path: addon for addon in services.store.addons()}
    stamps = services.store.addon_stamps()
    sources = weights.read_sources(models_dir)
    found: list[FoundAddon] = []
    problems: list[tuple[str, str]] = []
    for kind, folder in ADDON_FOLDERS.items():
        problems += [(f"{folder}/{file.name}", weights.PICKLE_WORDS) for file in weights.pickles(models_dir / folder)]
        for place in weights.candidates(models_dir / folder, weights.CONFIG):
            path = f"{folder}/{place.name}"
            try:
                measured = weights.measure(place)
                family = known[path].family if stamps.get(path) == measured.stamp else _family(kind, place)
            except CheckpointBroken as error:
                problems.append((path, f"{error.message} {error.hint}".strip()))
                continue
            except OSError as error:
                problems.append((path, f"It cannot be read: {error.strerror}."))
                continue
            found.append(
                FoundAddon(
                    new_id=new_id(),
                    kind=kind,
                    name=place.name[: -len(weights.SUFFIX)] if place.is_file() else place.name,
                    path=path,
                    family=family,
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


def hash_next_addon(services: Services, models_dir: Path) -> bool:
    """Compute one missing SHA-256. False when there is none to compute."""
    for unhashed in services.store.unhashed_addons():
        place = models_dir / unhashed.addon.path
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
    """What belongs to a recipe: its own autoencoder, else the one of the settings, and the embeddings it calls."""
    known = list_addons(services)
    chosen = [addon for addon in recipe.addons if addon.kind == "vae"]
    if not chosen and services.default_vae is not None:
        default = find_addon(known, "vae", services.default_vae)
        chosen = [] if default is None else [default.as_part()]
    hires = recipe.hires
    texts = [recipe.prompt, recipe.negative_prompt]
    texts += [text for text in (hires.prompt, hires.negative_prompt) if text] if hires is not None else []
    return (*chosen, *(addon.as_part() for addon in called_embeddings(known, checkpoint.family, *texts)))


def _family(kind: AddonKind, place: Path) -> str | None:
    """What the headers say it is for. Raises CheckpointBroken."""
    shapes = weights.read_network_headers(place) if place.is_dir() else weights.read_header(place).shapes
    recognised = recognise(kind, shapes)
    if recognised is None:
        raise CheckpointBroken(f"{place.name} holds no {kind}.", hint="Each kind of weights has a folder of its own.")
    return recognised.family
