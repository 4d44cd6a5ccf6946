"""Networks of published size with random weights: how many rows a call takes, and clients that come when they like.

On a CPU two steps of Stable Diffusion 1.5 show that it runs; on a GPU it and SDXL are measured in earnest. The code is
the same for every device and size of network.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from stablehand.bench.networks import Configs, Family, make_resident, pipeline_of
from stablehand.bench.sides import (
    Ours,
    Request,
    Serial,
    Side,
    Size,
    arriving,
    make_recipes,
    race,
    rate,
    waiting_times,
    warm_up,
)
from stablehand.domain.recipes import Recipe
from stablehand.engine.checkpoints import Resident
from stablehand.engine.conditioning import condition
from stablehand.engine.devices import Placement
from stablehand.engine.faults import is_out_of_memory
from stablehand.engine.pictures import Picture
from stablehand.engine.rows import predict
from stablehand.engine.seats import Seat
from stablehand.engine.starts import start

#: rows in one call
ROWS = (1, 2, 4, 8, 12, 16, 24, 32, 48)
#: What is measured on a GPU: the family, the size of the sweep over rows, and those that clients mix.
ON_A_GPU: tuple[tuple[Family, Size, tuple[Size, ...]], ...] = (
    ("sd1", (512, 512), ((512, 512), (512, 768), (768, 512))),
    ("sdxl", (1024, 1024), ((1024, 1024), (896, 1152), (1152, 896))),
)
CLIENTS = 64
#: Calls of one number of rows: those that are timed, and those before.
TIMED_CALLS, UNTIMED_CALLS = 8, 3
#: How many times faster clients come than the serial side serves them: enough to keep both sides busy.
HASTE = 8.0

Compile = Callable[[Any], Any]


def measure_full_size(placement: Placement, seed: int = 0) -> list[dict[str, Any]]:
    """One object a family; what does not fit into memory says so and is left out."""
    if placement.device.type == "cpu":
        return [measure_two_steps(placement, seed=seed)]
    return [
        measure_family(family, placement, size, mixed, seed=seed, compile_unet=torch.compile)
        for family, size, mixed in ON_A_GPU
    ]


def measure_two_steps(
    placement: Placement, *, size: Size = (256, 256), configs: Configs | None = None, seed: int = 0
) -> dict[str, Any]:
    """Stable Diffusion 1.5: two pictures of two steps, by ours together and by diffusers one after the other."""
    described = {"family": "sd1", "size": list(size), "steps": 2, "precision": placement.precision}
    try:
        began = time.perf_counter()
        resident = make_resident("sd1", placement, configs, seed=seed)
        built_seconds = time.perf_counter() - began
        recipes = make_recipes(2, [size], seed, steps=(2, 2))
        ours, serial = Ours(resident, len(recipes)), Serial(pipeline_of(resident), resident.levels)
        race([ours, serial], [Request(recipe) for recipe in recipes], taking_turns=placement.device.type == "cpu")
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        return described | {"out_of_memory": True}
    return described | {
        "weights_bytes": resident.size_bytes,
        "built_seconds": round(built_seconds, 2),
        "ours_images_per_second": round(rate(ours), 4),
        "serial_diffusers_images_per_second": round(rate(serial), 4),
        "ratio": round(rate(ours) / rate(serial), 3),
    }


def measure_family(
    family: Family,
    placement: Placement,
    size: Size,
    mixed: Sequence[Size],
    *,
    configs: Configs | None = None,
    seed: int = 0,
    clients: int = CLIENTS,
    steps: tuple[int, int] = (8, 30),
    rows: Sequence[int] = ROWS,
    compile_unet: Compile | None = None,
) -> dict[str, Any]:
    """The sweep over rows and the mixed clients, for one family."""
    described: dict[str, Any] = {"family": family, "precision": placement.precision, "device": placement.name}
    try:
        resident = make_resident(family, placement, configs, seed=seed)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        placement.release_cached()
        return described | {"out_of_memory": True}
    return described | {
        "weights_bytes": resident.size_bytes,
        "size": list(size),
        "rows": sweep(resident, size, rows),
        "mixed": mixed_clients(resident, mixed, seed=seed, clients=clients, steps=steps, compile_unet=compile_unet),
    }


def sweep(resident: Resident, size: Size, counts: Sequence[int]) -> list[dict[str, Any]]:
    """Whole calls as the batch makes them, sampler included: seconds a call and rows a second, for each of ``counts``.

    Ends, saying so, with the first that does not fit into memory.
    """
    measured: list[dict[str, Any]] = []
    for count in counts:
        try:
            seconds = _time_calls(resident, size, count)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            measured.append({"rows": count, "out_of_memory": True})
            break
        finally:
            resident.placement.release_cached()
        measured.append(
            {
                "rows": count,
                "call_ms": round(1000 * seconds, 3),
                "row_ms": round(1000 * seconds / count, 3),
                "rows_per_second": round(count / seconds, 2),
            }
        )
    return measured


@torch.inference_mode()
def _time_calls(resident: Resident, size: Size, count: int) -> float:
    """Median seconds of one call with ``count`` rows: pictures without guidance, one row each."""
    recipe = Recipe(
        prompt="a red house",
        checkpoint_id="bench",
        checkpoint="bench",
        width=size[0],
        height=size[1],
        steps=TIMED_CALLS + UNTIMED_CALLS,
        sampler="Euler",
        schedule="Automatic",
        cfg_scale=1.0,
        seed=0,
    )
    seats = [
        Seat(picture_id=str(shot), recipe=recipe.for_shot(shot), slot=resident.slot, path=Path(resident.slot))
        for shot in range(count)
    ]
    told = condition([seat.this_pass for seat in seats], resident)
    pictures = [
        Picture(seat, resident, conditioning, start(seat, resident, resident.autoencoder))
        for seat, conditioning in zip(seats, told, strict=True)
    ]
    seconds = []
    for _ in range(TIMED_CALLS + UNTIMED_CALLS):
        began = time.perf_counter()
        answers, _ = predict(resident, pictures)
        for picture, answer in zip(pictures, answers, strict=True):
            picture.answer(answer)
        _wait_for(resident.placement)
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds[UNTIMED_CALLS:])


def mixed_clients(
    resident: Resident,
    sizes: Sequence[Size],
    *,
    seed: int = 0,
    clients: int = CLIENTS,
    steps: tuple[int, int] = (8, 30),
    compile_unet: Compile | None = None,
) -> dict[str, Any]:
    """Clients that come at random, one picture each, served by ours and by diffusers one after another.

    They come ``HASTE`` times as fast as the serial side serves them. ``compile_unet`` adds a third side whose UNet it
    has worked on (``torch.compile``); its time before the race is told apart.
    """
    serial = Serial(pipeline_of(resident), resident.levels)
    sides: dict[str, Side] = {"ours": Ours(resident, clients), "serial_diffusers": serial}
    warm = _one_of_each(sizes, steps)
    warm_up(list(sides.values()), warm)
    result: dict[str, Any] = {"clients": clients, "sizes": [list(size) for size in sizes], "steps": list(steps)}
    if compile_unet is not None:
        pipeline = pipeline_of(resident)
        pipeline.unet = compile_unet(pipeline.unet)
        sides["compiled_diffusers"] = Serial(pipeline, resident.levels)
        began = time.perf_counter()
        warm_up([sides["compiled_diffusers"]], warm)
        result["compiling_seconds"] = round(time.perf_counter() - began, 1)
    race([serial], [Request(recipe) for recipe in warm], taking_turns=False)
    gap_seconds = serial.seconds / len(warm) / HASTE
    requests = arriving(make_recipes(clients, sizes, seed, steps=steps), gap_seconds, seed)
    race(list(sides.values()), requests, taking_turns=resident.placement.device.type == "cpu")
    for name, side in sides.items():
        result[f"{name}_images_per_second"] = round(rate(side), 4)
        result[name] = waiting_times(side)
    result["ratio"] = round(rate(sides["ours"]) / rate(serial), 3)
    if "compiled_diffusers" in sides:
        result["ratio_compiled"] = round(rate(sides["ours"]) / rate(sides["compiled_diffusers"]), 3)
    return result | {"mean_gap_seconds": round(gap_seconds, 4)}


def _one_of_each(sizes: Sequence[Size], steps: tuple[int, int]) -> list[Recipe]:
    """Every size with guidance and without: the shapes of calls that a serial side will meet."""
    recipes = []
    for size in sizes:
        (recipe,) = make_recipes(1, [size], seed=1, steps=steps)
        recipes += [replace(recipe, cfg_scale=5.0), replace(recipe, cfg_scale=1.0)]
    return recipes


def _wait_for(placement: Placement) -> None:
    if placement.device.type == "cuda":
        torch.cuda.synchronize(placement.device)
