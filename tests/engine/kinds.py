"""Recipes of every kind on tiny networks, with the pictures that they start from."""

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pictures

from stablehand.domain.recipes import Hires, Recipe, Refiner, Source
from stablehand.engine.batch import Batch
from stablehand.engine.checkpoints import Resident
from stablehand.engine.residents import Extras, Place
from stablehand.engine.seats import Ended
from tests.engine.drawing import PLACEMENT, holding, make_recipe

FOLDER = Path("in-memory")


def picture_file(width: int, height: int, seed: int = 0) -> bytes:
    """Soft colours: something an autoencoder could have seen."""
    small = np.random.default_rng(seed).integers(0, 255, (4, 4, 3), np.uint8)
    out = io.BytesIO()
    Pictures.fromarray(small).resize((width, height), Pictures.Resampling.BICUBIC).save(out, "PNG")
    return out.getvalue()


def mask_file(width: int, height: int, box: tuple[int, int, int, int]) -> bytes:
    mask = Pictures.new("L", (width, height), 0)
    mask.paste(255, box)
    out = io.BytesIO()
    mask.save(out, "PNG")
    return out.getvalue()


INPUTS = {
    "input": picture_file(96, 64),
    "square": picture_file(64, 64),
    "mask": mask_file(64, 64, (16, 16, 40, 40)),
    "blank": mask_file(64, 64, (0, 0, 0, 0)),
}

_REFINER = Refiner(checkpoint_id="refiner", checkpoint="refiner", switch_at=0.5)


def _from_picture(recipe: Recipe, **changes: Any) -> Recipe:
    source = Source(**{"input": "square", "denoising_strength": 0.7, **changes})
    return replace(recipe, kind="inpaint" if source.mask else "image", source=source)


def _hires(recipe: Recipe, **changes: Any) -> Recipe:
    second = Hires(**{"width": 96, "height": 64, "steps": 2, "denoising_strength": 0.8, **changes})
    return replace(recipe, hires=second)


#: Name -> what makes a recipe of that kind of any recipe.
KINDS: dict[str, Callable[[Recipe], Recipe]] = {
    "text": lambda recipe: recipe,
    "image": _from_picture,
    "inpaint": lambda recipe: _from_picture(recipe, mask="mask", mask_fill="latent noise"),
    "only masked": lambda recipe: _from_picture(recipe, input="input", mask="mask", only_masked=True),
    "hires": _hires,
    "hires of pixels": lambda recipe: _hires(recipe, upscaler="Lanczos"),
    "refiner": lambda recipe: replace(recipe, refiner=_REFINER),
    "image with refiner": lambda recipe: replace(_from_picture(recipe), refiner=_REFINER),
    "hires with refiner": lambda recipe: replace(_hires(recipe, steps=3), refiner=_REFINER),
}


def of_kind(kind: str, **changes: Any) -> Recipe:
    return KINDS[kind](make_recipe(**changes))


def batch_of(base: Resident, refiner: Resident) -> Batch:
    """A batch that holds two checkpoints, in the slots "tiny" and "refiner"."""
    residents = holding(base)
    residents._held["refiner"] = refiner
    residents._budget_bytes *= 4
    return Batch(PLACEMENT, residents)


def seat(batch: Batch, picture_id: str, recipe: Recipe, state: Any = None) -> None:
    refiner = None if recipe.refiner is None else Place("refiner", FOLDER)
    batch.add(picture_id, recipe, "tiny", FOLDER, state, inputs=INPUTS, extras=Extras(refiner=refiner))


def run(batch: Batch) -> dict[str, Ended]:
    ended: dict[str, Ended] = {}
    for _ in range(10_000):
        ended |= {one.picture_id: one for one in batch.tick()}
        if not batch.ids():
            return ended
    raise AssertionError(f"the batch never ends: {batch.ids()}")
