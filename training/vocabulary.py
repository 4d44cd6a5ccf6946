"""Postcard's own small vocabulary, in the files that CLIP's tokenizer reads: one token for each word of the captions.

Merges are learnt by plain byte-pair encoding over the word list until every word is one token. Encoding repeats the
merges in the order learnt, so each listed word comes out whole; any other text falls back to pieces and single bytes.
"""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise
from pathlib import Path

from training.captions import words

BOS, EOS = "<|startoftext|>", "<|endoftext|>"
LENGTH = 77
"""Positions of the text encoder, BOS and EOS counted."""

_END = "</w>"


def byte_alphabet() -> list[str]:
    """A printable character for each of the 256 bytes, in byte order: GPT-2's table, which CLIP uses too."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    shifted = iter(range(256, 512))
    return [chr(byte) if byte in printable else chr(next(shifted)) for byte in range(256)]


def learn_merges(vocabulary: list[str]) -> list[tuple[str, str]]:
    """Merges after which every word is one token; ties fall to the alphabetically first pair."""
    spelt = [[*word[:-1], word[-1] + _END] for word in vocabulary]
    merges: list[tuple[str, str]] = []
    while any(len(pieces) > 1 for pieces in spelt):
        pairs = Counter(pair for pieces in spelt for pair in pairwise(pieces))
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        spelt = [_merged(pieces, best) for pieces in spelt]
    return merges


def _merged(pieces: list[str], pair: tuple[str, str]) -> list[str]:
    out: list[str] = []
    for piece in pieces:
        # `out[-1]` may itself be fresh from this merge; it then no longer equals pair[0] unless the pair repeats.
        if out and (out[-1], piece) == pair:
            out[-1] += piece
        else:
            out.append(piece)
    return out


def tokens(merges: list[tuple[str, str]]) -> dict[str, int]:
    """token -> id: bytes, bytes that end a word, merges, BOS, and EOS last, as CLIP has it."""
    alphabet = byte_alphabet()
    ordered = [*alphabet, *(letter + _END for letter in alphabet), *dict.fromkeys(a + b for a, b in merges), BOS, EOS]
    return {token: index for index, token in enumerate(ordered)}


def write(folder: Path) -> None:
    """Write `vocab.json`, `merges.txt` and the two small files that transformers looks for beside them."""
    folder.mkdir(parents=True, exist_ok=True)
    merges = learn_merges(words())
    (folder / "vocab.json").write_text(json.dumps(tokens(merges), ensure_ascii=False), encoding="utf-8")
    lines = ["#version: 0.2", *(f"{first} {second}" for first, second in merges)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    special = {"bos_token": BOS, "eos_token": EOS, "unk_token": EOS, "pad_token": EOS}
    settings = {"tokenizer_class": "CLIPTokenizer", "model_max_length": LENGTH, "do_lower_case": True, **special}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
    (folder / "special_tokens_map.json").write_text(json.dumps(special, indent=2) + "\n", encoding="utf-8")
