"""Prompts to conditioning: 75-token chunks through the checkpoint's own CLIP text encoder, cached.

A chunk is encoded as BOS, up to 75 tokens, then EOS and padding to 77 positions, as Stable Diffusion was trained; a
longer prompt becomes several chunks, concatenated along the sequence (A1111's way). Emphasis, schedules and AND belong
into :meth:`Text.chunks`, the only place that reads a prompt.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

CHUNK_TOKENS = 75
CHUNK_POSITIONS = CHUNK_TOKENS + 2

Chunk = tuple[int, ...]  #: CHUNK_POSITIONS token ids


class Text:
    """One checkpoint's tokenizer and text encoder with a cache of encoded chunks.

    ``exact`` asks for a result that does not depend on what else is encoded at the same time: such chunks are encoded
    one by one and remembered apart.
    """

    def __init__(self, tokenizer: Any, encoder: Any, device: torch.device, cache_chunks: int = 256) -> None:
        self._tokenizer = tokenizer
        self._encoder = encoder
        self._device = device
        self._cache_chunks = cache_chunks
        self._cache: OrderedDict[tuple[Chunk, bool], Tensor] = OrderedDict()

    def chunks(self, prompt: str) -> tuple[Chunk, ...]:
        """The prompt as token ids; at least one chunk, also for an empty prompt."""
        tokenizer = self._tokenizer
        ids: list[int] = tokenizer(prompt, add_special_tokens=False, truncation=False, verbose=False).input_ids
        chunks = []
        for start in range(0, max(1, len(ids)), CHUNK_TOKENS):
            piece = ids[start : start + CHUNK_TOKENS]
            padding = [tokenizer.pad_token_id] * (CHUNK_TOKENS - len(piece))
            chunks.append((tokenizer.bos_token_id, *piece, tokenizer.eos_token_id, *padding))
        return tuple(chunks)

    def encode(self, prompts: Sequence[str], *, exact: bool = False) -> list[Tensor]:
        """One (positions, features) tensor per prompt, positions a multiple of 77."""
        wanted = [self.chunks(prompt) for prompt in prompts]
        found = self._encode_chunks({chunk for chunks in wanted for chunk in chunks}, exact)
        return [torch.cat([found[chunk] for chunk in chunks]) for chunks in wanted]

    def _encode_chunks(self, chunks: Iterable[Chunk], exact: bool) -> dict[Chunk, Tensor]:
        found: dict[Chunk, Tensor] = {}
        missing = []
        for chunk in sorted(chunks):  # sorted: the batch must not depend on the order of a set
            if (chunk, exact) in self._cache:
                self._cache.move_to_end((chunk, exact))
                found[chunk] = self._cache[chunk, exact]
            else:
                missing.append(chunk)
        for batch in [[chunk] for chunk in missing] if exact else _batches(missing):
            ids = torch.tensor(batch, device=self._device)
            for chunk, encoded in zip(batch, self._encoder(input_ids=ids).last_hidden_state, strict=True):
                # A clone: a view would keep its whole batch in memory.
                found[chunk] = self._cache[chunk, exact] = encoded.clone()
        while len(self._cache) > self._cache_chunks:
            self._cache.popitem(last=False)
        return found


def _batches(chunks: list[Chunk], size: int = 32) -> list[list[Chunk]]:
    return [chunks[start : start + size] for start in range(0, len(chunks), size)]
