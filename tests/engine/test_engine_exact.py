"""Exact pictures: bit-equal alone and in any company, in calls that they share and whose shape never changes."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from stablehand.domain.notes import Note
from stablehand.domain.recipes import Hires, Recipe, Refiner, Source
from stablehand.engine.batch import Batch
from stablehand.engine.caps import Caps
from stablehand.engine.checkpoints import Resident, load_checkpoint
from stablehand.engine.devices import Placement
from stablehand.engine.exact import ROWS_MOST, Buckets
from stablehand.engine.parked import pack, unpack
from stablehand.engine.residents import NO_EXTRAS, Extras, Place
from stablehand.engine.samplers import METHODS
from stablehand.engine.seats import Failed, Finished
from stablehand.engine.text import Prompt
from stablehand.engine.turns import Turns, Waiting
from tests.engine.drawing import PLACEMENT, PROMPTS, any_recipe, holding, make_recipe
from tests.engine.families import make_networks, write_file
from tests.engine.kinds import INPUTS
from tests.engine.published import single_file

FOLDER = Path("in-memory")


@pytest.fixture(scope="module")
def shared(tiny: Path) -> Resident:
    return load_checkpoint("tiny", tiny, PLACEMENT)


@dataclass(frozen=True, eq=False)
class Result:
    latent: Tensor  #: before the decoder, whose bytes would hide the last bits
    pixels: Any

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Result)
            and torch.equal(self.latent, other.latent)
            and np.array_equal(self.pixels, other.pixels)
        )

    __hash__ = None  # type: ignore[assignment]


def ticks(batch: Batch) -> Iterator[dict[str, Result]]:
    """What each tick brings to its end; nothing may fail."""
    latents: dict[str, Tensor] = {}
    for _ in range(10_000):
        if not batch.ids():
            return
        ended = batch.tick()
        assert not [one for one in ended if isinstance(one, Failed)], ended
        yield {
            one.picture_id: Result(latents[one.picture_id], one.pixels) for one in ended if isinstance(one, Finished)
        }
        latents |= {picture.id: picture.latent.clone() for picture in batch._drawn.values()}
    raise AssertionError(f"the batch never ends: {batch.ids()}")


def draw_alone(
    resident: Resident, recipe: Recipe, rows: int, *, inputs: Mapping[str, bytes] = INPUTS, extras: Extras = NO_EXTRAS
) -> Result:
    # Forget encoded prompts: they must be bit-equal by themselves, not because they were remembered.
    resident.text.forget()
    batch = Batch(resident.placement, holding(resident), exact_rows=rows)
    batch.add("alone", recipe, resident.slot, FOLDER, inputs=inputs, extras=extras)
    [result] = [result for ended in ticks(batch) for result in ended.values()]
    return result


def draw_in_company(
    resident: Resident, recipes: Mapping[str, Recipe], rows: int, chance: random.Random
) -> dict[str, Result]:
    """They join when they like, are sometimes parked as bytes, and meet neighbours that come and are dropped."""
    resident.text.forget()
    batch = Batch(resident.placement, holding(resident), exact_rows=rows)
    to_come = list(recipes)
    chance.shuffle(to_come)
    drawn: dict[str, Result] = {}
    together = ticks(batch)
    while to_come or batch.ids():
        while to_come and (chance.random() < 0.6 or not batch.ids()):
            name = to_come.pop()
            batch.add(name, recipes[name], resident.slot, FOLDER, inputs=INPUTS)
        if to_come and chance.random() < 0.2:
            neighbour = replace(any_recipe(chance), exact=chance.random() < 0.7)
            batch.add(f"neighbour {len(to_come)} {chance.random()}", neighbour, resident.slot, FOLDER)
        moved = chance.choice(batch.ids())
        if moved not in recipes and chance.random() < 0.3:
            batch.drop(moved)
        elif moved in recipes and moved not in batch._drawn and chance.random() < 0.15:
            state = batch.park(moved)
            packed = None if state is None else unpack(pack(state))
            batch.add(moved, recipes[moved], resident.slot, FOLDER, packed, inputs=INPUTS)
        drawn |= next(together, {})
    return {name: result for name, result in drawn.items() if name in recipes}


def test_every_sampler_in_company_is_bit_equal_to_itself_alone(shared: Resident, chance: random.Random) -> None:
    rows = chance.choice((2, 4))
    recipes = {
        f"{sampler} {cfg_scale}": make_recipe(
            sampler=sampler,
            cfg_scale=cfg_scale,
            steps=chance.randint(2, 3),
            seed=chance.randrange(2**32),
            prompt=chance.choice(PROMPTS),
            negative_prompt=chance.choice(PROMPTS),
            exact=True,
        )
        for sampler in METHODS
        for cfg_scale in (1.0, 6.0)
    }
    drawn = draw_in_company(shared, recipes, rows, chance)
    assert set(drawn) == set(recipes)
    assert [name for name, recipe in recipes.items() if draw_alone(shared, recipe, rows) != drawn[name]] == []


def test_every_kind_in_company_is_bit_equal_to_itself_alone(shared: Resident, chance: random.Random) -> None:
    """Also prompts of several parts and of changing length, sizes that are no powers of two, second passes."""
    rows = chance.choice((2, 4))
    longer, shorter = PROMPTS[3], PROMPTS[1]
    kinds: dict[str, dict[str, Any]] = {
        "image": {"kind": "image", "source": Source(input="input", denoising_strength=chance.uniform(0.2, 1.0))},
        "inpaint": {"kind": "inpaint", "source": Source(input="square", mask="mask", denoising_strength=0.8)},
        "latent pass": {"hires": Hires(width=96, height=96, upscaler="Latent", steps=2)},
        "pixel pass": {"hires": Hires(width=96, height=96, upscaler="Lanczos", steps=2)},
        "several parts": {"prompt": f"{shorter} :1.2 AND a sea AND {longer} :-0.3"},
        "of changing length": {"prompt": f"[{longer}:{shorter}:0.5]"},
        "odd size": {"width": 72, "height": 104},
    }
    recipes = {
        f"{name} {cfg_scale}": make_recipe(
            **{
                "sampler": chance.choice(sorted(METHODS)),
                "cfg_scale": cfg_scale,
                "steps": chance.randint(2, 3),
                "seed": chance.randrange(2**32),
                "exact": True,
                **changes,
            }
        )
        for name, changes in kinds.items()
        for cfg_scale in (1.0, 6.0)
    }
    drawn = draw_in_company(shared, recipes, rows, chance)
    assert set(drawn) == set(recipes)
    assert [name for name, recipe in recipes.items() if draw_alone(shared, recipe, rows) != drawn[name]] == []


@pytest.mark.parametrize(("family", "channels"), [("sd1", 9), ("sdxl", 4)])
def test_networks_that_are_shown_more_are_bit_equal_too(
    family: str, channels: int, tmp_path: Path, chance: random.Random
) -> None:
    path = write_file(tmp_path / "x.safetensors", single_file(make_networks(family, channels=channels), family))
    resident = load_checkpoint("x", path, PLACEMENT)
    recipes = {
        str(seed): make_recipe(seed=seed, steps=3, cfg_scale=chance.choice((1.0, 5.0)), sampler="Euler a", exact=True)
        for seed in range(3)
    }
    drawn = draw_in_company(resident, recipes, 4, chance)
    assert [seed for seed, recipe in recipes.items() if draw_alone(resident, recipe, 4) != drawn[seed]] == []


class Watched:
    """A UNet that writes down what it is shown."""

    def __init__(self, unet: Any) -> None:
        self._unet = unet
        self.config = unet.config
        self.calls: list[tuple[tuple[int, ...], tuple[int, ...], bool]] = []

    def __call__(self, latents: Tensor, timesteps: Tensor, **more: Any) -> Any:
        contexts, mask = more["encoder_hidden_states"], more["encoder_attention_mask"]
        self.calls.append((tuple(latents.shape), tuple(contexts.shape), mask is None))
        return self._unet(latents, timesteps, **more)


def draw(batch: Batch, *recipes: Recipe) -> dict[str, Result]:
    for index, recipe in enumerate(recipes):
        batch.add(str(index), recipe, "tiny", FOLDER, owner=str(index))
    return {name: result for ended in ticks(batch) for name, result in ended.items()}


TRIAL_OF_EIGHT = 4  #: calls that find out whether it matters where among eight rows one stands


def test_exact_pictures_share_calls_of_one_shape(resident: Resident) -> None:
    resident.unet = unet = Watched(resident.unet)
    draw(Batch(PLACEMENT, holding(resident), exact_rows=8), *[make_recipe(seed=seed, exact=True) for seed in range(8)])
    assert len(unet.calls) == TRIAL_OF_EIGHT + 4 * 2  # steps times buckets, not times pictures
    assert set(unet.calls) == {((8, 4, 8, 8), (8, 77, 16), True)}


def test_the_shape_of_a_call_does_not_follow_its_prompts(resident: Resident) -> None:
    """Three chunks beside four, four by themselves: as wide as the group may be, and masked for whoever needs it."""
    resident.unet = unet = Watched(resident.unet)
    for prompts in (("x " * 200,), ("x " * 200, "x " * 280), ("x " * 280,)):
        recipes = [make_recipe(prompt=prompt, negative_prompt=prompt, exact=True, steps=2) for prompt in prompts]
        draw(Batch(PLACEMENT, holding(resident), exact_rows=4), *recipes)
    assert set(unet.calls) == {((4, 4, 8, 8), (4, 4 * 77, 16), False)}


def test_a_picture_with_more_rows_than_a_call_goes_into_several(resident: Resident) -> None:
    resident.unet = unet = Watched(resident.unet)
    draw(Batch(PLACEMENT, holding(resident), exact_rows=2), make_recipe(prompt="a AND b AND c", exact=True, steps=3))
    assert [shape[0] for shape, *_ in unet.calls] == [2, 2] + 3 * [2, 2]


class WherePlaceMatters(Watched):
    """As kernels are that cut a call's work into pieces without regard to rows."""

    def __call__(self, latents: Tensor, timesteps: Tensor, **more: Any) -> Any:
        [answer] = super().__call__(latents, timesteps, **more)
        return (answer * (1 + 1e-6 * torch.arange(len(answer)))[:, None, None, None],)


def test_where_the_place_in_a_call_matters_each_picture_has_its_own(resident: Resident, chance: random.Random) -> None:
    resident.unet = unet = WherePlaceMatters(resident.unet)
    recipes = {str(seed): make_recipe(seed=seed, exact=True, cfg_scale=1.0 + seed % 2) for seed in range(6)}
    alone = {name: draw_alone(resident, recipe, 4) for name, recipe in recipes.items()}
    unet.calls.clear()
    drawn = draw(Batch(PLACEMENT, holding(resident), exact_rows=4), *recipes.values())
    assert drawn == alone
    assert [shape[0] for shape, *_ in unet.calls[:2]] == [4, 4]  # tried
    assert sorted(shape[0] for shape, *_ in unet.calls[2:]) == [1] * 12 + [2] * 12


def test_threads_that_share_a_call_unevenly_do_not_matter(tmp_path: Path, chance: random.Random) -> None:
    """With three threads it matters to many CPUs where in a call a row stands."""
    path = write_file(tmp_path / "x.safetensors", single_file(make_networks("sd1"), "sd1"))
    resident = load_checkpoint("x", path, PLACEMENT)
    recipes = {str(seed): make_recipe(seed=seed, steps=2, width=128, height=128, exact=True) for seed in range(4)}
    torch.set_num_threads(3)
    try:
        drawn = draw_in_company(resident, recipes, 4, chance)
        assert [seed for seed, recipe in recipes.items() if draw_alone(resident, recipe, 4) != drawn[seed]] == []
    finally:
        torch.set_num_threads(1)


def test_a_parked_picture_goes_on_in_calls_of_the_size_that_it_began_with(resident: Resident) -> None:
    recipe = make_recipe(sampler="Euler a", steps=5, exact=True)
    whole = draw_alone(resident, recipe, 8)
    first, second = (Batch(PLACEMENT, holding(resident), exact_rows=rows) for rows in (8, 2))
    first.add("0", recipe, "tiny", FOLDER)
    for _ in range(3):
        first.tick()
    state = first.park("0")
    assert state is not None
    resident.unet = unet = Watched(resident.unet)
    second.add("0", recipe, "tiny", FOLDER, unpack(pack(state)))
    [result] = [result for ended in ticks(second) for result in ended.values()]
    assert result == whole
    assert {shape[0] for shape, *_ in unet.calls} == {8}


def test_a_refiner_takes_over_bit_equal(shared: Resident, other_tiny: Path, chance: random.Random) -> None:
    recipe = make_recipe(steps=5, exact=True, refiner=Refiner(checkpoint_id="refiner", checkpoint="r", switch_at=0.4))
    extras = Extras(refiner=Place("refiner", other_tiny))
    residents = holding(shared)
    residents._budget_bytes = 2**34
    batch = Batch(PLACEMENT, residents, exact_rows=4)
    for seed in range(3):
        batch.add(f"neighbour {seed}", replace(recipe, seed=chance.randrange(2**32)), "tiny", FOLDER, extras=extras)
        batch.tick()
    batch.add("x", recipe, "tiny", FOLDER, extras=extras)
    [result] = [ended["x"] for ended in ticks(batch) if "x" in ended]
    assert result == draw_alone(shared, recipe, 4, extras=extras)


def test_who_goes_in_a_half_empty_call_pays_for_all_of_it(resident: Resident) -> None:
    """Else a single exact picture would take eight rows' time and count as two."""
    batch = Batch(PLACEMENT, holding(resident), exact_rows=8)
    charged: list[float] = []

    class Noted(Turns):
        def charge(self, served: Sequence[Waiting], factor: float = 1.0) -> None:
            charged.append(factor)
            super().charge(served, factor)

    batch._turns = Noted()
    draw(batch, make_recipe(steps=2, exact=True))
    assert charged == [4.0, 4.0]


class Cursed(Watched):
    """Raises when one of the rows is asked for these words."""

    def __init__(self, unet: Any, context: Tensor) -> None:
        super().__init__(unet)
        self._context = context

    def __call__(self, latents: Tensor, timesteps: Tensor, **more: Any) -> Any:
        if any(torch.equal(context, self._context) for context in more["encoder_hidden_states"]):
            raise ValueError("cannot")
        return super().__call__(latents, timesteps, **more)


def test_a_fault_costs_only_the_exact_picture_that_causes_it(resident: Resident) -> None:
    recipes = {"good": make_recipe(exact=True), "bad": make_recipe(exact=True, prompt="cursed")}
    expected = draw_alone(resident, recipes["good"], 8)
    with torch.inference_mode():
        [cursed] = resident.text.encode([Prompt("cursed")], exact=True)
    resident.unet = Cursed(resident.unet, cursed.context)
    batch = Batch(PLACEMENT, holding(resident), exact_rows=8)
    for name, recipe in recipes.items():
        batch.add(name, recipe, "tiny", FOLDER)
    ended = {one.picture_id: one for _ in range(12) for one in batch.tick()}
    failed, finished = ended["bad"], ended["good"]
    assert isinstance(failed, Failed)
    assert failed.error.code == "engine_fault"
    assert isinstance(finished, Finished)
    assert np.array_equal(finished.pixels, expected.pixels)
    assert finished.circumstances.bucket == 8


def test_exact_pictures_are_decoded_one_by_one_and_say_when_not_as_a_whole(
    resident: Resident, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = Batch(PLACEMENT, holding(resident), exact_rows=8)
    batch._decodes.caps = Caps(call_seconds=1.0, most=8)  # as on a GPU
    decoded: list[int] = []
    decode = resident.autoencoder.network.decode

    def too_large(latents: Tensor, **more: Any) -> Any:
        decoded.append(len(latents))
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(resident.autoencoder.network, "decode", too_large)
    for seed in range(3):
        batch.add(str(seed), make_recipe(seed=seed, steps=1, exact=True), "tiny", FOLDER)
    notes = [list(one.notes) for _ in range(20) for one in batch.tick() if isinstance(one, Finished)]
    assert decoded == [1, 1, 1]
    assert notes == 3 * [[Note.TILED_DECODE, Note.NOT_EXACT]]
    monkeypatch.setattr(resident.autoencoder.network, "decode", decode)


@pytest.mark.parametrize(
    ("kind", "parameters", "side", "rows"),
    [
        ("cuda", 860e6, 64, 8),  # Stable Diffusion 1.5 at 512 pixels
        ("cuda", 860e6, 96, 4),
        ("cuda", 2567e6, 128, 2),  # SDXL at 1024 pixels
        ("cuda", 50e6, 32, ROWS_MOST),
        ("cpu", 860e6, 64, 2),
        ("cpu", 1e6, 8, 2),
    ],
)
def test_rows_of_a_call_suit_the_device(kind: str, parameters: float, side: int, rows: int, resident: Resident) -> None:
    placement = Placement(torch.device(kind), "test", "fp16", 140 * 2**30)
    resident.unet_parameters = int(parameters)
    assert Buckets(placement).rows(resident, (4, side, side)) == rows
    assert Buckets(placement, 5).rows(resident, (4, side, side)) == 5


def test_rows_of_a_call_fit_a_small_device(resident: Resident) -> None:
    resident.unet_parameters = 50_000_000
    small = Placement(torch.device("cuda"), "test", "fp16", 2**20)
    assert Buckets(small).rows(resident, (4, 32, 32)) == 2
