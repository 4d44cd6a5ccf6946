"""What is drawn and said: scenes, captions, and the mixtures kept out of training."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from training.captions import ABSENT_IF_UNNAMED, at_length, describe
from training.draw import draw
from training.orders import held_out_orders, silent_orders
from training.scenes import (
    COLOURED,
    COLOURS,
    HORIZON,
    KINDS,
    MOUNTAINS,
    PLACES,
    SETTINGS,
    SKIES,
    Scene,
    features_of,
    held_out,
    held_out_mixtures,
    numbered,
    subject_at,
)

SCENES = [numbered(3, index) for index in range(4_000)]

SAID_OF = {
    "clouds": ("cloud",),
    "sun": ("sun,", "the sun", "a sun"),
    "rainbow": ("rainbow",),
    "stars": ("star",),
    "moon": ("moon",),
}


def test_every_attribute_occurs() -> None:
    """Nothing a caption may ask for is missing from training."""
    assert {scene.sky for scene in SCENES} == set(SKIES)
    assert {scene.setting for scene in SCENES} == set(SETTINGS)
    assert {scene.mountains for scene in SCENES} == {None, *MOUNTAINS}
    subjects = [scene.subject for scene in SCENES if scene.subject]
    assert {subject.place for subject in subjects} == set(PLACES)
    seen = {(subject.kind, subject.colour) for subject in subjects}
    assert seen == {(kind, colour) for kind in KINDS for colour in (COLOURS if kind in COLOURED else (None,))}


def test_no_training_scene_is_a_held_out_mixture() -> None:
    mixtures = {(scene.sky, scene.setting, scene.subject.kind) for scene in SCENES if scene.subject}
    assert mixtures.isdisjoint(held_out_mixtures())
    # Every sky and every setting is still seen with most subjects, so that a held-out mixture can be put together.
    for sky in SKIES:
        assert len({kind for a, _, kind in mixtures if a == sky}) == len(KINDS)


def test_evaluation_asks_only_for_held_out_mixtures() -> None:
    orders = held_out_orders(48)
    assert len({order.caption for order in orders}) == 48
    for order in orders:
        assert order.scene.subject is not None
        assert held_out(order.scene.sky, order.scene.setting, order.scene.subject.kind)
        assert order.scene.subject.kind in order.caption
        assert order.scene.setting in order.caption


def test_orders_for_negative_prompts_name_no_subject_and_no_feature() -> None:
    for order in silent_orders(40):
        assert order.scene.subject is None
        assert order.scene.setting in order.caption
        assert not any(word in order.caption for word in (*KINDS, "cloud", "mountain"))


def test_the_horizon_keeps_its_range() -> None:
    heights = [scene.horizon for scene in SCENES]
    assert min(heights) >= HORIZON[0] == 0.55
    assert max(heights) <= HORIZON[1] == 0.68
    assert max(heights) - min(heights) > 0.12


def test_a_numbered_scene_is_always_the_same_and_neighbours_differ() -> None:
    assert numbered(3, 17) == SCENES[17]
    assert numbered(3, 17) != numbered(3, 18)
    assert numbered(3, 17) != numbered(4, 17)


def test_drawing_is_a_function_of_scene_and_size() -> None:
    first, second = (np.asarray(draw(SCENES[5], 128)) for _ in range(2))
    assert first.shape == (128, 128, 3)
    assert np.array_equal(first, second)
    assert np.asarray(draw(SCENES[5], 256)).shape == (256, 256, 3)
    assert np.asarray(draw(SCENES[5], 96, 64)).shape == (64, 96, 3)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("setting", SETTINGS)
def test_every_subject_is_drawn_everywhere_in_any_shape(kind: str, setting: str) -> None:
    """At a wide picture's and a tall one's edges too, and it is seen."""
    rng = random.Random(kind)
    for sky, (width, height) in (("day", (96, 64)), ("night", (48, 80))):
        subject = subject_at(kind, "red" if kind in COLOURED else None, rng.choice(PLACES), rng)
        bare = Scene(sky, setting, 0.6, None, None, False, sky == "night", True, True, False, seed=2)
        seen = np.asarray(draw(replace(bare, subject=subject), width, height)).astype(int)
        changed = np.abs(seen - np.asarray(draw(bare, width, height))).sum(axis=2) > 40
        assert changed.mean() > 0.01


def test_what_is_added_leaves_the_rest_as_it_was() -> None:
    """Each layer draws its chances from a series of its own: with clouds, the mountains are the same ones."""
    bare = Scene("day", "meadow", 0.6, "blue", None, False, False, False, False, False, seed=5)
    clear, cloudy = (np.asarray(draw(scene, 128)) for scene in (bare, replace(bare, clouds=True)))
    assert np.array_equal(clear[70:], cloudy[70:])
    assert not np.array_equal(clear[:60], cloudy[:60])


@pytest.mark.parametrize("setting", SETTINGS)
def test_the_ground_begins_at_the_horizon(setting: str) -> None:
    """The strongest change from row to row in a bare scene, down to a beach's shore, lies at the horizon it names."""
    for horizon in HORIZON:
        bare = Scene("day", setting, horizon, None, None, False, False, False, False, False, seed=1)
        rows = np.median(np.asarray(draw(bare, 256)).astype(float), axis=1)
        steps = np.abs(np.diff(rows, axis=0)).sum(axis=1)[: round(256 * (horizon + 0.08))]
        assert abs(int(steps.argmax()) + 1 - 256 * horizon) <= 2


@pytest.mark.parametrize(("place", "third"), [("left", 0), ("middle", 1), ("right", 2)])
def test_the_subject_stands_at_its_place(place: str, third: int) -> None:
    rng = random.Random(place)
    subject = subject_at("house", "red", place, rng)
    bare = Scene("day", "snow", 0.6, None, None, False, False, False, False, False, seed=1)
    with_house = Scene("day", "snow", 0.6, None, subject, False, False, False, False, False, seed=1)
    changed = np.abs(np.asarray(draw(with_house, 96)).astype(int) - np.asarray(draw(bare, 96))).sum(axis=2) > 60
    centre = float(np.nonzero(changed)[1].mean())
    assert third == int(centre // 32)


def test_one_caption_in_ten_is_empty() -> None:
    rng = random.Random(1)
    empty = sum(describe(scene, rng) == "" for scene in SCENES) / len(SCENES)
    assert 0.08 < empty < 0.12


def test_some_captions_name_one_thing_alone() -> None:
    """As negative prompts do."""
    rng = random.Random(2)
    captions = [describe(scene, rng) for scene in SCENES]
    for words in (("mountains",), ("clouds", "white clouds"), ("a rainbow", "rainbow"), ("cottage", "house")):
        assert any(caption in words for caption in captions)


@pytest.mark.parametrize("feature", ["mountains", "clouds", "rainbow", "moon", "stars"])
def test_what_is_not_named_is_absent_half_of_the_time(feature: str) -> None:
    """So that a caption without clouds leaves them to chance, and a negative prompt has something to take away."""
    rng = random.Random(feature)
    words = SAID_OF.get(feature, (feature[:-1],))
    unnamed = []
    for scene in SCENES * 3:
        caption = at_length(scene, rng)
        if feature in features_of(scene.sky) and caption and not any(word in caption for word in words):
            unnamed.append(bool(getattr(scene, feature)))
    absent = 1 - sum(unnamed) / len(unnamed)
    assert absent == pytest.approx(ABSENT_IF_UNNAMED.get(feature, 0.5), abs=0.04)


def test_captions_never_contradict_the_picture() -> None:
    rng = random.Random(9)
    for scene in SCENES:
        caption = describe(scene, rng)
        assert scene.mountains or "mountain" not in caption
        assert scene.clouds or "cloud" not in caption
        assert scene.rainbow or "rainbow" not in caption
        if scene.subject is None:
            assert not any(kind in caption.replace("lighthouse", "") for kind in KINDS)
        elif scene.subject.colour and f"{scene.subject.colour} {scene.subject.kind}" not in caption:
            others = [colour for colour in COLOURS if colour != scene.subject.colour]
            assert not any(f"{colour} {scene.subject.kind}" in caption for colour in others)


def test_captions_vary() -> None:
    """One scene, many wordings and orders."""
    rng = random.Random(2)
    scene = next(scene for scene in SCENES if scene.subject and scene.mountains and scene.clouds)
    captions = Counter(describe(scene, rng) for _ in range(200))
    assert len(captions) > 120
    assert len({caption.split()[0] for caption in captions if caption}) > 10
