"""Captions for scenes: varied in order and wording, and silent about part of what the picture shows."""

from __future__ import annotations

import random
from collections.abc import Callable

from training.scenes import COLOURS, PRESENT, Scene, Subject, features_of

Wording = Callable[[Scene, random.Random], str]
"""How a scene is put into words."""

ABSENT_IF_UNNAMED = {"rainbow": 0.88}
"""Chance that a feature the caption does not name is not in the picture. Half, but for the rare rainbow."""

_HALF = 0.5
_NAMED = {"sky": 0.85, "setting": 0.88, "colour": 0.8, "place": 0.8, "mountain colour": 0.75}
_EMPTY = 0.1
_LONE = 0.08

_SKY = {
    "day": ("by day", "on a bright day", "in daylight", "under a blue sky", "on a sunny day", "day"),
    "sunset": ("at sunset", "in the evening", "under an orange sunset sky", "in the sunset", "sunset"),
    "night": ("at night", "by night", "under a dark night sky", "in the night", "night"),
    "dawn": ("at dawn", "at sunrise", "in the early morning", "under a pink dawn sky", "dawn"),
    "storm": ("in a storm", "under a stormy sky", "on a stormy day", "under a grey storm sky", "storm"),
}
_SETTING = {
    "meadow": ("in a meadow", "in a green meadow", "on a grassy meadow", "in the grass", "meadow"),
    "desert": ("in the desert", "in a desert", "in a sandy desert", "desert"),
    "snow": ("in the snow", "in a snowy landscape", "in winter snow", "on a snowy field", "snow"),
    "sea": ("at sea", "on the sea", "in the sea", "on the ocean", "sea"),
    "beach": ("on the beach", "on a beach", "on a sandy beach", "at the beach", "beach"),
}
_PLACE = {
    "left": ("on the left", "to the left", "left"),
    "right": ("on the right", "to the right", "right"),
    "middle": ("in the middle", "in the centre", "in the center", "middle"),
}
_KIND = {
    "house": ("house", "house", "cottage", "little house"),
    "castle": ("castle",),
    "lighthouse": ("lighthouse",),
    "sailing boat": ("sailing boat", "sailing boat", "boat", "sailboat"),
    "hot air balloon": ("hot air balloon", "hot air balloon", "balloon"),
    "tree": ("tree",),
    "pine tree": ("pine tree", "pine tree", "pine", "fir tree"),
    "windmill": ("windmill",),
    "cactus": ("cactus",),
}
_FEATURES = {
    "clouds": ("clouds", "some clouds", "white clouds", "a few clouds"),
    "sun": ("the sun", "a sun", "sun"),
    "moon": ("the moon", "a full moon", "moon"),
    "stars": ("stars", "many stars", "a starry sky"),
    "rainbow": ("a rainbow", "rainbow"),
}
_OPENINGS = ("", "", "", "", "a postcard of ", "a picture of ", "a painting of ", "a landscape with ")
_SPARE = (
    "an the and with of in on at by to under over near behind above no without small big large tiny old little "
    "lonely bright dark light sky water waves sand hill hills mountain mountains gray sail sails drawing "
    "illustration landscape view scene postcard picture painting photo beautiful quiet calm sunny stormy rainy "
    "cloudy snowy winter summer spring autumn grass flowers ocean island lake river field forest woods ship "
    "red brown colorful colourful its his standing floating "
)


def named_chance(feature: str) -> float:
    """How often a caption names a feature that is there.

    With the feature in a share p of pictures and absent from a share a of those that do not name it, Bayes gives
    p(1-m) / (p(1-m) + 1-p) = 1-a, solved here for m.
    """
    present, absent = PRESENT[feature], ABSENT_IF_UNNAMED.get(feature, _HALF)
    return 1.0 - (1.0 - absent) * (1.0 - present) / (present * absent)


def words() -> list[str]:
    """Every word a caption can hold, and some that people type anyway; sorted, each once."""
    phrases: list[str] = [*_OPENINGS, *COLOURS, _SPARE, "purple grey blue green mountains"]
    for table in (_SKY, _SETTING, _PLACE, _KIND, _FEATURES):
        for choices in table.values():
            phrases.extend(choices)
    return sorted({word for phrase in phrases for word in phrase.split()} | {"a"})


def describe(scene: Scene, rng: random.Random) -> str:
    """A caption for the scene. One in ten is empty, which teaches the network to draw unguided.

    Now and then one names a single thing of all that is there, as negative prompts do.
    """
    if rng.random() < _EMPTY:
        return ""
    if rng.random() < _LONE:
        return _lone(scene, rng)
    return at_length(scene, rng)


def at_length(scene: Scene, rng: random.Random) -> str:
    """A caption that says much of what there is, and of each feature that it does not name lets chance decide."""
    head = ""
    if scene.subject and rng.random() < named_chance("subject"):
        head = _subject(scene.subject, rng)
    where = rng.choice(_SETTING[scene.setting]) if rng.random() < _NAMED["setting"] else ""
    when = rng.choice(_SKY[scene.sky]) if rng.random() < _NAMED["sky"] else ""
    extras = _extras(scene, rng)
    rng.shuffle(extras)
    circumstances = [phrase for phrase in (where, when) if phrase]
    rng.shuffle(circumstances)
    return _assemble(head, circumstances, extras, rng)


def full(scene: Scene, rng: random.Random) -> str:
    """A caption that names sky, setting and the whole subject, and no other feature: what evaluation asks for."""
    head = _subject(scene.subject, rng, everything=True) if scene.subject else ""
    circumstances = [_SETTING[scene.setting][0], _SKY[scene.sky][0]]
    rng.shuffle(circumstances)
    return _assemble(head, circumstances, [], rng)


def placed(scene: Scene, rng: random.Random) -> str:
    """A caption that says what stands where and no more; empty where there is nothing."""
    return f"{scene.subject.kind} {rng.choice(_PLACE[scene.subject.place])}" if scene.subject else ""


def _lone(scene: Scene, rng: random.Random) -> str:
    things = [(name,) if name == "mountains" else _FEATURES[name] for name in _present(scene)]
    if scene.subject:
        things.append(_KIND[scene.subject.kind])
    return rng.choice(rng.choice(things)) if things else ""


def _subject(subject: Subject, rng: random.Random, everything: bool = False) -> str:
    noun = subject.kind if everything else rng.choice(_KIND[subject.kind])
    if subject.colour and (everything or rng.random() < _NAMED["colour"]):
        if subject.kind == "sailing boat" and rng.random() < 0.4:
            noun = f"{noun} with a {subject.colour} sail"
        else:
            noun = f"{subject.colour} {noun}"
    article = "an" if noun[0] in "aeiou" else "a"
    phrase = noun if rng.random() < 0.15 else f"{article} {noun}"
    if everything or rng.random() < _NAMED["place"]:
        phrase += f" {rng.choice(_PLACE[subject.place][:-1])}"
    return phrase


def _present(scene: Scene) -> list[str]:
    return [name for name in features_of(scene.sky) if getattr(scene, name)]


def _extras(scene: Scene, rng: random.Random) -> list[str]:
    said = [name for name in _present(scene) if rng.random() < named_chance(name)]
    phrases = []
    for name in said:
        if name == "mountains":
            colour = f"{scene.mountains} " if rng.random() < _NAMED["mountain colour"] else ""
            phrases.append(f"{colour}mountains")
        else:
            phrases.append(rng.choice(_FEATURES[name]))
    if "moon" in said and "stars" in said and rng.random() < 0.5:
        phrases = [phrase for phrase in phrases if "moon" not in phrase and "star" not in phrase]
        phrases.append("moon and stars")
    return phrases


def _assemble(head: str, circumstances: list[str], extras: list[str], rng: random.Random) -> str:
    """Join the parts as a list, or as a sentence led by the subject or by the circumstances."""
    style = rng.random()
    if style < 0.25:
        parts = [part for part in (head, *circumstances, *extras) if part]
        rng.shuffle(parts)
        return ", ".join(parts)
    opening = rng.choice(_OPENINGS) if head else ""
    if style < 0.45 and circumstances:
        lead, rest = circumstances[0], circumstances[1:]
        body = " ".join(part for part in (head, *rest) if part)
        return ", ".join(part for part in (lead, body, *extras) if part)
    body = " ".join([part for part in (opening + head, *circumstances) if part])
    if extras and body and rng.random() < 0.4:
        return f"{body} with {' and '.join(extras)}"
    return ", ".join(part for part in (body, *extras) if part)
