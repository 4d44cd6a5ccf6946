"""Weight files on disk: found, read as far as their headers, and hashed. No tensor is ever loaded here."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stablehand.domain.errors import CheckpointBroken
from stablehand.domain.families import Network, from_folder, from_single_file

SUFFIX = ".safetensors"
INDEX = "model_index.json"

#: The format's own limit is 100 MB; a header that large is not one of a checkpoint.
HEADER_MAX_BYTES = 32 * 2**20
CONFIG_MAX_BYTES = 2**20
CHUNK_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class Weights:
    """A file or folder that looks like a checkpoint."""

    path: Path
    size_bytes: int
    stamp: str  #: changes when a file in it does, stays when the whole is moved


@dataclass(frozen=True, slots=True)
class Header:
    shapes: Mapping[str, tuple[int, ...]]
    metadata: Mapping[str, str]


def candidates(folder: Path) -> Iterator[Path]:
    """What lies directly in a folder and may be a checkpoint, by name; nothing when there is no such folder."""
    if folder.is_dir():
        for path in sorted(folder.iterdir()):
            is_file = path.suffix.casefold() == SUFFIX and path.is_file()
            if not path.name.startswith(".") and (is_file or (path / INDEX).is_file()):
                yield path


def measure(path: Path) -> Weights:
    """Size and stamp, from file attributes only."""
    files = [path] if path.is_file() else _files_below(path)
    lines = []
    size_bytes = 0
    for file in files:
        attributes = file.stat()
        name = "" if file == path else file.relative_to(path).as_posix()
        lines.append(f"{name}:{attributes.st_size}:{attributes.st_mtime_ns}")
        size_bytes += attributes.st_size
    return Weights(path, size_bytes, hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest())


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
    return network


def read_header(path: Path) -> Header:
    """Names and shapes in a safetensors file (format: 8 bytes of length, JSON, data), checked against its size.

    Raises:
        CheckpointBroken: it is not a whole safetensors file.
    """
    broken = CheckpointBroken(
        f"{path.name} is truncated or not a safetensors file.", hint="Copy or download the file again."
    )
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= min(HEADER_MAX_BYTES, size - 8):
            raise broken
        text = file.read(length)
    try:
        entries = json.loads(text)
        metadata = entries.pop("__metadata__", {})
        shapes = {name: tuple(entry["shape"]) for name, entry in entries.items()}
        data_bytes = max((entry["data_offsets"][1] for entry in entries.values()), default=0)
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError):
        raise broken from None
    if not isinstance(data_bytes, int) or size != 8 + length + data_bytes:
        raise broken
    return Header(shapes, metadata if isinstance(metadata, dict) else {})


def sha256_of(path: Path) -> str:
    """Of a file: its SHA-256. Of a folder: that of its sorted lines ``<file sha256>  <path>``, each ending in \\n."""
    if path.is_file():
        return _sha256_of_file(path)
    lines = sorted(f"{_sha256_of_file(file)}  {file.relative_to(path).as_posix()}\n" for file in _files_below(path))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _recognise_file(path: Path) -> Network | None:
    header = read_header(path)
    return from_single_file(header.shapes, header.metadata)


def _recognise_folder(path: Path) -> Network | None:
    index = _read_config(path / INDEX)
    for part in ("unet", "transformer", "vae", "text_encoder", "text_encoder_2"):
        if part in index:
            weights = [file for file in candidates(path / part) if file.is_file()]
            if not weights:
                raise CheckpointBroken(
                    f"{path.name}/{part} has no {SUFFIX} file.", hint="Save the pipeline with safe_serialization=True."
                )
            for file in weights:
                read_header(file)
    unet = _read_config(path / ("unet" if "unet" in index else "transformer") / "config.json")
    return from_folder(
        str(index.get("_class_name", "")),
        unet,
        _read_config(path / "vae" / "config.json"),
        second_text_encoder="text_encoder_2" in index,
    )


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
