"""Every sampler × guidance × kind, alone and in company; and pictures of all kinds that come, go and are parked."""

import random
from pathlib import Path

import pytest
import torch

from stablehand.domain.recipes import Recipe
from stablehand.engine.batch import Batch
from stablehand.engine.checkpoints import Resident, load_checkpoint
from stablehand.engine.samplers import METHODS
from stablehand.engine.seats import Finished
from tests.engine.drawing import PLACEMENT
from tests.engine.kinds import KINDS, batch_of, of_kind, seat

#: Chooses its steps by its own error, which makes of the last bit a step more or less, and then another picture: it is
#: compared while it has taken few.
ADAPTIVE, FEW = "DPM adaptive", 3
TOLERANCE = 1e-3
PROMPTS = ("", "a red house", "a blue castle by the sea, " * 4)

#: Of each picture the latents to compare: those that its passes ended with.
Latents = dict[str, list[torch.Tensor]]


@pytest.fixture(scope="module")
def pair(tiny: Path, other_tiny: Path) -> tuple[Resident, Resident]:
    """The checkpoint and the one that refines."""
    return load_checkpoint("tiny", tiny, PLACEMENT), load_checkpoint("refiner", other_tiny, PLACEMENT)


def step(batch: Batch, latents: Latents) -> None:
    """One tick; notes the latents that are finished now, before a decoder rounds them."""
    for ended in batch.tick():
        assert isinstance(ended, Finished), ended
    for picture in (*batch._running.values(), *batch._drawn.values()):
        known = latents.setdefault(picture.id, [])
        if picture.recipe.sampler == ADAPTIVE:
            is_due = picture.state.draws > FEW and not known
        else:
            is_due = picture.is_finished and not (known and known[-1] is picture.state.latent)
        if is_due:
            known.append(picture.state.latent)


def lonely(pair: tuple[Resident, Resident], recipe: Recipe, passes: int) -> torch.Tensor:
    """The same of a picture that has the batch for itself."""
    batch, latents = batch_of(*pair), Latents()
    seat(batch, "x", recipe)
    while batch.ids() and len(latents.get("x", [])) < passes:
        step(batch, latents)
    return latents["x"][-1]


def wrong(latents: Latents, recipes: dict[str, Recipe], pair: tuple[Resident, Resident]) -> dict[str, float]:
    """Pictures that came out otherwise than alone, and by how much."""
    errors = {}
    for name, known in latents.items():
        alone = lonely(pair, recipes[name], len(known))
        assert alone.shape == known[-1].shape
        errors[name] = float((known[-1] - alone).abs().max() / alone.abs().max())
    return {name: error for name, error in errors.items() if error > TOLERANCE}


@pytest.mark.parametrize("kind", ["text", "image", "inpaint", "hires", "refiner"])
def test_every_sampler_of_every_kind_alone_and_in_company(
    kind: str, pair: tuple[Resident, Resident], chance: random.Random
) -> None:
    """With and without guidance, all labels in one batch, between pictures of other kinds; in any order."""
    recipes = {
        f"{sampler} {cfg_scale}": of_kind(
            kind,
            sampler=sampler,
            cfg_scale=cfg_scale,
            steps=chance.randint(2, 3),
            seed=chance.randrange(2**32),
            prompt=chance.choice(PROMPTS),
        )
        for sampler in METHODS
        for cfg_scale in (1.0, 6.0)
    }
    others = {f"of kind {other}": of_kind(other, steps=4, seed=chance.randrange(2**32)) for other in KINDS}
    to_come = list((recipes | others).items())
    chance.shuffle(to_come)
    batch, latents = batch_of(*pair), Latents()
    while to_come or batch.ids():
        while to_come and (chance.random() < 0.7 or not batch.ids()):
            seat(batch, *to_come.pop())
        step(batch, latents)
    assert all(latents[name] for name in (*recipes, *others))
    assert not wrong({name: latents[name] for name in recipes}, recipes, pair)


def test_pictures_of_all_kinds_join_leave_and_are_parked(
    pair: tuple[Resident, Resident], chance: random.Random
) -> None:
    recipes = {
        str(index): of_kind(
            chance.choice(list(KINDS)),
            sampler=chance.choice(sorted(METHODS.keys() - {ADAPTIVE})),
            cfg_scale=chance.choice((1.0, 4.0, 7.5)),
            steps=chance.randint(1, 6),
            seed=chance.randrange(2**32),
            prompt=chance.choice(PROMPTS),
            negative_prompt=chance.choice(PROMPTS),
        )
        for index in range(12)
    }
    to_come, expected = list(recipes.items()), set(recipes)
    batch, latents = batch_of(*pair), Latents()
    while to_come or batch.ids():
        while to_come and (chance.random() < 0.5 or not batch.ids()):
            seat(batch, *to_come.pop())
        if chance.random() < 0.05:
            gone = chance.choice(batch.ids())
            batch.drop(gone)
            expected.discard(gone)
            latents.pop(gone, None)
        if batch.ids() and chance.random() < 0.15:
            moved = chance.choice(batch.ids())
            seat(batch, moved, recipes[moved], batch.park(moved))
        step(batch, latents)
    assert set(latents) == expected
    assert not wrong(latents, recipes, pair)


def test_the_kinds_differ(pair: tuple[Resident, Resident]) -> None:
    """The tests above could not fail if a picture, a mask, a second pass or a refiner changed nothing."""
    drawn = [lonely(pair, of_kind(kind), 2 if kind == "hires of pixels" else 1) for kind in KINDS]
    for index, one in enumerate(drawn):
        for other in drawn[:index]:
            assert one.shape != other.shape or float((one - other).abs().max()) > 0.1
