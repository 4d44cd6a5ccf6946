"""A contact sheet: one prompt and one seed drawn by every sampler under some schedules, for somebody to look at.

Proofs say that a sampler computes its formula; whether the formula was meant to look like this, only eyes can say.
"""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image as Pictures
from PIL import ImageDraw, ImageFont

from stablehand.bench.engine import POSTCARD
from stablehand.domain.recipes import Recipe
from stablehand.domain.samplers import SAMPLERS
from stablehand.engine.batch import Batch
from stablehand.engine.checkpoints import load_checkpoint
from stablehand.engine.devices import choose
from stablehand.engine.residents import Residents
from stablehand.engine.seats import Failed, Finished

PROMPT = "a red house in a meadow at sunset, purple mountains"
#: pixels between pictures, and above each for its label
_MARGIN, _LABEL = 8, 18
#: pictures that are drawn at once
_COMPANY = 8
#: pictures a row, of a sheet with one schedule
_ACROSS = 5

Cell = tuple[str, str]  #: sampler and schedule


def run(
    out: Path,
    *,
    checkpoint: Path | None = None,
    schedules: Sequence[str] = ("Automatic",),
    prompt: str = PROMPT,
    seed: int = 7,
    steps: int = 20,
    cfg_scale: float = 7.0,
    size: int = 256,
    precision: str = "auto",
    threads: int | None = None,
) -> dict[str, Any]:
    """Draw and write the sheet; its format is the one that the name of ``out`` ends in. Default: Postcard.

    Raises CheckpointBroken, and what a picture failed for.
    """
    checkpoint = checkpoint or POSTCARD
    placement = choose(precision, threads)
    resident = load_checkpoint("sheet", checkpoint, placement)
    batch = Batch(placement, Residents.of(resident))
    recipes = {
        (sampler.name, schedule): Recipe(
            prompt=prompt,
            checkpoint_id="sheet",
            checkpoint=checkpoint.name,
            width=size,
            height=size,
            steps=steps,
            sampler=sampler.name,
            schedule=schedule,
            cfg_scale=cfg_scale,
            seed=seed,
        )
        for sampler in SAMPLERS
        for schedule in (schedules if sampler.has_schedule else schedules[:1])
    }
    began = time.perf_counter()
    drawn = _draw_all(batch, recipes, resident.slot, checkpoint)
    seconds = time.perf_counter() - began
    _sheet(drawn, tuple(schedules), size).save(out)
    return {
        "sheet": str(out),
        "pictures": len(drawn),
        "samplers": len(SAMPLERS),
        "schedules": list(schedules),
        "steps": steps,
        "seconds": round(seconds, 1),
        "device": placement.name,
        "precision": placement.precision,
    }


def _draw_all(batch: Batch, recipes: Mapping[Cell, Recipe], slot: str, checkpoint: Path) -> dict[Cell, Pictures.Image]:
    waiting = list(recipes)
    cells: dict[str, Cell] = {}
    drawn: dict[Cell, Pictures.Image] = {}
    while waiting or batch.ids():
        while waiting and len(batch.ids()) < _COMPANY:
            cell = waiting.pop(0)
            name = str(len(cells))
            cells[name] = cell
            batch.add(name, recipes[cell], slot, checkpoint)
        for ended in batch.tick():
            if isinstance(ended, Failed):
                raise ended.error
            if isinstance(ended, Finished):
                drawn[cells[ended.picture_id]] = Pictures.fromarray(ended.pixels)
    return drawn


def _sheet(drawn: Mapping[Cell, Pictures.Image], schedules: Sequence[str], size: int) -> Pictures.Image:
    """One row a sampler with its schedules across; of a single schedule, five samplers a row."""
    if len(schedules) > 1:
        rows = [[(sampler.name, schedule) for schedule in schedules] for sampler in SAMPLERS]
    else:
        cells = list(drawn)
        rows = [cells[start : start + _ACROSS] for start in range(0, len(cells), _ACROSS)]
    width = max(len(row) for row in rows) * (size + _MARGIN) + _MARGIN
    height = len(rows) * (size + _LABEL + _MARGIN) + _MARGIN
    sheet = Pictures.new("RGB", (width, height), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for down, row in enumerate(rows):
        for across, cell in enumerate(row):
            if cell not in drawn:
                continue
            left, top = _MARGIN + across * (size + _MARGIN), _MARGIN + down * (size + _LABEL + _MARGIN)
            label = cell[0] if len(schedules) == 1 else ", ".join(cell)
            pen.text((left, top), label, fill="black", font=font)
            sheet.paste(drawn[cell], (left, top + _LABEL))
    return sheet
