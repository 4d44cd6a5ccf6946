"""The judge against renders it never saw, and against what happens to pictures on their way."""

from __future__ import annotations

import numpy as np
import torch

from training.draw import draw
from training.judge import (
    CHOICES,
    FEATURES,
    FILE,
    Judge,
    accuracy,
    judge,
    judge_all,
    roughened,
    scene_of,
    shipped,
    truth_of,
)

BARRED = (*CHOICES, "clouds", "mountains")


def test_the_judge_is_right_about_renders() -> None:
    """97 of 100 for every answer that evaluation counts; the full figure is in the model card."""
    torch.set_num_threads(1)
    figures = accuracy(shipped(), 150, seed="of the test")
    assert {name: share for name, share in figures.items() if name in BARRED and share < 0.97} == {}
    assert set(figures) == {*CHOICES, *FEATURES}


def test_the_judge_reads_other_sizes_and_shapes() -> None:
    scenes = [scene_of("shapes", index) for index in range(30)]
    for width, height in ((128, 128), (320, 224), (224, 320)):
        seen = judge_all([draw(scene, width, height) for scene in scenes])
        right = [(v.sky, v.object) == (truth_of(s).sky, truth_of(s).object) for v, s in zip(seen, scenes, strict=True)]
        assert sum(right) >= 28


def test_the_judge_ignores_the_number_of_channels() -> None:
    picture = draw(scene_of("channels", 0), 128)
    assert judge(picture.convert("RGBA")) == judge(picture)


def test_its_weights_are_small_and_whole() -> None:
    assert FILE.stat().st_size < 450_000
    assert not shipped().training
    assert sum(value.numel() for value in Judge().parameters()) < 220_000


def test_the_truth_about_an_empty_scene_names_no_colour_or_place() -> None:
    scenes = [scene_of("truth", index) for index in range(60)]
    empty = [truth_of(scene) for scene in scenes if scene.subject is None]
    assert empty
    assert {(seen.object, seen.colour, seen.place) for seen in empty} == {("nothing", "", "")}
    for scene in scenes:
        assert ("mountains" in truth_of(scene).features) == (scene.mountains is not None)


def test_training_pictures_are_roughened_within_their_range() -> None:
    rng = np.random.default_rng(4)
    pictures = torch.rand(4, 3, 96, 96) * 2 - 1
    for _ in range(8):
        rough = roughened(pictures, rng)
        assert rough.shape == pictures.shape
        assert float(rough.abs().max()) <= 1
        assert not torch.equal(rough, pictures)
