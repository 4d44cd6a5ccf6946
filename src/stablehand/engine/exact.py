"""Exact pictures: their calls have one shape, whoever is in them and however many, so that a picture is bit-equal
whatever else is drawn.

How a network's sums are cut into pieces, and so how they are rounded, depends on the shape of a call. What is left to
show is that it does not depend on where in the call a row stands. Kernels need not promise that: on a CPU they share
the work of a call among threads without regard to rows. So it is tried, once for each shape, and where it does not
hold each picture has calls of its own.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch

from stablehand.engine.checkpoints import Resident
from stablehand.engine.devices import Placement
from stablehand.engine.groups import GroupKey
from stablehand.engine.rows import Inputs, call, row_bytes, row_operations

#: The work of one call, in floating-point operations: about what keeps the device busy. A CPU is kept busy by a single
#: row, so more of them would only make a lone picture wait for its padding.
CALL_OPERATIONS = {"cuda": 8e12, "cpu": 0.0}
#: Rows of a call. A guided picture has two.
ROWS_LEAST, ROWS_MOST = 2, 16
#: Share of all the memory, free or not, that a call may take: what is free depends on others.
MEMORY_SHARE = 0.25


class Buckets:
    """How many rows go into the calls of exact pictures, and into which call each goes.

    ``rows``: so many, whatever suits the device.
    """

    def __init__(self, placement: Placement, rows: int | None = None) -> None:
        self._placement = placement
        self._rows = rows
        self._holds: dict[GroupKey, bool] = {}  #: whether it does not matter where in a call a row stands

    def rows(self, resident: Resident, shape: tuple[int, int, int]) -> int:
        """Rows of a call for latents of this shape: a power of two that depends on nothing that others could change."""
        if self._rows is not None:
            return self._rows
        busy = CALL_OPERATIONS[self._placement.device.type] / row_operations(resident, shape)
        fitting = MEMORY_SHARE * self._placement.memory_bytes / row_bytes(resident, shape)
        rows = ROWS_LEAST
        while 2 * rows <= min(busy, fitting, ROWS_MOST):
            rows *= 2
        return rows

    def divide(
        self, resident: Resident, key: GroupKey, rows: Inputs, pictures: Sequence[int]
    ) -> list[list[int]] | None:
        """Full buckets, the last one filled up with copies of its last row; None for a group that is not exact.

        ``pictures``: of each row, which picture it is of.
        """
        if not key.bucket:
            return None
        if key not in self._holds:
            self._holds[key] = place_is_nothing(resident, rows, key.bucket)
        if not self._holds[key]:
            return [[row for row, of in enumerate(pictures) if of == picture] for picture in sorted(set(pictures))]
        calls = [list(range(first, first + key.bucket)) for first in range(0, len(rows), key.bucket)]
        return [[min(row, len(rows) - 1) for row in one] for one in calls]

    def evaluated(self, key: GroupKey, rows: int) -> int:
        """So many rows, and what they are filled up with."""
        if not key.bucket or not self._holds.get(key, True):
            return rows
        return -(-rows // key.bucket) * key.bucket

    def at_once(self, key: GroupKey, rows: Sequence[int]) -> int:
        """The most rows that a call will have, for pictures with so many rows each."""
        if not key.bucket:
            return sum(rows)
        return key.bucket if self._holds.get(key, True) else max(rows)


def place_is_nothing(resident: Resident, like: Inputs, count: int) -> bool:
    """Whether the answer to a row is the same, bit for bit, wherever in a call of ``count`` rows it stands.

    Tried with rows of noise, the same ones at each time, so that the answer depends on the device and the network
    alone; ``like`` says of what kind they are. Takes 1 + log2(count) calls.
    """
    if count == 1:
        return True
    chance = torch.Generator().manual_seed(0)
    device = like.latents.device
    rows = like.take([0] * count)
    rows = replace(
        rows,
        latents=torch.randn(rows.latents.shape, generator=chance).to(device),
        timesteps=torch.linspace(0.0, 999.0, count, device=device),
        contexts=torch.randn(rows.contexts.shape, generator=chance).to(rows.contexts),
    )
    answers = call(resident, rows)
    shift = 1
    while shift < count:
        order = [(row + shift) % count for row in range(count)]
        if not torch.equal(call(resident, rows.take(order)), answers[order]):
            return False
        shift *= 2
    return True
