"""Contestants: our engine with many clients at once, and diffusers' own pipelines, one request after another.

Each has a clock of its own that runs while it works, and that jumps to the next arrival when it has nothing to do. So
the sides may take turns on one machine, and nobody waits for clients that are made up.
"""

import random
import statistics
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import diffusers
import torch
from torch import nn

from stablehand.domain.recipes import Recipe
from stablehand.engine.batch import Batch
from stablehand.engine.checkpoints import Resident
from stablehand.engine.devices import Placement
from stablehand.engine.levels import NoiseLevels
from stablehand.engine.residents import Residents
from stablehand.engine.samplers import plan_sigmas
from stablehand.engine.seats import Failed

_OBJECTS = ("house", "castle", "lighthouse", "windmill", "tree", "sailing boat", "hot air balloon")
_COLOURS = ("red", "blue", "green", "yellow", "white", "purple", "orange")
_PLACES = ("in a meadow at sunset", "by the sea at night", "in the desert by day", "in the snow at dawn")
_NEGATIVES = ("", "", "clouds, rainbow")

#: Label of ours -> the scheduler class of diffusers and what makes it the same method.
SCHEDULERS: dict[str, tuple[str, dict[str, Any]]] = {
    "Euler": ("EulerDiscreteScheduler", {"timestep_spacing": "linspace"}),
    "Euler a": ("EulerAncestralDiscreteScheduler", {"timestep_spacing": "linspace"}),
    "DPM++ 2M": (
        "DPMSolverMultistepScheduler",
        {"algorithm_type": "dpmsolver++", "use_karras_sigmas": True, "timestep_spacing": "linspace"},
    ),
    "DDIM": ("DDIMScheduler", {"set_alpha_to_one": False, "clip_sample": False}),
}

Size = tuple[int, int]  #: width and height in pixels


@dataclass(frozen=True, slots=True)
class Request:
    recipe: Recipe
    at_seconds: float = 0.0  #: when it arrives, on the clock of whoever serves it


def make_recipes(count: int, sizes: Sequence[Size], seed: int, *, steps: tuple[int, int] = (8, 30)) -> list[Recipe]:
    """Mixed recipes: guidance 1 to 9 (a quarter without), four samplers, a prompt each; ``steps``: fewest and most."""
    chance = random.Random(seed)
    samplers = tuple(SCHEDULERS)
    recipes = []
    for index in range(count):
        prompt = f"a {chance.choice(_COLOURS)} {chance.choice(_OBJECTS)} {chance.choice(_PLACES)}"
        negative = chance.choice(_NEGATIVES)
        width, height = sizes[0] if len(sizes) == 1 else chance.choice(sizes)
        recipes.append(
            Recipe(
                prompt=prompt,
                negative_prompt=negative,
                checkpoint_id="bench",
                checkpoint="bench",
                width=width,
                height=height,
                steps=chance.randint(*steps),
                sampler=samplers[index % len(samplers)],
                schedule="Automatic",
                cfg_scale=chance.choice((1.0, round(chance.uniform(2, 9), 1), 5.0, 7.0)),
                seed=chance.randrange(2**32),
            )
        )
    return recipes


def arriving(recipes: Sequence[Recipe], mean_gap_seconds: float, seed: int) -> list[Request]:
    """The same recipes, one after the other with exponential gaps between them (a Poisson process)."""
    chance = random.Random(seed)
    requests, now = [], 0.0
    for recipe in recipes:
        requests.append(Request(recipe, now))
        now += chance.expovariate(1 / mean_gap_seconds)
    return requests


class Side(Protocol):
    """One contestant: is given requests and works on them in pieces of about a second or less."""

    seconds: float  #: its clock
    waits: list[float]  #: from arrival to picture, of each request that is done

    def submit(self, requests: Sequence[Request]) -> None: ...

    def work(self) -> bool:
        """Do a piece; False when nothing was left to do."""

    def forget(self) -> None:
        """Start counting anew."""


class Ours:
    """The engine, with at most ``clients`` pictures in its batch at a time."""

    def __init__(self, resident: Resident, clients: int) -> None:
        self.seconds = 0.0
        self.waits: list[float] = []
        self._clients = clients
        self._batch = Batch(resident.placement, Residents.of(resident))
        self._slot = resident.slot
        self._coming: deque[Request] = deque()
        self._arrived: dict[str, float] = {}
        self._sent = 0

    def submit(self, requests: Sequence[Request]) -> None:
        self._coming = deque(requests)

    def work(self) -> bool:
        """Raises the error of a picture that fails."""
        if not self._arrived and self._coming:
            self.seconds = max(self.seconds, self._coming[0].at_seconds)
        start = time.perf_counter()
        while self._coming and self._coming[0].at_seconds <= self.seconds and len(self._arrived) < self._clients:
            self._seat(self._coming.popleft())
        ended = self._batch.tick()
        self.seconds += time.perf_counter() - start
        for one in ended:
            if isinstance(one, Failed):
                raise one.error
            self.waits.append(self.seconds - self._arrived.pop(one.picture_id))
        return bool(self._coming or self._arrived)

    def _seat(self, request: Request) -> None:
        picture_id = str(self._sent)
        self._batch.add(picture_id, request.recipe, self._slot, Path(self._slot), owner=picture_id)
        self._arrived[picture_id] = request.at_seconds
        self._sent += 1

    def forget(self) -> None:
        self.seconds, self.waits = 0.0, []


class Serial:
    """A pipeline as diffusers' documentation uses it, one request after another.

    ``levels``: of the checkpoint, so that it makes as many evaluations of the network as ours.
    """

    def __init__(self, pipeline: Any, levels: NoiseLevels) -> None:
        self.seconds = 0.0
        self.waits: list[float] = []
        self._pipeline = pipeline
        self._levels = levels
        self._coming: deque[Request] = deque()

    def submit(self, requests: Sequence[Request]) -> None:
        self._coming = deque(requests)

    def work(self) -> bool:
        if not self._coming:
            return False
        request = self._coming.popleft()
        self.seconds = max(self.seconds, request.at_seconds)
        start = time.perf_counter()
        self._draw(request.recipe)
        self.seconds += time.perf_counter() - start
        self.waits.append(self.seconds - request.at_seconds)
        return bool(self._coming)

    def _draw(self, recipe: Recipe) -> None:
        pipeline = self._pipeline
        class_name, options = SCHEDULERS[recipe.sampler]
        pipeline.scheduler = getattr(diffusers, class_name).from_config(pipeline.scheduler.config, **options)
        # Its own decoding takes for granted that the autoencoder computes in the precision of the rest.
        decodes_itself = pipeline.vae.dtype == pipeline.unet.dtype
        drawn = pipeline(
            recipe.prompt,
            negative_prompt=recipe.negative_prompt,
            width=recipe.width,
            height=recipe.height,
            # As many evaluations as ours: A1111's DDIM makes one less or more than it is asked for.
            num_inference_steps=len(plan_sigmas(recipe.sampler, "Automatic", recipe.steps, self._levels)) - 1,
            guidance_scale=recipe.cfg_scale,
            generator=torch.Generator("cpu").manual_seed(recipe.seed),
            output_type="pil" if decodes_itself else "latent",
        )
        if not decodes_itself:
            latents = drawn.images.to(pipeline.vae.dtype) / pipeline.vae.config.scaling_factor
            with torch.no_grad():
                pixels = pipeline.vae.decode(latents, return_dict=False)[0]
            pipeline.image_processor.postprocess(pixels, output_type="pil")

    def forget(self) -> None:
        self.seconds, self.waits = 0.0, []


def pipeline_of_folder(folder: Path, placement: Placement, dtype: torch.dtype) -> Any:
    diffusers.utils.logging.disable_progress_bar()
    pipeline_class: Any = diffusers.StableDiffusionPipeline
    pipeline = pipeline_class.from_pretrained(str(folder), dtype=dtype, local_files_only=True)
    pipeline.to(placement.device)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def race(sides: Sequence[Side], requests: Sequence[Request], *, taking_turns: bool) -> None:
    """Let every side serve the same requests.

    ``taking_turns``: in pieces, whoever has had less time going next, so that what else the machine does meets all
    alike; else one side after the other, for devices that go on working when a call has returned.
    """
    for side in sides:
        side.forget()
        side.submit(requests)
    busy = list(sides)
    while busy:
        side = min(busy, key=lambda side: side.seconds) if taking_turns else busy[0]
        if not side.work():
            busy.remove(side)


def warm_up(sides: Sequence[Side], recipes: Sequence[Recipe]) -> None:
    """What only the first pictures cost: allocations, kernels chosen, graphs compiled."""
    race(sides, [Request(recipe) for recipe in recipes], taking_turns=False)


def rate(side: Side) -> float:
    """Pictures a second, from the first arrival to the last picture."""
    return len(side.waits) / side.seconds


def waiting_times(side: Side) -> dict[str, float]:
    """Mean and 95th percentile of the seconds from arrival to picture."""
    ordered = sorted(side.waits)
    late = ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
    return {"wait_mean_seconds": round(statistics.fmean(ordered), 3), "wait_p95_seconds": round(late, 3)}


@dataclass(slots=True)
class NetworkTime:
    """Seconds inside networks, on devices that are done when a call returns."""

    seconds: float = 0.0
    _began: float = field(default=0.0)

    @contextmanager
    def of(self, resident: Resident) -> Iterator[None]:
        networks: list[nn.Module] = [resident.unet, resident.autoencoder.network.decoder]
        networks += [encoder.network for encoder in resident.text.encoders]
        handles = [network.register_forward_pre_hook(self._begin) for network in networks]
        handles += [network.register_forward_hook(self._end) for network in networks]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _begin(self, _network: nn.Module, _inputs: object) -> None:
        self._began = time.perf_counter()

    def _end(self, _network: nn.Module, _inputs: object, _output: object) -> None:
        self.seconds += time.perf_counter() - self._began
