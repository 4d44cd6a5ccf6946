"""A picture does not depend on its neighbours: whoever joins, leaves or fails, it is drawn as if it were alone."""

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from stablehand.domain.recipes import Recipe
from stablehand.engine.batch import Batch
from stablehand.engine.checkpoints import Resident, load_checkpoint
from stablehand.engine.samplers import METHODS
from stablehand.engine.seats import Failed, Finished
from tests.engine.drawing import PLACEMENT, any_recipe, holding, make_recipe

FOLDER = Path("in-memory")
#: 1e-3 of full scale, in bytes
TOLERANCE = 255e-3


@pytest.fixture(scope="module")
def shared(tiny: Path) -> Resident:
    return load_checkpoint("tiny", tiny, PLACEMENT)


@pytest.fixture(scope="module")
def alone(shared: Resident) -> Callable[[Recipe], Any]:
    """The pixels of a recipe drawn with nobody else in the batch, remembered."""
    known: dict[Recipe, Any] = {}

    def draw(recipe: Recipe) -> Any:
        if recipe not in known:
            batch = Batch(PLACEMENT, holding(shared))
            batch.add("alone", recipe, "tiny", FOLDER)
            [finished] = run(batch)
            assert isinstance(finished, Finished)
            known[recipe] = finished.pixels
        return known[recipe]

    return draw


def run(batch: Batch) -> list[Finished | Failed]:
    return [ended for _ in ticks(batch) for ended in _]


def ticks(batch: Batch) -> Iterator[list[Finished | Failed]]:
    for _ in range(10_000):
        if not batch.ids():
            return
        yield batch.tick()
    raise AssertionError(f"the batch never ends: {batch.ids()}")


def difference(first: Any, second: Any) -> float:
    return float(np.abs(first.astype(np.float64) - second.astype(np.float64)).max())


@pytest.mark.parametrize("_round", range(4))
def test_in_company_equals_alone(
    _round: int, chance: random.Random, shared: Resident, alone: Callable[[Recipe], Any]
) -> None:
    """Pictures of many sizes and samplers join at random ticks, some are dropped, some parked and taken up again."""
    batch = Batch(PLACEMENT, holding(shared))
    # An adaptive sampler chooses its steps by its own error, which makes more of the last bit than a byte can show.
    steady = sorted(METHODS.keys() - {"DPM adaptive"})
    recipes = {
        str(index): replace(any_recipe(chance), sampler=chance.choice(steady)) for index in range(chance.randint(2, 10))
    }
    to_come = list(recipes.items())
    expected = set(recipes)
    drawn: dict[str, Any] = {}
    for _ in range(10_000):
        while to_come and (chance.random() < 0.5 or not batch.ids()):
            picture_id, recipe = to_come.pop()
            batch.add(picture_id, recipe, "tiny", FOLDER)
        if batch.ids() and chance.random() < 0.05:
            victim = chance.choice(batch.ids())
            batch.drop(victim)
            expected.discard(victim)
        if batch.ids() and chance.random() < 0.1:
            moved = chance.choice(batch.ids())
            batch.add(moved, recipes[moved], "tiny", FOLDER, batch.park(moved))
        for ended in batch.tick():
            assert isinstance(ended, Finished), ended
            drawn[ended.picture_id] = ended.pixels
        if not to_come and not batch.ids():
            break
    assert set(drawn) == expected
    for picture_id, pixels in drawn.items():
        recipe = recipes[picture_id]
        assert pixels.shape == (recipe.height, recipe.width, 3)
        # A difference below the tolerance may still round to the neighbouring byte.
        assert difference(pixels, alone(recipe)) <= max(1.0, TOLERANCE), recipe


def test_latents_in_company_equal_those_alone(shared: Resident) -> None:
    """The same without the rounding to bytes: 1e-3 of full scale, and far below."""
    recipes = [any_recipe(random.Random(seed)) for seed in range(12)]

    def latents(ids: list[int]) -> dict[int, torch.Tensor]:
        batch = Batch(PLACEMENT, holding(shared))
        for index in ids:
            batch.add(str(index), recipes[index], "tiny", FOLDER)
        finished: dict[int, torch.Tensor] = {}
        for _ in ticks(batch):
            finished |= {int(picture.id): picture.state.latent for picture in batch._drawn.values()}
        return finished

    together = latents(list(range(len(recipes))))
    for index, ours in together.items():
        lonely = latents([index])[index]
        assert float((ours - lonely).abs().max()) <= 1e-4 * float(lonely.abs().max())


def test_neighbours_and_prompts_matter_to_this_checkpoint(alone: Callable[[Recipe], Any]) -> None:
    """The tests above could not fail if the tiny network ignored what it is asked."""
    base = make_recipe()
    for change in ({"prompt": "a blue castle"}, {"seed": 2}, {"cfg_scale": 2.0}, {"steps": 5}, {"sampler": "Euler a"}):
        assert difference(alone(base), alone(make_recipe(**change))) > 20, change


def test_a_parked_picture_goes_on_exactly(shared: Resident, alone: Callable[[Recipe], Any]) -> None:
    recipe = make_recipe(sampler="Euler a", steps=6, exact=True)
    for ticks_before in range(7):
        first, second = Batch(PLACEMENT, holding(shared)), Batch(PLACEMENT, holding(shared))
        first.add("parked", recipe, "tiny", FOLDER)
        for _ in range(ticks_before):
            first.tick()
        state = first.park("parked")
        assert first.ids() == []
        assert (state is None) == (ticks_before == 0)
        second.add("parked", recipe, "tiny", FOLDER, state)
        [finished] = run(second)
        assert isinstance(finished, Finished)
        assert np.array_equal(finished.pixels, alone(recipe))
