"""Our engine with many clients at once, against diffusers' own pipeline serving the same requests one after another.

Same checkpoint, device, threads and number of network evaluations, in one process. The two sides take turns in small
pieces (whichever has had less time goes next), so that what else the machine does meets both alike; only a side's own
time counts for it. Neither side's time includes loading weights or writing picture files.
"""

import random
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import diffusers
import torch

import stablehand
from stablehand.domain.recipes import Recipe
from stablehand.engine.batch import Batch
from stablehand.engine.checkpoints import Resident, load_checkpoint
from stablehand.engine.devices import Placement, choose
from stablehand.engine.residents import Residents
from stablehand.engine.samplers import plan_sigmas
from stablehand.engine.seats import Failed

POSTCARD = Path(stablehand.__file__).parent / "builtin" / "checkpoints" / "postcard"

_OBJECTS = ("house", "castle", "lighthouse", "windmill", "tree", "sailing boat", "hot air balloon")
_COLOURS = ("red", "blue", "green", "yellow", "white", "purple", "orange")
_PLACES = ("in a meadow at sunset", "by the sea at night", "in the desert by day", "in the snow at dawn")
_NEGATIVES = ("", "", "clouds, rainbow")

#: Label of ours -> the scheduler class of diffusers and what makes it the same method.
_SCHEDULERS: dict[str, tuple[str, dict[str, Any]]] = {
    "Euler": ("EulerDiscreteScheduler", {"timestep_spacing": "linspace"}),
    "Euler a": ("EulerAncestralDiscreteScheduler", {"timestep_spacing": "linspace"}),
    "DPM++ 2M": (
        "DPMSolverMultistepScheduler",
        {"algorithm_type": "dpmsolver++", "use_karras_sigmas": True, "timestep_spacing": "linspace"},
    ),
    "DDIM": ("DDIMScheduler", {"set_alpha_to_one": False, "clip_sample": False}),
}


def run(
    *,
    checkpoint: Path = POSTCARD,
    clients: int = 16,
    requests_per_client: int = 2,
    size: int = 256,
    precision: str = "auto",
    threads: int | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Measure both sides; takes about a minute on two cores.

    ``ratio`` is that of equal precision; ``ratio_defaults`` compares our automatic precision with the float32 in which
    diffusers loads a folder when nothing is said. Raises CheckpointBroken when there is no checkpoint in the folder.
    """
    placement = choose(precision, threads)
    requests = make_requests(clients * requests_per_client, size, seed)
    resident = load_checkpoint("bench", checkpoint, placement)
    ours = Ours(resident, clients)
    equal = Serial(checkpoint, placement, placement.dtype, resident)
    defaults = equal if placement.precision == "fp32" else Serial(checkpoint, placement, torch.float32, resident)
    sides: list[Side] = [ours, equal] if defaults is equal else [ours, equal, defaults]
    for side in sides:
        side.submit(make_requests(min(2, clients), size, seed + 1))
        while side.work():
            pass
        side.forget()
        side.submit(requests)
    busy = list(sides)
    while busy:
        side = min(busy, key=lambda side: side.seconds)
        if not side.work():
            busy.remove(side)
    rates = {side: len(requests) / side.seconds for side in sides}
    return {
        "ours_images_per_second": round(rates[ours], 4),
        "serial_diffusers_images_per_second": round(rates[equal], 4),
        "ratio": round(rates[ours] / rates[equal], 3),
        "ratio_equal_precision": round(rates[ours] / rates[equal], 3),
        "ratio_defaults": round(rates[ours] / rates[defaults], 3),
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
    }


def make_requests(count: int, size: int, seed: int) -> list[Recipe]:
    """Mixed requests: 8 to 30 steps, guidance 1 to 9 (a quarter without), four samplers, a prompt each."""
    chance = random.Random(seed)
    samplers = tuple(_SCHEDULERS)
    return [
        Recipe(
            prompt=f"a {chance.choice(_COLOURS)} {chance.choice(_OBJECTS)} {chance.choice(_PLACES)}",
            negative_prompt=chance.choice(_NEGATIVES),
            checkpoint_id="bench",
            checkpoint="bench",
            width=size,
            height=size,
            steps=chance.randint(8, 30),
            sampler=samplers[index % len(samplers)],
            schedule="Automatic",
            cfg_scale=chance.choice((1.0, round(chance.uniform(2, 9), 1), 5.0, 7.0)),
            seed=chance.randrange(2**32),
        )
        for index in range(count)
    ]


class Side(Protocol):
    """One contestant: is given requests, works on them in small pieces, and knows how long that took."""

    seconds: float

    def submit(self, requests: list[Recipe]) -> None: ...

    def work(self) -> bool:
        """Do a piece; False when nothing was left to do."""

    def forget(self) -> None:
        """Start counting anew."""


class Ours:
    """Clients that each send their next request when they get a picture, so as many are in the batch."""

    def __init__(self, resident: Resident, clients: int) -> None:
        self.seconds = 0.0
        self._clients = clients
        self._batch = Batch(resident.placement, Residents.of(resident))
        self._slot = resident.slot
        self._requests: list[Recipe] = []
        self._sent = 0

    def submit(self, requests: list[Recipe]) -> None:
        self._requests = list(requests)

    def work(self) -> bool:
        start = time.perf_counter()
        while self._requests and len(self._batch.ids()) < self._clients:
            self._batch.add(str(self._sent), self._requests.pop(0), self._slot, POSTCARD)
            self._sent += 1
        for ended in self._batch.tick():
            if isinstance(ended, Failed):
                raise ended.error
        self.seconds += time.perf_counter() - start
        return bool(self._requests or self._batch.ids())

    def forget(self) -> None:
        self.seconds = 0.0


class Serial:
    """``StableDiffusionPipeline`` as its documentation uses it, one request after another."""

    def __init__(self, folder: Path, placement: Placement, dtype: torch.dtype, resident: Resident) -> None:
        self.seconds = 0.0
        self._levels = resident.levels
        diffusers.utils.logging.disable_progress_bar()
        pipeline_class: Any = diffusers.StableDiffusionPipeline
        self._pipeline = pipeline_class.from_pretrained(str(folder), dtype=dtype, local_files_only=True)
        self._pipeline.to(placement.device)
        self._pipeline.set_progress_bar_config(disable=True)
        self._requests: list[Recipe] = []

    def submit(self, requests: list[Recipe]) -> None:
        self._requests = list(requests)

    def work(self) -> bool:
        if not self._requests:
            return False
        recipe = self._requests.pop(0)
        class_name, options = _SCHEDULERS[recipe.sampler]
        start = time.perf_counter()
        scheduler_class = getattr(diffusers, class_name)
        self._pipeline.scheduler = scheduler_class.from_config(self._pipeline.scheduler.config, **options)
        self._pipeline(
            recipe.prompt,
            negative_prompt=recipe.negative_prompt,
            width=recipe.width,
            height=recipe.height,
            # As many evaluations as ours: A1111's DDIM makes one less or more than it is asked for.
            num_inference_steps=len(plan_sigmas(recipe.sampler, "Automatic", recipe.steps, self._levels)) - 1,
            guidance_scale=recipe.cfg_scale,
            generator=torch.Generator("cpu").manual_seed(recipe.seed),
        )
        self.seconds += time.perf_counter() - start
        return bool(self._requests)

    def forget(self) -> None:
        self.seconds = 0.0
