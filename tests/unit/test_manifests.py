import json
from dataclasses import replace
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stablehand.domain.manifests import (
    NAME_MOST,
    SOFTWARE_MOST,
    WEIGHTS_MOST,
    WORD_MOST,
    BadManifest,
    Manifest,
    Part,
    Role,
    Weights,
    fitting,
    shortened,
)
from stablehand.domain.notes import Note, read_notes

MANIFEST = Manifest(
    runtime="native",
    software={"stablehand": "1.0", "torch": "2.13.0"},
    weights=(
        Weights(role="checkpoint", name="dreams", sha256="ab" * 32),
        Weights(role="embedding", name="slow"),
    ),
    device="cuda",
    device_name="NVIDIA H200",
    compute="9.0",
    dtypes={"unet": "float16", "text": "float16", "vae": "bfloat16"},
    attention=("cudnn", "efficient"),
    noise="CPU",
    exact=True,
    bucket=8,
    resumed=True,
)

texts = st.text(st.characters(codec="utf-8"), max_size=2 * NAME_MOST)
names = texts.map(lambda text: shortened(text, NAME_MOST))
words = texts.map(lambda text: shortened(text, WORD_MOST))
manifests = st.builds(
    Manifest,
    runtime=words.filter(bool),
    software=st.dictionaries(words, words, max_size=SOFTWARE_MOST),
    weights=st.lists(
        st.builds(Weights, role=st.sampled_from(get_args(Role)), name=names, sha256=st.none() | st.just("0f" * 32)),
        max_size=5,
    ).map(tuple),
    device=words.filter(bool),
    device_name=names,
    compute=words,
    dtypes=st.dictionaries(st.sampled_from(get_args(Part)), words),
    attention=st.lists(words, max_size=3).map(tuple),
    noise=st.sampled_from([None, "CPU", "GPU", "NV"]),
    exact=st.booleans(),
    bucket=st.none() | st.integers(1, 64),
    resumed=st.booleans(),
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(manifests)
def test_a_manifest_survives_the_way_through_json(manifest: Manifest) -> None:
    assert Manifest.from_dict(json.loads(json.dumps(manifest.as_dict()))) == manifest


@given(st.dictionaries(st.sampled_from(sorted(MANIFEST.as_dict())), json_values))
def test_whatever_an_agent_sends_is_a_manifest_or_is_refused(changes: dict[str, Any]) -> None:
    """And what is taken can be written down again."""
    try:
        manifest = Manifest.from_dict({**MANIFEST.as_dict(), **changes})
    except BadManifest:
        return
    text = json.dumps(manifest.as_dict())
    assert len(text) < 40_000
    assert Manifest.from_dict(json.loads(text)) == manifest


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("runtime", "x" * (WORD_MOST + 1)),
        ("runtime", None),
        ("device_name", "two\nlines"),
        ("device_name", "half a pair \ud83c"),
        ("software", {str(number): "1" for number in range(SOFTWARE_MOST + 1)}),
        ("software", ["torch"]),
        ("software", {"torch": 2}),
        ("weights", [{"role": "checkpoint", "name": "x"}] * (WEIGHTS_MOST + 1)),
        ("weights", [{"role": "lora", "name": "x"}]),
        ("weights", [{"role": "vae", "name": "x", "sha256": "abc"}]),
        ("dtypes", {"unet": "float16", "lora": "float16"}),
        ("attention", "flash"),
        ("noise", "dice"),
        ("exact", 1),
        ("bucket", 0),
        ("bucket", True),
        ("version", "1"),
    ],
)
def test_what_no_manifest_says_is_refused(field: str, value: object) -> None:
    with pytest.raises(BadManifest):
        Manifest.from_dict({**MANIFEST.as_dict(), field: value})


def test_what_says_nothing_is_left_out_and_what_is_newer_is_not_read() -> None:
    plain = Manifest(runtime="null")
    assert plain.as_dict() == {"version": 1, "runtime": "null", "device": "none", "exact": False}
    assert Manifest.from_dict({**plain.as_dict(), "mood": "sunny"}) == plain
    assert MANIFEST.weights[0].short_hash == "ababababab"
    assert MANIFEST.weights[1].short_hash is None


def test_names_and_weights_are_made_to_fit() -> None:
    many = [Weights(role="embedding", name="a\tb" + "é" * 300)] * (WEIGHTS_MOST + 5)
    manifest = replace(MANIFEST, weights=fitting(many))
    assert len(manifest.weights) == WEIGHTS_MOST
    assert manifest.weights[0].name == "a b" + "é" * (NAME_MOST - 3)
    assert Manifest.from_dict(manifest.as_dict()) == manifest


def test_every_note_has_words_and_is_read_back_from_its_code() -> None:
    for note in Note:
        assert note.message.endswith(".")
        assert read_notes([note.value, note.value]) == (note,)


def test_notes_come_in_order_once_and_without_those_of_a_newer_version() -> None:
    assert read_notes(["tiled_decode", "left_handed", "smaller_batch", "tiled_decode"]) == (
        Note.SMALLER_BATCH,
        Note.TILED_DECODE,
    )
    assert read_notes(["smaller_batch", "one_by_one"]) == (Note.ONE_BY_ONE,), "which says it all"
