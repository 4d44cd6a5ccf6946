"""A manifest: by what a picture was drawn, down to everything that may change its bits.

The recipe says what was ordered, the manifest what it met. An agent writes it; nobody can check its words, so what is
read from an agent is bounded and well-formed, and no more is claimed of it.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self, get_args

from stablehand.domain.recipes import NoiseSource

#: Raised when the meaning of a stored manifest changes.
MANIFEST_VERSION = 1

#: Characters of a name of a file or a device, and of a short word.
NAME_MOST, WORD_MOST = 200, 64
#: Entries. With the above, no manifest has more than 20,000 characters.
WEIGHTS_MOST, SOFTWARE_MOST, ATTENTION_MOST = 48, 24, 8

#: What weights were used as.
Role = Literal["checkpoint", "refiner", "vae", "embedding", "upscaler"]
#: Networks that compute in a precision of their own.
Part = Literal["unet", "text", "vae", "upscaler"]

_SHA256 = re.compile(r"[0-9a-f]{64}")


class BadManifest(ValueError):
    """No manifest that this version would write; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """A file of weights that took part."""

    role: Role
    name: str
    sha256: str | None = None  #: None when it was not known yet

    @property
    def short_hash(self) -> str | None:
        """The hash as A1111 shows it."""
        return None if self.sha256 is None else self.sha256[:10]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    runtime: str  #: which one drew it: "native", "null" …
    software: Mapping[str, str] = field(default_factory=dict)  #: name -> version
    weights: tuple[Weights, ...] = ()
    device: str = "none"  #: its kind: "cpu", "cuda" …
    device_name: str = ""
    compute: str = ""  #: which of its instructions: a processor's widest vectors, a GPU's compute capability
    dtypes: Mapping[Part, str] = field(default_factory=dict)  #: what each network computed in
    attention: tuple[str, ...] = ()  #: kernels that computed the UNet's attention, in alphabetical order
    noise: NoiseSource | None = None  #: None where no noise was drawn
    exact: bool = False  #: bit-equal whatever else was in the batch
    bucket: int | None = None  #: rows that each of the UNet's calls was filled up to; None where it was not filled
    resumed: bool = False  #: begun by another process, which saved its state; all this is said of the one that ended it
    version: int = MANIFEST_VERSION

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values, the form that is sent, stored and written into files. What says nothing is left out."""
        values: dict[str, Any] = {
            "version": self.version,
            "runtime": self.runtime,
            "software": dict(self.software),
            "weights": [
                {"role": one.role, "name": one.name} | ({} if one.sha256 is None else {"sha256": one.sha256})
                for one in self.weights
            ],
            "device": self.device,
            "device_name": self.device_name,
            "compute": self.compute,
            "dtypes": dict(self.dtypes),
            "attention": list(self.attention),
            "noise": self.noise,
            "exact": self.exact,
            "bucket": self.bucket,
            "resumed": self.resumed,
        }
        return {name: value for name, value in values.items() if value or name == "exact"}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of :meth:`as_dict`; fields of a newer version are left out.

        Raises:
            BadManifest: something is of the wrong type, too long, or too much.
        """
        version = values.get("version", MANIFEST_VERSION)
        noise = values.get("noise")
        bucket = values.get("bucket")
        exact, resumed = values.get("exact", False), values.get("resumed", False)
        _check(type(version) is int and 1 <= version <= 1_000, "version")
        _check(noise is None or noise in get_args(NoiseSource), "noise")
        _check(bucket is None or (type(bucket) is int and 1 <= bucket <= 4_096), "bucket")
        _check(type(exact) is bool and type(resumed) is bool, "exact or resumed")
        dtypes = _texts(values, "dtypes", len(get_args(Part)))
        _check(set(dtypes) <= set(get_args(Part)), "dtypes")
        attention = _list(values, "attention", ATTENTION_MOST)
        return cls(
            runtime=_text(values.get("runtime"), WORD_MOST, "runtime"),
            software=_texts(values, "software", SOFTWARE_MOST),
            weights=tuple(_weights(one) for one in _list(values, "weights", WEIGHTS_MOST)),
            device=_text(values.get("device", "none"), WORD_MOST, "device"),
            device_name=_text(values.get("device_name", ""), NAME_MOST, "device_name"),
            compute=_text(values.get("compute", ""), WORD_MOST, "compute"),
            dtypes={part: dtypes[part] for part in get_args(Part) if part in dtypes},
            attention=tuple(_text(one, WORD_MOST, "attention") for one in attention),
            noise=noise,
            exact=exact,
            bucket=bucket,
            resumed=resumed,
            version=version,
        )


def shortened(text: str, most: int) -> str:
    """``text`` as a manifest can hold it: one printable line of at most ``most`` characters."""
    return "".join(letter if letter.isprintable() else " " for letter in text[:most])


def fitting(weights: Iterable[Weights]) -> tuple[Weights, ...]:
    """As many as a manifest can hold, their names as it can hold them."""
    return tuple(
        Weights(role=one.role, name=shortened(one.name, NAME_MOST), sha256=one.sha256)
        for one, _ in zip(weights, range(WEIGHTS_MOST), strict=False)
    )


def _check(holds: bool, what: str) -> None:
    if not holds:
        raise BadManifest(f"{what} is not as a manifest says it")


def _text(value: object, most: int, what: str) -> str:
    if not isinstance(value, str) or len(value) > most or not value.isprintable():
        raise BadManifest(f"{what} is no printable text of at most {most} characters")
    return value


def _list(values: Mapping[str, Any], what: str, most: int) -> list[Any]:
    found = values.get(what, [])
    if not isinstance(found, list) or len(found) > most:
        raise BadManifest(f"{what} is no list of at most {most} entries")
    return found


def _texts(values: Mapping[str, Any], what: str, most: int) -> dict[str, str]:
    found = values.get(what, {})
    if not isinstance(found, dict) or len(found) > most:
        raise BadManifest(f"{what} is no table of at most {most} entries")
    return {_text(name, WORD_MOST, what): _text(value, WORD_MOST, what) for name, value in found.items()}


def _weights(value: object) -> Weights:
    if not isinstance(value, dict) or value.get("role") not in get_args(Role):
        raise BadManifest("weights hold something that has no known role")
    sha256 = value.get("sha256")
    _check(sha256 is None or (isinstance(sha256, str) and _SHA256.fullmatch(sha256) is not None), "a hash")
    return Weights(role=value["role"], name=_text(value.get("name"), NAME_MOST, "a name"), sha256=sha256)
