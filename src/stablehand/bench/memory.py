"""Does memory grow? Thousands of pictures of mixed sizes and kinds, by more checkpoints than there are slots for.

In rounds of the same mix with other seeds. After each round nothing is left to draw, so what is in memory then should
not depend on how many rounds there were.
"""

import gc
import io
import random
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image as Pictures

from stablehand.bench.networks import make_resident, miniature, write_file
from stablehand.domain.recipes import Format, Hires, Recipe, Source
from stablehand.engine.devices import Placement
from stablehand.ports import Broken, Order
from stablehand.protocol import CheckpointRef
from stablehand.runtimes.native import NativeRuntime

SIDES = (64, 96, 128, 160, 192)
SAMPLERS = ("Euler", "Euler a", "DPM++ 2M", "DPM++ SDE", "Heun", "DDIM", "UniPC", "LMS")
FORMATS: tuple[Format, ...] = ("webp", "png", "jpeg")
PROMPTS = tuple(f"a {colour} house, {'very ' * repeats}tall" for colour in ("red", "blue") for repeats in (0, 9, 90))
#: Pictures of one round. The first rounds, in which caches fill and allocators settle, do not count for the slope.
ROUND_PICTURES = 50
SETTLING_SHARE = 0.25


@dataclass(slots=True)
class Sample:
    """What is in memory after a round."""

    pictures: int
    rss_bytes: int
    device_bytes: int  #: allocated by torch on a GPU; 0 on a CPU
    tensors: int
    resident: int


@dataclass(slots=True)
class Run:
    samples: list[Sample] = field(default_factory=list)
    loads: int = 0
    left: list[int] = field(default_factory=list)  #: tensors with all slots emptied: after one round, and at the end


def run(
    *,
    pictures: int = 2_000,
    checkpoints: int = 5,
    slots: int = 2,
    precision: str = "auto",
    threads: int | None = None,
    seed: int = 0,
    round_pictures: int = ROUND_PICTURES,
    say: Callable[[str], None] = lambda _line: None,
) -> dict[str, Any]:
    """Draw them all; ``say`` is told after each round. Raises RuntimeError for a picture that fails."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        refs, largest_bytes = _write_checkpoints(Path(folder), checkpoints, seed)
        runtime = NativeRuntime(
            Path(folder), precision, threads=threads, weights_bytes=slots * largest_bytes + largest_bytes // 2
        )
        runtime.start()
        try:
            measured = _draw_rounds(runtime, list(_mix(refs, round_pictures, seed)), pictures, say)
        finally:
            runtime.close()
        device = runtime.device
    settled = measured.samples[int(SETTLING_SHARE * len(measured.samples)) :]
    return {
        "pictures": pictures,
        "checkpoints": checkpoints,
        "slots": slots,
        "most_resident": max(sample.resident for sample in measured.samples),
        "loads": measured.loads,
        "seconds": round(time.perf_counter() - began, 1),
        "rss_mb": [round(sample.rss_bytes / 2**20, 1) for sample in measured.samples],
        "rss_slope_kb_per_picture": _slope(settled, lambda sample: sample.rss_bytes / 1024),
        "device_mb": [round(sample.device_bytes / 2**20, 1) for sample in measured.samples],
        "device_slope_kb_per_picture": _slope(settled, lambda sample: sample.device_bytes / 1024),
        "tensors": [sample.tensors for sample in measured.samples],
        "tensors_left": measured.left,
        "round_pictures": round_pictures,
        "device": device.name,
        "precision": device.precision,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "diffusers": version("diffusers"),
    }


def _draw_rounds(runtime: NativeRuntime, mix: Sequence[Order], pictures: int, say: Callable[[str], None]) -> Run:
    measured = Run()
    done = 0
    while done < pictures:
        batch = [_again(order, done) for order in mix[: pictures - done]]
        resident = _draw(runtime, batch)
        done += len(batch)
        measured.loads += len(runtime.loads())
        measured.samples.append(_look(done, resident))
        sample = measured.samples[-1]
        say(f"{done} pictures, {sample.rss_bytes / 2**20:.1f} MB, {sample.tensors} tensors")
        if len(measured.samples) == 1 or done == pictures:
            runtime.release()
            measured.left.append(_count_tensors())
    return measured


def _draw(runtime: NativeRuntime, orders: Sequence[Order]) -> int:
    """Draw them with as many seated as the runtime wants; the most checkpoints that were in memory at once."""
    coming = list(reversed(orders))
    seated: set[str] = set()
    most_resident = 0
    while coming or seated:
        while coming and len(seated) < runtime.seats:
            order = coming.pop()
            seated.add(order.shot_id)
            runtime.add(order)
        for ended in runtime.tick():
            if isinstance(ended, Broken):
                raise RuntimeError(f"{ended.code}: {ended.message}")
            seated.discard(ended.shot_id)
        most_resident = max(most_resident, len(runtime.resident()))
    return most_resident


def _mix(refs: Sequence[CheckpointRef], count: int, seed: int) -> Iterator[Order]:
    """Mixed sizes, samplers, prompts, formats and checkpoints; some start from a picture, some take two passes."""
    chance = random.Random(seed)
    start = _any_picture(chance)
    name = sha256(start).hexdigest()
    for index in range(count):
        ref = chance.choice(refs)
        recipe = Recipe(
            prompt=chance.choice(PROMPTS),
            checkpoint_id=ref.id,
            checkpoint=ref.name,
            width=chance.choice(SIDES),
            height=chance.choice(SIDES),
            steps=chance.randint(2, 5),
            sampler=chance.choice(SAMPLERS),
            schedule="Automatic",
            cfg_scale=chance.choice((1.0, 7.0)),
            seed=index,
            format=FORMATS[index % len(FORMATS)],
        )
        inputs = {}
        if index % 5 == 1:
            recipe = replace(recipe, kind="image", source=Source(input=name, width=96, height=96))
            inputs = {name: start}
        elif index % 5 == 2:
            hires = Hires(width=192, height=192, upscaler=chance.choice(("Latent", "Lanczos")), steps=2)
            recipe = replace(recipe, width=96, height=96, hires=hires)
        yield Order(str(index), recipe, ref, inputs=inputs, owner=f"owner {index % 3}")


def _again(order: Order, done: int) -> Order:
    """The same order with a seed and a name of its own."""
    recipe = replace(order.recipe, seed=order.recipe.seed + done)
    return replace(order, shot_id=f"{done}-{order.shot_id}", recipe=recipe)


def _any_picture(chance: random.Random) -> bytes:
    pixels = np.random.default_rng(chance.randrange(2**32)).integers(0, 256, (96, 96, 3), dtype=np.uint8)
    out = io.BytesIO()
    Pictures.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def _write_checkpoints(folder: Path, count: int, seed: int) -> tuple[list[CheckpointRef], int]:
    """Small ones of Stable Diffusion 1, and how many bytes the weights of one take."""
    placement = Placement(torch.device("cpu"), "writing", "fp32", 2**30)
    refs, size_bytes = [], 0
    for index in range(count):
        resident = make_resident("sd1", placement, miniature("sd1"), seed=seed + index)
        path = f"checkpoints/{index}.safetensors"
        write_file(resident, folder / path)
        refs.append(CheckpointRef(id=f"checkpoint-{index}", name=str(index), path=path))
        size_bytes = resident.size_bytes
    return refs, size_bytes


def _look(done: int, resident: int) -> Sample:
    return Sample(
        pictures=done,
        tensors=_count_tensors(),
        rss_bytes=_resident_set_bytes(),
        device_bytes=torch.cuda.memory_allocated() if torch.cuda.is_available() else 0,
        resident=resident,
    )


def _count_tensors() -> int:
    gc.collect()
    return sum(issubclass(type(thing), torch.Tensor) for thing in gc.get_objects())


def _resident_set_bytes() -> int:
    """Of this process, now; where the system does not say so, its peak."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * resource.getpagesize()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _slope(samples: Sequence[Sample], value: Callable[[Sample], float]) -> float:
    """Least squares, per picture; 0 for fewer than two samples."""
    if len(samples) < 2:
        return 0.0
    fit = statistics.linear_regression([sample.pictures for sample in samples], [value(sample) for sample in samples])
    return round(fit.slope, 3)
