"""The catalogue: which checkpoints there are, known from their headers without loading them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import stablehand
from stablehand.adapters import weights
from stablehand.domain.accounts import Account
from stablehand.domain.addons import AddonFile
from stablehand.domain.checkpoints import Checkpoint, Found, find
from stablehand.domain.errors import CheckpointBroken
from stablehand.services import Services
from stablehand.services.addons import hash_next_addon, place_of_addon, scan_addons
from stablehand.services.identity import new_id

#: Checkpoints that the package ships.
BUILTIN_FOLDER = Path(stablehand.__file__).parent / "builtin" / "checkpoints"
BUILTIN_PREFIX = "builtin:"
POSTCARD = BUILTIN_PREFIX + "postcard"

#: what a header says of a checkpoint
_FACTS = ("family", "native_size", "inpainting", "prediction", "zero_terminal_snr", "distillation")


@dataclass(frozen=True, slots=True)
class Scan:
    found: int  #: usable checkpoints on disk
    problems: tuple[tuple[str, str], ...]  #: (path, what is wrong) of files that cannot be used


def scan(services: Services, models_dir: Path) -> Scan:
    """Bring the catalogue up to date with the disk: ``models_dir`` and what the package ships.

    A bad file never stops it.
    """
    known = {entry.path: entry for entry in services.store.checkpoints() if entry.missing_since is None}
    stamps = services.store.stamps()
    sources = weights.read_sources(models_dir)
    found: list[Found] = []
    problems: list[tuple[str, str]] = []
    names: set[str] = set()
    for folder in (models_dir / "checkpoints", models_dir):
        pickles = weights.pickles(folder)
        problems += [(path.relative_to(models_dir).as_posix(), weights.PICKLE_WORDS) for path in pickles]
    for path, place in _places(models_dir):
        try:
            measured = weights.measure(place)
            entry = known.get(path)
            if entry is not None and stamps.get(path) == measured.stamp:
                facts = {name: getattr(entry, name) for name in _FACTS}
            else:
                network = weights.recognise(place)
                facts = {name: getattr(network, name) for name in _FACTS}
        except CheckpointBroken as error:
            problems.append((path, f"{error.message} {error.hint}".strip()))
            continue
        except OSError as error:  # it went away, or cannot be read, while we looked
            problems.append((path, f"It cannot be read: {error.strerror}."))
            continue
        name = _free_name(path, place, names)
        names.add(name.casefold())
        found.append(
            Found(
                new_id=new_id(),
                name=name,
                path=path,
                size_bytes=measured.size_bytes,
                stamp=measured.stamp,
                builtin=path.startswith(BUILTIN_PREFIX),
                source=sources.get(path),
                **facts,
            )
        )
    if {(entry.path, entry.name, entry.stamp, entry.source) for entry in found} != {
        (entry.path, entry.name, stamps.get(entry.path), entry.source) for entry in known.values()
    }:
        services.store.note_scan(found)
    problems += scan_addons(services, models_dir, BUILTIN_FOLDER.parent)
    return Scan(found=len(found), problems=tuple(problems))


def hash_next(services: Services, models_dir: Path) -> bool:
    """Compute one missing SHA-256 (slow: reads the file), the smallest file's first. False when there is none."""
    for unhashed in services.store.unhashed():
        place = place_of(unhashed.checkpoint, models_dir)
        try:
            digest = weights.sha256_of(place)
            unchanged = weights.measure(place).stamp == unhashed.stamp
        except OSError:
            continue  # gone or unreadable since the scan; the next scan will say so
        if unchanged:
            services.store.note_hash(unhashed.checkpoint.id, unhashed.stamp, digest)
            return True
    return hash_next_addon(services, models_dir, BUILTIN_FOLDER.parent)


def list_checkpoints(services: Services) -> tuple[Checkpoint, ...]:
    """Those whose files are there, by name."""
    return tuple(entry for entry in services.store.checkpoints() if entry.missing_since is None)


def allowed_checkpoints(services: Services, account: Account) -> tuple[Checkpoint, ...]:
    """Those that this account may use, by name. Raises NotFound for an account that is gone."""
    quotas = services.store.quotas(account.id)
    return tuple(entry for entry in list_checkpoints(services) if quotas.allows_checkpoint(entry.name))


def default_checkpoint(services: Services, account: Account | None = None) -> Checkpoint | None:
    """What an order without a checkpoint gets, of those that the account may use; None: of all.

    The configured one, else Postcard, else the first. Raises NotFound for an account that is gone.
    """
    known = list_checkpoints(services) if account is None else allowed_checkpoints(services, account)
    wanted = services.default_checkpoint
    if wanted is not None:
        wanted = weights.read_asked(services.models_dir).get(wanted, wanted)
        if (chosen := find(known, wanted)) is not None:
            return chosen
    return next((entry for entry in known if entry.path == POSTCARD), known[0] if known else None)


def resident_checkpoints(services: Services) -> frozenset[str]:
    """Ids of the checkpoints in some live agent's memory."""
    return services.store.resident_checkpoints()


def place_of(checkpoint: Checkpoint, models_dir: Path) -> Path:
    """Where its file or folder lies."""
    if checkpoint.path.startswith(BUILTIN_PREFIX):
        return BUILTIN_FOLDER / checkpoint.path.removeprefix(BUILTIN_PREFIX)
    return models_dir / checkpoint.path


def place_of_weights(addon: AddonFile, models_dir: Path) -> Path:
    """Where an addon's file or folder lies."""
    return place_of_addon(addon, models_dir, BUILTIN_FOLDER.parent)


def _places(models_dir: Path) -> Iterator[tuple[str, Path]]:
    """(path in the catalogue, place on disk) of everything that may be a checkpoint."""
    for place in weights.candidates(models_dir / "checkpoints"):
        yield f"checkpoints/{place.name}", place
    for place in weights.candidates(models_dir):
        yield place.name, place
    for place in weights.candidates(BUILTIN_FOLDER):
        yield BUILTIN_PREFIX + place.name, place


def _free_name(path: str, place: Path, taken: set[str]) -> str:
    """The file's or folder's name without suffix, unless another checkpoint has it already: then the path."""
    stem = place.name[: -len(weights.SUFFIX)] if place.is_file() else place.name
    return path if stem.casefold() in taken else stem
