"""The judge against renders, whose sky and setting are known."""

from __future__ import annotations

from training.draw import draw
from training.judge import judge
from training.scenes import numbered


def test_the_judge_is_right_about_renders() -> None:
    scenes = [numbered(41, index) for index in range(120)]
    verdicts = [judge(draw(scene, 256)) for scene in scenes]
    right = [(v.sky, v.setting) == (scene.sky, scene.setting) for v, scene in zip(verdicts, scenes, strict=True)]
    assert sum(right) >= 0.97 * len(right)


def test_the_judge_reads_small_pictures_too() -> None:
    scenes = [numbered(42, index) for index in range(40)]
    right = [judge(draw(scene, 64)).sky == scene.sky for scene in scenes]
    assert sum(right) >= 39


def test_the_judge_ignores_the_number_of_channels() -> None:
    scene = numbered(43, 0)
    picture = draw(scene, 128)
    assert judge(picture.convert("RGBA")) == judge(picture)
