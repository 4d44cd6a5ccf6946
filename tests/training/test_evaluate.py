"""Evaluation with painters whose obedience is known: it must find out which is which."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from PIL import Image

from training import evaluate
from training.draw import draw
from training.evaluate import BARS, obedience, refusals, shares, tables
from training.judge import truth_of
from training.orders import held_out_orders, silent_orders
from training.printing import Manner
from training.scenes import KINDS, Scene, subject_at
from training.sheet import contact_sheet

COUNT = 12
SCENES = {order.caption: order.scene for order in [*held_out_orders(COUNT), *silent_orders(COUNT)]}


class Painter:
    """Draws what a caption asks for, with clouds, mountains and a house by chance; heeds negatives or does not."""

    def __init__(self, heeds: bool) -> None:
        self.heeds = heeds

    def paint(
        self, _: Any, captions: list[str], manner: Manner, *, negatives: Any = None, seeds: Any = None
    ) -> list[Image.Image]:
        unwanted = negatives if negatives and self.heeds else [""] * len(captions)
        numbers = seeds or range(len(captions))
        scenes = [self.scene(*asked) for asked in zip(captions, unwanted, numbers, strict=True)]
        return [draw(scene, manner.width, manner.height) for scene in scenes]

    def scene(self, caption: str, unwanted: str, seed: int) -> Scene:
        scene = replace(SCENES[caption], seed=seed)
        if scene.subject is None and "house" not in unwanted and seed % 2:
            scene = replace(scene, subject=subject_at("house", "red", "left", random.Random(seed)))
        mountains = None if unwanted == "mountains" else "blue"
        return replace(scene, clouds=unwanted != "clouds", mountains=mountains)


def paint_with(painter: Painter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate, "generate", painter.paint)


def test_a_painter_who_draws_what_is_asked_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    paint_with(Painter(heeds=True), monkeypatch)
    for width, height in ((256, 256), (224, 160)):
        pictures, orders, answers = obedience(None, COUNT, Manner(width=width, height=height))
        assert {picture.size for picture in pictures} == {(width, height)}
        assert len(orders) == COUNT
        found = shares(answers)
        assert found.keys() == BARS.keys()
        assert min(found.values()) >= 0.9


def test_a_colour_is_asked_only_of_what_has_one() -> None:
    orders = held_out_orders(60)
    bare = next(order for order in orders if order.scene.subject and order.scene.subject.kind in KINDS[-3:])
    assert "colour" not in evaluate.right(bare, truth_of(bare.scene))


def test_a_painter_deaf_to_negative_prompts_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    paint_with(Painter(heeds=True), monkeypatch)
    heeding = refusals(None, COUNT, Manner())
    assert set(heeding) == {"clouds", "mountains", "object"}
    assert heeding["clouds"]["pictures"] == COUNT
    assert heeding["clouds"]["shown"] >= COUNT - 1
    assert 0 < heeding["object"]["shown"] < heeding["object"]["pictures"] == COUNT
    assert all(min(found["absent"], found["taken"]) >= 0.9 for found in heeding.values())
    paint_with(Painter(heeds=False), monkeypatch)
    deaf = refusals(None, COUNT, Manner())
    assert all(found["taken"] == 0 for found in deaf.values())
    assert deaf["clouds"]["absent"] == 1 - deaf["clouds"]["shown"] / COUNT
    assert deaf["object"]["absent"] == 0


def test_tables_show_every_figure_beside_its_bar() -> None:
    measured = {
        "right": dict.fromkeys(BARS, 0.5),
        "negative": {
            "clouds": {"pictures": 9, "shown": 4, "absent": 0.875, "taken": 0.75},
            "object": {"pictures": 9, "shown": 7, "absent": 1.0, "taken": 1.0},
        },
        "autoencoder_psnr_db": 33.33,
        "judge": {**dict.fromkeys((*BARS, "clouds"), 0.99), "mountains": 0.981},
        "shapes": {"128x128": dict.fromkeys(BARS, 0.25)},
    }
    text = tables(measured)
    assert "| sky | 50% | 90% |" in text
    assert "| no clouds (negative prompt; 4 of 9 pictures show it unasked) | 88% | 85% |" in text
    assert "| … gone from those 4 | 75% | |" in text
    assert "| no object (negative prompt; 7 of 9 pictures show it unasked) | 100% | 85% |\n| auto" in text
    assert "| autoencoder, held-out renders | 33.33 dB | 32 dB |" in text
    assert "worst answer (mountains) | 98.1% | 97% |" in text
    assert "| 128x128 | 25% | 25% | 25% | 25% | 25% |" in text


def test_a_sheet_marks_what_is_wrong() -> None:
    pictures = [Image.new("RGB", size, "blue") for size in ((64, 64), (64, 32))]
    sheet = contact_sheet(pictures, ["a house", "a tree"], [True, False], columns=2, side=64)
    assert sheet.getpixel((10, 65)) != (255, 0, 0)
    assert sheet.getpixel((78, 65)) == (255, 0, 0)
