"""The header of a safetensors file: which tensors it holds and where, checked before a byte of them is touched.

The format (https://huggingface.co/docs/safetensors): eight bytes of length, little-endian; that many bytes of JSON, an
object of ``name -> {dtype, shape, data_offsets}`` and of words under ``__metadata__``; then the data, without gaps.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import TypeGuard

#: The format's own limit is 100 MB; a header that large is not one of a checkpoint.
HEADER_MAX_BYTES = 32 * 2**20
LENGTH_BYTES = 8

#: dtype in the header -> bits of one value
_BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8,
    "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32, "I64": 64, "U64": 64, "F64": 64,
}  # fmt: skip


class BadHeader(ValueError):
    """What is wrong with a header, in a few words."""


@dataclass(frozen=True, slots=True)
class Header:
    shapes: Mapping[str, tuple[int, ...]]
    metadata: Mapping[str, str]
    data_bytes: int = 0  #: of the tensors alone


def header_length(first: bytes, file_bytes: int) -> int:
    """Bytes of the JSON, from the file's first eight bytes. Raises BadHeader."""
    length = int.from_bytes(first, "little")
    if len(first) < LENGTH_BYTES:
        raise BadHeader("it is too short to be a safetensors file")
    if not 2 <= length <= file_bytes - LENGTH_BYTES:
        raise BadHeader("it is truncated, or not a safetensors file")
    if length > HEADER_MAX_BYTES:
        raise BadHeader(f"its header claims {length} bytes, more than the {HEADER_MAX_BYTES} of any checkpoint")
    return length


def parse_header(text: bytes, file_bytes: int) -> Header:
    """The header of a file that is ``file_bytes`` long in all.

    Raises BadHeader for anything but tensors that lie one after the other and fill the file to its end.
    """
    try:
        entries = json.loads(text)
    except (ValueError, RecursionError):
        raise BadHeader("its header is not JSON") from None
    if not isinstance(entries, dict):
        raise BadHeader("its header is not a JSON object")
    metadata = entries.pop("__metadata__", None) or {}
    if not isinstance(metadata, dict):
        raise BadHeader("its metadata are not a JSON object")
    shapes: dict[str, tuple[int, ...]] = {}
    places: list[tuple[int, int, str]] = []
    for name, entry in entries.items():
        shapes[name], begin, end = _tensor(name, entry)
        places.append((begin, end, name))
    reached = 0
    for begin, end, name in sorted(places):
        if begin != reached:
            raise BadHeader(f"the data of {name[:100]} {'overlap others' if begin < reached else 'leave a gap'}")
        reached = end
    if LENGTH_BYTES + len(text) + reached != file_bytes:
        raise BadHeader(
            "it is truncated" if LENGTH_BYTES + len(text) + reached > file_bytes else "it goes on after its last tensor"
        )
    words = {str(key): value for key, value in metadata.items() if isinstance(value, str)}
    return Header(shapes, words, reached)


def _tensor(name: str, entry: object) -> tuple[tuple[int, ...], int, int]:
    """Shape, begin and end of one tensor."""
    wrong = BadHeader(f"its header describes {name[:100]} in a way that cannot be")
    if not isinstance(entry, dict):
        raise wrong
    shape, offsets, bits = entry.get("shape"), entry.get("data_offsets"), _BITS.get(str(entry.get("dtype")))
    if not _are_sizes(shape) or not _are_sizes(offsets) or len(offsets) != 2 or bits is None:
        raise wrong
    begin, end = offsets
    if (end - begin) * 8 != prod(shape) * bits:
        raise wrong
    return tuple(shape), begin, end


def _are_sizes(values: object) -> TypeGuard[list[int]]:
    return isinstance(values, list) and all(type(value) is int and 0 <= value < 2**62 for value in values)
