"""The tokenizer's files, as transformers reads them."""

from __future__ import annotations

from pathlib import Path

import pytest
from transformers import CLIPTokenizer

from training import vocabulary
from training.captions import words


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> CLIPTokenizer:
    folder: Path = tmp_path_factory.mktemp("tokenizer")
    vocabulary.write(folder)
    return CLIPTokenizer.from_pretrained(folder)


def test_every_word_of_the_captions_is_one_token(tokenizer: CLIPTokenizer) -> None:
    ids = {word: tokenizer(word, add_special_tokens=False).input_ids for word in words()}
    assert {word: len(pieces) for word, pieces in ids.items()} == dict.fromkeys(ids, 1)
    assert len({pieces[0] for pieces in ids.values()}) == len(ids)


def test_bos_and_eos_frame_a_caption_and_eos_pads_it(tokenizer: CLIPTokenizer) -> None:
    ids = tokenizer("a red house", padding="max_length", truncation=True).input_ids
    assert len(ids) == tokenizer.model_max_length == 77
    assert ids[0] == tokenizer.bos_token_id == len(tokenizer) - 2
    assert set(ids[4:]) == {tokenizer.eos_token_id} == {len(tokenizer) - 1}


def test_anything_may_be_typed(tokenizer: CLIPTokenizer) -> None:
    """Unknown words fall to pieces and bytes and come back as typed, in lower case."""
    for text in ("xylophone", "zürich", "猫", "🙂", "a1b2"):
        ids = tokenizer(text, add_special_tokens=False).input_ids
        assert tokenizer.unk_token_id not in ids
        assert tokenizer.decode(ids).replace(" ", "") == text


def test_a_long_prompt_is_cut_to_the_positions(tokenizer: CLIPTokenizer) -> None:
    assert len(tokenizer("house " * 500, truncation=True).input_ids) == 77


def test_case_makes_no_difference(tokenizer: CLIPTokenizer) -> None:
    assert tokenizer("A RED House").input_ids == tokenizer("a red house").input_ids


def test_merges_make_each_word_whole_whatever_they_share() -> None:
    """Words that begin, end and contain one another do not break one another's merges."""
    entangled = ["sea", "seas", "tease", "a", "ea", "eat", "aa", "aaa", "lighthouse", "house", "light"]
    merges = vocabulary.learn_merges(entangled)
    made = {first + second for first, second in merges}
    assert all(word + "</w>" in made for word in entangled if len(word) > 1)
