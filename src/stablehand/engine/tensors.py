"""Tensors in safetensors files: shapes from the headers, values one at a time."""

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from stablehand.domain.errors import CheckpointBroken, CheckpointUnreadable
from stablehand.domain.headers import LENGTH_BYTES, BadHeader, Header, header_length, parse_header
from stablehand.engine.layouts import Shape

FETCH_AGAIN = "Fetch the checkpoint again."
INDEX_MAX_BYTES = 32 * 2**20


class TensorFiles:
    """One file, or the shards of one component, as a single mapping of names. Raises CheckpointBroken for bad files."""

    def __init__(self, *paths: Path) -> None:
        self.paths = paths
        self.metadata: dict[str, str] = {}
        self._shapes: dict[str, Shape] = {}
        self._place: dict[str, Path] = {}
        for path in paths:
            header = read_header(path)
            self.metadata |= header.metadata
            self._shapes |= header.shapes
            self._place |= dict.fromkeys(header.shapes, path)

    @property
    def shapes(self) -> Mapping[str, Shape]:
        return self._shapes

    def path_of(self, name: str) -> Path:
        return self._place.get(name, self.paths[0])

    @contextmanager
    def reading(self) -> Iterator["TensorReader"]:
        """Opens the files; the values read meanwhile are views of them until they are copied."""
        with ExitStack() as open_files:
            handles: dict[Path, Any] = {}
            for path in self.paths:
                with naming(path):
                    handles[path] = open_files.enter_context(safe_open(path, "pt"))
            yield TensorReader(self._place, handles)


class TensorReader:
    def __init__(self, places: Mapping[str, Path], handles: Mapping[Path, Any]) -> None:
        self._places = places
        self._handles = handles

    def __call__(self, name: str) -> Tensor:
        path = self._places[name]
        with naming(path):
            tensor: Tensor = self._handles[path].get_tensor(name)
            return tensor


def read_header(path: Path) -> Header:
    """The checked header of one file. Raises CheckpointBroken naming it."""
    with naming(path):
        size = path.stat().st_size
        with path.open("rb") as file:
            text = file.read(header_length(file.read(LENGTH_BYTES), size))
        return parse_header(text, size)


def component_files(folder: Path, stem: str) -> TensorFiles:
    """The weights of one component of a diffusers folder: whole or in shards, full precision before half.

    Raises CheckpointBroken when there are none as safetensors.
    """
    for variant in ("", ".fp16"):
        whole = folder / f"{stem}{variant}.safetensors"
        if whole.is_file():
            return TensorFiles(whole)
        for index in (
            folder / f"{stem}.safetensors.index{variant}.json",
            folder / f"{stem}{variant}.safetensors.index.json",
        ):
            if index.is_file():
                return TensorFiles(*_shards(index))
    pickles = [file.name for suffix in ("bin", "pt", "ckpt") for file in folder.glob(f"*.{suffix}")]
    raise CheckpointBroken(
        f"{folder / stem}.safetensors is missing{f'; there is only {pickles[0]}' if pickles else ''}.",
        hint="Only safetensors files are loaded, because others can run code; convert them, or fetch others.",
    )


def read_json(file: Path) -> dict[str, Any]:
    """A small configuration file. Raises CheckpointBroken."""
    try:
        if file.stat().st_size > INDEX_MAX_BYTES:
            raise ValueError("it is far too long")
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointBroken(f"{file} is missing.", hint=FETCH_AGAIN) from None
    except (OSError, ValueError, RecursionError) as error:
        kind = CheckpointUnreadable if _may_pass(error) else CheckpointBroken
        raise kind(f"{file} is not readable JSON: {error}", hint=FETCH_AGAIN) from error
    if not isinstance(content, dict):
        raise CheckpointBroken(f"{file} is not a JSON object.", hint=FETCH_AGAIN)
    return content


@contextmanager
def naming(file: Path) -> Iterator[None]:
    """Turns what reading a file raises into CheckpointBroken with its name."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except BadHeader as error:
        raise CheckpointBroken(f"{file} cannot be loaded: {error}.", hint=FETCH_AGAIN) from error
    except (SafetensorError, OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split())[:300]
        kind = CheckpointUnreadable if _may_pass(error) else CheckpointBroken
        raise kind(f"{file} cannot be loaded: {reason}", hint=FETCH_AGAIN) from error


def _may_pass(error: Exception) -> bool:
    """True for trouble of the disk or the network; a file that is not there is certain."""
    return isinstance(error, OSError) and not isinstance(error, FileNotFoundError | NotADirectoryError)


def _shards(index: Path) -> list[Path]:
    weight_map = read_json(index).get("weight_map")
    names = set(weight_map.values()) if isinstance(weight_map, dict) else set()
    if not names or not all(isinstance(name, str) and name == Path(name).name for name in names):
        raise CheckpointBroken(f"{index} names no shards.", hint=FETCH_AGAIN)
    missing = [name for name in sorted(names) if not (index.parent / name).is_file()]
    if missing:
        raise CheckpointBroken(f"{index.parent / missing[0]} is missing.", hint=FETCH_AGAIN)
    return [index.parent / name for name in sorted(names)]
