"""Prompts to conditioning: 75-token chunks through the checkpoint's own text encoders, cached.

A chunk is encoded as BOS, up to 75 tokens, then EOS and padding to 77 positions, as Stable Diffusion was trained; a
longer prompt becomes several chunks, concatenated along the sequence (A1111's way). Emphasis, schedules and AND belong
into :meth:`Text.chunks`, the only place that reads a prompt.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from stablehand.engine.tokenizers import Tokenizer

CHUNK_TOKENS = 75
CHUNK_POSITIONS = CHUNK_TOKENS + 2

Chunk = tuple[int, ...]  #: CHUNK_POSITIONS token ids

#: OpenAI's CLIP ViT-L, and OpenCLIP's ViT-H (SD 2) and ViT-bigG (SDXL)
EncoderName = Literal["clip_l", "clip_h", "clip_g"]


@dataclass(eq=False)
class Encoder:
    """One text encoder. Checkpoints with two see the features of both side by side."""

    name: EncoderName
    network: Any
    tokenizer: Tokenizer
    reads_penultimate: bool = False  #: the last layer but one, without the final norm, as SDXL was trained
    summarises: bool = False  #: also gives one vector for the whole text

    def __call__(self, ids: Tensor) -> tuple[Tensor, Tensor | None]:
        """(n, positions) to features (n, positions, width) and, of one that summarises, (n, width)."""
        output = self.network(input_ids=ids, output_hidden_states=self.reads_penultimate)
        features = output.hidden_states[-2] if self.reads_penultimate else output.last_hidden_state
        return features, output.text_embeds if self.summarises else None

    def pad(self, chunk: Chunk) -> Chunk:
        """A chunk with what this encoder expects after its end."""
        reach = chunk.index(self.tokenizer.end) + 1
        return (*chunk[:reach], *[self.tokenizer.pad] * (len(chunk) - reach))


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """An encoded text."""

    context: Tensor  #: (positions, features), positions a multiple of 77
    summary: Tensor | None = None  #: (width,), of the first chunk; None where no encoder gives one

    def zeros(self) -> "Words":
        """As long, but saying nothing."""
        summary = None if self.summary is None else torch.zeros_like(self.summary)
        return Words(torch.zeros_like(self.context), summary)


class Text:
    """One checkpoint's text encoders with a cache of encoded chunks.

    ``exact`` asks for a result that does not depend on what else is encoded at the same time: such chunks are encoded
    one by one and remembered apart.
    """

    def __init__(self, encoders: Sequence[Encoder], device: torch.device, cache_chunks: int = 256) -> None:
        self.encoders = tuple(encoders)
        self._device = device
        self._cache_chunks = cache_chunks
        self._cache: OrderedDict[tuple[Chunk, bool], Words] = OrderedDict()

    def forget(self) -> None:
        """Let go of everything that was encoded."""
        self._cache.clear()

    def chunks(self, prompt: str) -> tuple[Chunk, ...]:
        """The prompt as token ids; at least one chunk, also for an empty prompt."""
        tokenizer = self.encoders[0].tokenizer
        ids = tokenizer.ids(prompt)
        chunks = []
        for start in range(0, max(1, len(ids)), CHUNK_TOKENS):
            piece = ids[start : start + CHUNK_TOKENS]
            padding = [tokenizer.pad] * (CHUNK_TOKENS - len(piece))
            chunks.append((tokenizer.start, *piece, tokenizer.end, *padding))
        return tuple(chunks)

    def encode(self, prompts: Sequence[str], *, exact: bool = False) -> list[Words]:
        """One encoded text per prompt."""
        wanted = [self.chunks(prompt) for prompt in prompts]
        found = self._encode_chunks({chunk for chunks in wanted for chunk in chunks}, exact)
        return [
            Words(torch.cat([found[chunk].context for chunk in chunks]), found[chunks[0]].summary) for chunks in wanted
        ]

    def _encode_chunks(self, chunks: Iterable[Chunk], exact: bool) -> dict[Chunk, Words]:
        found: dict[Chunk, Words] = {}
        missing = []
        for chunk in sorted(chunks):  # sorted: the batch must not depend on the order of a set
            if (chunk, exact) in self._cache:
                self._cache.move_to_end((chunk, exact))
                found[chunk] = self._cache[chunk, exact]
            else:
                missing.append(chunk)
        for batch in [[chunk] for chunk in missing] if exact else _batches(missing):
            for chunk, words in zip(batch, self._run(batch), strict=True):
                found[chunk] = self._cache[chunk, exact] = words
        while len(self._cache) > self._cache_chunks:
            self._cache.popitem(last=False)
        return found

    def _run(self, chunks: Sequence[Chunk]) -> list[Words]:
        features, summaries = [], None
        for encoder in self.encoders:
            ids = torch.tensor([encoder.pad(chunk) for chunk in chunks], device=self._device)
            seen, summary = encoder(ids)
            features.append(seen)
            summaries = summary if summary is not None else summaries
        contexts = torch.cat(features, dim=-1)
        # Clones: a view would keep its whole batch in memory.
        return [
            Words(context.clone(), None if summaries is None else summaries[index].clone())
            for index, context in enumerate(contexts)
        ]


def _batches(chunks: list[Chunk], size: int = 32) -> list[list[Chunk]]:
    return [chunks[start : start + size] for start in range(0, len(chunks), size)]
