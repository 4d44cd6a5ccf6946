"""Manifests of pictures that the runtimes of this package have drawn."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import stablehand
from stablehand.domain.manifests import NAME_MOST, WORD_MOST, Manifest, Weights, fitting, shortened
from stablehand.ports import Order

if TYPE_CHECKING:
    from stablehand.engine.circumstances import Circumstances

#: Libraries that take part in every picture: noise and resizing, files.
_LIBRARIES = {"numpy": "numpy", "pillow": "Pillow"}


def drawn_manifest(order: Order, runtime: str, circumstances: Circumstances, *, resumed: bool) -> Manifest:
    """Of a picture that a network has drawn; ``resumed``: from a state that another process had saved."""
    recipe = order.recipe
    return Manifest(
        runtime=runtime,
        weights=fitting(_weights(order)),
        noise=recipe.noise.source,
        exact=recipe.exact,
        resumed=resumed,
        **_of_machine(circumstances),
    )


def resized_manifest(order: Order, runtime: str, circumstances: Circumstances) -> Manifest:
    """Of a picture that was only resized, perhaps by a network."""
    weights = fitting(_addons(order))
    return Manifest(runtime=runtime, weights=weights, exact=order.recipe.exact, **_of_machine(circumstances))


def painted_manifest(order: Order, runtime: str) -> Manifest:
    """Of a picture that no network took part in, on no device."""
    return Manifest(runtime=runtime, software=_software(), exact=order.recipe.exact)


def addon_hashes(order: Order) -> dict[str, str]:
    """id -> SHA-256 of what is used beside the checkpoint, as far as it is known."""
    return {addon.id: addon.sha256 for addon in order.addons if addon.sha256 is not None}


def _of_machine(circumstances: Circumstances) -> dict[str, Any]:
    return {
        "software": MappingProxyType({**_software(), **circumstances.software}),
        "device": circumstances.device,
        "device_name": shortened(circumstances.device_name, NAME_MOST),
        "compute": shortened(circumstances.compute, WORD_MOST),
        "dtypes": circumstances.dtypes,
        "attention": circumstances.attention,
        "bucket": circumstances.bucket,
    }


def _weights(order: Order) -> list[Weights]:
    found = [Weights(role="checkpoint", name=order.checkpoint.name, sha256=order.checkpoint.sha256)]
    if order.refiner is not None:
        found.append(Weights(role="refiner", name=order.refiner.name, sha256=order.refiner.sha256))
    return found + _addons(order)


def _addons(order: Order) -> list[Weights]:
    return [Weights(role=addon.kind, name=addon.name, sha256=addon.sha256) for addon in order.addons]


@cache
def _software() -> Mapping[str, str]:
    libraries = {name: version(package) for name, package in _LIBRARIES.items()}
    return MappingProxyType({"stablehand": stablehand.__version__, **libraries})
