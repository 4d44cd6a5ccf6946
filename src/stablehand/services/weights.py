"""weights: agents fetch what is not on their disks, by hash."""

from pathlib import Path

from stablehand.adapters import weights
from stablehand.domain.errors import NotFound
from stablehand.services import Services
from stablehand.services.catalogue import place_of, place_of_weights


def find_weights(services: Services, sha256: str) -> Path:
    """The file or folder with this hash. Raises NotFound."""
    checkpoint = services.store.checkpoint_by_sha256(sha256)
    addon = None if checkpoint is not None else services.store.addon_by_sha256(sha256)
    place = None
    if checkpoint is not None:
        place = place_of(checkpoint, services.models_dir)
    elif addon is not None:
        place = place_of_weights(addon, services.models_dir)
    if place is None or not place.exists():
        raise NotFound("There are no weights with this hash.", hint="They may have been removed since.")
    return place


def list_weights(place: Path) -> str:
    """Of a folder: its sorted lines ``<file sha256>  <path>``, of which its own hash is made."""
    return weights.list_of(place, weights.measure(place).stamp)


def find_part(services: Services, sha256: str, path: str) -> Path:
    """One file of a folder; of a single file, the YAML beside it as ``side``. Raises NotFound."""
    place = find_weights(services, sha256)
    if place.is_dir():
        known = {line.partition("  ")[2] for line in list_weights(place).splitlines()}
        part = place / path if path in known else None
    else:
        part = place.with_suffix(weights.SIDE_SUFFIX) if path == "side" else None
    if part is None or not part.is_file():
        raise NotFound("These weights have no such part.")
    return part
