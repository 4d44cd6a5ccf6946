"""Parcels: the saved state of a shot as bytes, with a label that says what it belongs to.

Layout: four bytes of magic, the label's length (four bytes, little-endian), the label as JSON, the contents. The label
carries the SHA-256 of the contents, so a parcel that was damaged on its way is known before anything in it is used.
"""

import hashlib
import json
import struct
from typing import Any

from stablehand import __version__
from stablehand.ports import Order
from stablehand.protocol import AddonRef, CheckpointRef

_MAGIC = b"SHP1"
_LENGTH = struct.Struct("<I")


class BrokenParcel(Exception):
    """The bytes are no parcel, were damaged, or belong to something else."""


def wrap(order: Order, runtime: str, precision: str, contents: bytes, **facts: float | list[Any]) -> bytes:
    """A parcel of ``contents`` for :func:`unwrap`; ``facts`` travel in its label as JSON."""
    label = {**_label(order, runtime, precision), **facts, "sha256": hashlib.sha256(contents).hexdigest()}
    label["weights"] = _weights(order)
    text = json.dumps(label, sort_keys=True).encode()
    return _MAGIC + _LENGTH.pack(len(text)) + text + contents


def unwrap(parcel: bytes, order: Order, runtime: str, precision: str) -> tuple[bytes, dict[str, Any]]:
    """The contents of a parcel that was made for just this order, and its label. Raises BrokenParcel."""
    start = len(_MAGIC) + _LENGTH.size
    if parcel[: len(_MAGIC)] != _MAGIC or len(parcel) < start:
        raise BrokenParcel("it is no parcel")
    end = start + _LENGTH.unpack_from(parcel, len(_MAGIC))[0]
    try:
        label = json.loads(parcel[start:end])
    except ValueError as error:
        raise BrokenParcel("its label cannot be read") from error
    contents = parcel[end:]
    if not isinstance(label, dict) or label.get("sha256") != hashlib.sha256(contents).hexdigest():
        raise BrokenParcel("it was damaged")
    for name, value in _label(order, runtime, precision).items():
        if label.get(name) != value:
            raise BrokenParcel(f"its {name} is {label.get(name)!r}, not {value!r}")
    found = label.get("weights")
    known: dict[str, str] = found if isinstance(found, dict) else {}
    for name, sha256 in _weights(order).items():
        if known.get(name, sha256) != sha256:
            raise BrokenParcel(f"the weights {name} have changed since")
    return contents, label


def _label(order: Order, runtime: str, precision: str) -> dict[str, Any]:
    return {
        "runtime": runtime,
        "version": __version__,
        "precision": precision,
        "recipe": order.recipe.fingerprint,
        "checkpoint": order.checkpoint.id,
    }


def _weights(order: Order) -> dict[str, str]:
    """id -> SHA-256 of all that the order is drawn with, as far as it is known by now."""
    refs: list[CheckpointRef | AddonRef] = [order.checkpoint, *order.addons]
    refs += [] if order.refiner is None else [order.refiner]
    return {ref.id: ref.sha256 for ref in refs if ref.sha256 is not None}
