"""Weight files on disk: found, read as far as their headers, and hashed. No tensor is ever loaded here."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from stablehand.domain.errors import CheckpointBroken
from stablehand.domain.families import Network, from_folder, from_single_file, is_of_another_kind, with_side_words
from stablehand.domain.headers import LENGTH_BYTES, BadHeader, Header, header_length, parse_header
from stablehand.domain.siblings import lender_of

SUFFIX = ".safetensors"
#: of a file beside a single file, which says what its header does not
SIDE_SUFFIX = ".yaml"
INDEX = "model_index.json"
#: of a single network in diffusers' folders
CONFIG = "config.json"
#: in the models folder: where the files in it came from
SOURCES = "sources.json"

#: Suffixes of files that Python's pickle reads.
PICKLES = (".ckpt", ".pt", ".pth", ".bin")
#: what is said of them
PICKLE_WORDS = (
    "It is a pickle file, which can run code when it is opened, and is never read. Convert it to .safetensors on a "
    "machine you can afford to lose: see the guide on bringing your own checkpoint."
)
CONFIG_MAX_BYTES = 2**20
CHUNK_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class Weights:
    """A file or folder that looks like a checkpoint."""

    path: Path
    size_bytes: int
    stamp: str  #: changes when a file in it does, stays when the whole is moved


def candidates(folder: Path, sign: str = INDEX) -> Iterator[Path]:
    """What lies directly in a folder and may be usable, by name; nothing when there is no such folder.

    Files, and folders that hold a file called ``sign``: a pipeline's index, or a single network's ``CONFIG``.
    """
    if folder.is_dir():
        for path in sorted(folder.iterdir()):
            is_file = path.suffix.casefold() == SUFFIX and path.is_file()
            if not path.name.startswith(".") and (is_file or (path / sign).is_file()):
                yield path


def measure(path: Path) -> Weights:
    """Size and stamp, from file attributes only."""
    side = path.with_suffix(SIDE_SUFFIX)
    files = [path, *([side] if side.is_file() else [])] if path.is_file() else _files_below(path)
    lines = []
    size_bytes = 0
    for file in files:
        attributes = file.stat()
        name = "" if file == path else SIDE_SUFFIX if file == side else file.relative_to(path).as_posix()
        lines.append(f"{name}:{attributes.st_size}:{attributes.st_mtime_ns}")
        size_bytes += attributes.st_size
    return Weights(path, size_bytes, hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest())


def pickles(folder: Path) -> Iterator[Path]:
    """Weight files in a folder that could run code when they are opened, and so never are."""
    if folder.is_dir():
        for path in sorted(folder.iterdir()):
            if path.suffix.casefold() in PICKLES and not path.name.startswith(".") and path.is_file():
                yield path


def recognise(path: Path) -> Network:
    """Which network lies there.

    Raises:
        CheckpointBroken: something is missing, truncated, or of no kind that is known.
    """
    try:
        network = _recognise_file(path) if path.is_file() else _recognise_folder(path)
    except OSError as error:
        raise CheckpointBroken(
            f"{path.name} cannot be read: {error.strerror}.", hint="Check its permissions."
        ) from error
    if network is None:
        raise CheckpointBroken(
            f"{path.name} holds no Stable Diffusion checkpoint.",
            hint="LoRAs, VAEs and embeddings have folders of their own beside checkpoints/.",
        )
    if network.unsupported is not None:
        raise CheckpointBroken(f"{path.name} cannot be used: {network.unsupported}.", hint="Use another checkpoint.")
    return network


def read_header(path: Path) -> Header:
    """Names and shapes in a safetensors file, checked against its size.

    Raises:
        CheckpointBroken: it is not a whole safetensors file.
    """
    size = path.stat().st_size
    try:
        with path.open("rb") as file:
            text = file.read(header_length(file.read(LENGTH_BYTES), size))
        return parse_header(text, size)
    except BadHeader as error:
        raise CheckpointBroken(f"{path.name}: {error}.", hint="Copy or download the file again.") from None


def read_network_headers(folder: Path) -> Mapping[str, Sequence[int]]:
    """Names and shapes in all files of a single network's folder. Raises CheckpointBroken, also when there is none."""
    files = [file for file in candidates(folder) if file.is_file()]
    if not files:
        raise CheckpointBroken(f"{folder.name} has no {SUFFIX} file.", hint="Save it with safe_serialization=True.")
    shapes: dict[str, Sequence[int]] = {}
    for file in files:
        shapes |= read_header(file).shapes
    return shapes


def read_sources(models_dir: Path) -> dict[str, str]:
    """path in the models folder -> the address it was fetched from."""
    return {path: entry["source"] for path, entry in read_origins(models_dir).items()}


def read_asked(models_dir: Path) -> dict[str, str]:
    """What somebody asked for, as they wrote it -> path in the models folder."""
    return {entry["asked"]: path for path, entry in read_origins(models_dir).items()}


def read_origins(models_dir: Path) -> dict[str, dict[str, str]]:
    """path -> ``source`` and ``asked``, as they were noted when something was fetched."""
    try:
        words = json.loads((models_dir / SOURCES).read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    entries = words.items() if isinstance(words, dict) else ()
    return {path: entry for path, entry in entries if isinstance(entry, dict) and {"source", "asked"} <= set(entry)}


def sha256_of(path: Path) -> str:
    """Of a file: its SHA-256. Of a folder: that of its sorted lines ``<file sha256>  <path>``, each ending in \\n."""
    if path.is_file():
        return _sha256_of_file(path)
    return hashlib.sha256(list_of(path, measure(path).stamp).encode()).hexdigest()


@lru_cache(maxsize=64)
def list_of(folder: Path, stamp: str) -> str:
    """A folder's sorted lines ``<file sha256>  <path>``, each ending in \\n. ``stamp``: what it looked like."""
    del stamp  # a changed folder is another entry of the cache
    lines = sorted(f"{_sha256_of_file(file)}  {file.relative_to(folder).as_posix()}\n" for file in _files_below(folder))
    return "".join(lines)


def _recognise_file(path: Path) -> Network | None:
    header = read_header(path)
    network = from_single_file(header.shapes, header.metadata)
    if network is None:
        return None
    if is_of_another_kind(header.shapes):
        raise CheckpointBroken(
            f"{path.name} cannot be used: it is computed by EDM's rules.", hint="Use another checkpoint."
        )
    return with_side_words(network, read_side_words(path))


def read_side_words(path: Path) -> Mapping[str, Any]:
    """What a YAML file of the same name says about a single file. Raises CheckpointBroken when it is not to be read."""
    side = path.with_suffix(SIDE_SUFFIX)
    if not side.is_file():
        return {}
    try:
        words = yaml.safe_load(side.read_bytes()) if side.stat().st_size <= CONFIG_MAX_BYTES else None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError):
        words = None
    if not isinstance(words, dict):
        raise CheckpointBroken(f"{side.name}, which describes {path.name}, is not YAML.", hint="Correct or remove it.")
    return words


def _recognise_folder(path: Path) -> Network | None:
    index = _read_config(path / INDEX)
    try:
        lender = lender_of(index)
    except ValueError as error:
        raise CheckpointBroken(f"{path.name}/{INDEX}: {error}.", hint="Fetch it again.") from error

    def place(part: str) -> Path:
        own = path / part
        return own if lender is None or own.is_dir() else path.parent / lender / part

    for part in ("unet", "transformer", "vae", "text_encoder", "text_encoder_2"):
        if _is_named(index, part):
            weights = [file for file in candidates(place(part)) if file.is_file()]
            if not weights:
                raise CheckpointBroken(
                    f"{path.name}/{part} has no {SUFFIX} file.", hint="Save the pipeline with safe_serialization=True."
                )
            for file in weights:
                read_header(file)
    unet = _read_config(place("unet" if "unet" in index else "transformer") / "config.json")
    scheduler = place("scheduler") / "scheduler_config.json"
    return from_folder(
        str(index.get("_class_name", "")),
        unet,
        _read_config(place("vae") / "config.json"),
        second_text_encoder=_is_named(index, "text_encoder_2"),
        first_text_encoder=_is_named(index, "text_encoder"),
        scheduler=_read_config(scheduler) if scheduler.is_file() else None,
    )


def _is_named(index: Mapping[str, Any], part: str) -> bool:
    """Whether a pipeline has this part; those left out are written as [null, null]."""
    entry = index.get(part)
    return isinstance(entry, list) and len(entry) == 2 and entry[1] is not None


def _read_config(path: Path) -> dict[str, Any]:
    broken = CheckpointBroken(
        f"{path.parent.name}/{path.name} is missing or damaged.", hint="Copy or download the whole folder again."
    )
    try:
        if path.stat().st_size > CONFIG_MAX_BYTES:
            raise broken
        values = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError, RecursionError):
        raise broken from None
    if not isinstance(values, dict):
        raise broken
    return values


def _files_below(folder: Path) -> list[Path]:
    """All files of a folder without hidden ones."""
    return [
        file
        for file in sorted(folder.rglob("*"))
        if file.is_file() and not any(part.startswith(".") for part in file.relative_to(folder).parts)
    ]


def _sha256_of_file(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
