"""Our engine with many clients at once, against diffusers' own pipeline serving the same requests one after another.

Same checkpoint, device, threads and number of network evaluations, in one process. The two sides take turns in small
pieces (whichever has had less time goes next), so that what else the machine does meets both alike; only a side's own
time counts for it. Neither side's time includes loading weights or writing picture files.
"""

from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

import stablehand
from stablehand.bench.full_size import measure_full_size
from stablehand.bench.sides import (
    NetworkTime,
    Ours,
    Request,
    Serial,
    Side,
    make_recipes,
    pipeline_of_folder,
    race,
    rate,
    warm_up,
)
from stablehand.engine.checkpoints import load_checkpoint
from stablehand.engine.devices import choose

POSTCARD = Path(stablehand.__file__).parent / "builtin" / "checkpoints" / "postcard"


def run(
    *,
    checkpoint: Path = POSTCARD,
    clients: int = 16,
    requests_per_client: int = 2,
    size: int = 256,
    precision: str = "auto",
    threads: int | None = None,
    seed: int = 0,
    full_size: bool = True,
) -> dict[str, Any]:
    """Measure both sides; takes about two minutes on two cores, more with a GPU, which has more to show.

    ``ratio`` is that of equal precision; ``ratio_defaults`` compares our automatic precision with the float32 in which
    diffusers loads a folder when nothing is said. ``network_share``: of our time, where the device is a CPU.
    ``full_size``: measure networks of published size as well. Raises CheckpointBroken when there is no checkpoint in
    the folder.
    """
    placement = choose(precision, threads)
    is_cpu = placement.device.type == "cpu"
    requests = [Request(recipe) for recipe in make_recipes(clients * requests_per_client, [(size, size)], seed)]
    resident = load_checkpoint("bench", checkpoint, placement)
    ours = Ours(resident, clients)
    equal = Serial(pipeline_of_folder(checkpoint, placement, placement.dtype), resident.levels)
    defaults = equal
    if placement.precision != "fp32":
        defaults = Serial(pipeline_of_folder(checkpoint, placement, torch.float32), resident.levels)
    sides: list[Side] = [ours, equal] if defaults is equal else [ours, equal, defaults]
    warm_up(sides, make_recipes(min(2, clients), [(size, size)], seed + 1))
    inside = NetworkTime()
    with inside.of(resident):
        race(sides, requests, taking_turns=is_cpu)
    return {
        "ours_images_per_second": round(rate(ours), 4),
        "serial_diffusers_images_per_second": round(rate(equal), 4),
        "ratio": round(rate(ours) / rate(equal), 3),
        "ratio_equal_precision": round(rate(ours) / rate(equal), 3),
        "ratio_defaults": round(rate(ours) / rate(defaults), 3),
        "network_share": round(inside.seconds / ours.seconds, 3) if is_cpu else None,
        "clients": clients,
        "requests": len(requests),
        "size": size,
        "device": placement.name,
        "precision": placement.precision,
        "diffusers_default_precision": "fp32",
        "threads": torch.get_num_threads(),
        "checkpoint": checkpoint.name,
        "torch": torch.__version__,
        "diffusers": version("diffusers"),
        "full_size": measure_full_size(placement, seed) if full_size else [],
    }
