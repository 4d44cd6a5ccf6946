"""A pool: a named set of agents that can run the same runtime."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pool:
    name: str
    checkpoints: frozenset[str] | None = None  #: names a static pool is limited to; None: dynamic, any checkpoint


DEFAULT_POOL = Pool("default")


def route(pools: Iterable[Pool], checkpoint_name: str) -> Pool | None:
    """The pool that runs a checkpoint: the static one that names it, else a dynamic one, else None."""
    known = list(pools)
    wanted = checkpoint_name.casefold()
    for pool in known:
        if pool.checkpoints is not None and wanted in {name.casefold() for name in pool.checkpoints}:
            return pool
    return next((pool for pool in known if pool.checkpoints is None), None)
