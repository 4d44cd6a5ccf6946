"""Prompts to conditioning: 75-token chunks through the checkpoint's own text encoders, weighted and cached.

A chunk is encoded as start, up to 75 tokens, end and padding to 77 positions, as Stable Diffusion was trained; a longer
prompt becomes several chunks, concatenated along the sequence (A1111's way). What is cached is what the encoders say;
emphasis is put on it afterwards, chunk by chunk, so that neither a neighbour in the batch nor another chunk has a say.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn

from stablehand.domain.chunks import CHUNK_TOKENS, Chunk, Vocabulary, chunks
from stablehand.domain.prompts import Piece, pieces
from stablehand.domain.recipes import TextOptions
from stablehand.engine.embeddings import Embedding
from stablehand.engine.tokenizers import Tokenizer

CHUNK_POSITIONS = CHUNK_TOKENS + 2

#: OpenAI's CLIP ViT-L, and OpenCLIP's ViT-H (SD 2) and ViT-bigG (SDXL)
EncoderName = Literal["clip_l", "clip_h", "clip_g"]

#: (index in the batch, position in the chunk, vectors that stand there)
Placed = tuple[int, int, Tensor]


@dataclass(eq=False)
class Encoder:
    """One text encoder. Checkpoints with two see the features of both side by side."""

    name: EncoderName
    network: Any
    tokenizer: Tokenizer
    reads_penultimate: bool = False  #: the last layer but one, without the final norm, as SDXL was trained
    summarises: bool = False  #: also gives one vector for the whole text

    def __call__(self, ids: Tensor, *, skip: int = 1, placed: Sequence[Placed] = ()) -> tuple[Tensor, Tensor | None]:
        """(n, positions) to features (n, positions, width) and, of one that summarises, (n, width).

        ``skip``: 1 reads the last layer, 2 the one before ("clip skip"); an encoder that was trained on the last but
        one always reads that. ``placed``: vectors that replace those of the words at their place.
        """
        skip = min(skip, int(self.network.config.num_hidden_layers))
        needs_layers = self.reads_penultimate or skip > 1
        with _replaced(self.network.get_input_embeddings(), placed):
            output = self.network(input_ids=ids, output_hidden_states=needs_layers)
        summary = output.text_embeds if self.summarises else None
        if self.reads_penultimate:
            return output.hidden_states[-2], summary
        if skip > 1:
            return self._final_norm(output.hidden_states[-skip]), summary
        return output.last_hidden_state, summary

    @property
    def width(self) -> int:
        return int(self.network.config.hidden_size)

    @property
    def _final_norm(self) -> nn.Module:
        inner = getattr(self.network, "text_model", self.network)
        norm: nn.Module = inner.final_layer_norm
        return norm

    def ids(self, tokens: Sequence[int]) -> list[int]:
        """A chunk's tokens with start, end, and what this encoder expects after the end."""
        padding = [self.tokenizer.pad] * (CHUNK_TOKENS - len(tokens))
        return [self.tokenizer.start, *tokens, self.tokenizer.end, *padding]


@dataclass(frozen=True, slots=True)
class Prompt:
    """A text and how it is to be read."""

    text: str
    options: TextOptions = field(default_factory=TextOptions)
    #: word in the text -> what stands for it; one that does not fit the checkpoint is a word like any other
    embeddings: Mapping[str, Embedding] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """An encoded text."""

    context: Tensor  #: (positions, features), positions a multiple of 77
    summary: Tensor | None = None  #: (width,), of the first chunk; None where no encoder gives one

    def zeros(self) -> "Words":
        """As long, but saying nothing."""
        summary = None if self.summary is None else torch.zeros_like(self.summary)
        return Words(torch.zeros_like(self.context), summary)


@dataclass(frozen=True, slots=True, eq=False)
class _Read:
    """What the encoders make of one chunk, before emphasis."""

    features: tuple[Tensor, ...]  #: of each encoder, (77, width)
    summary: Tensor | None


@dataclass(frozen=True, slots=True)
class _Key:
    """What the reading of a chunk depends on."""

    tokens: tuple[int, ...]
    placed: tuple[tuple[int, Embedding], ...]
    skip: int
    exact: bool

    @property
    def order(self) -> tuple[int, tuple[int, ...], tuple[int, ...]]:
        """Batches must not depend on the order of a set."""
        return self.skip, self.tokens, tuple(position for position, _ in self.placed)


class Text:
    """One checkpoint's text encoders with a cache of encoded chunks.

    ``exact`` asks for a result that does not depend on what else is encoded at the same time: such chunks are encoded
    one by one and remembered apart.
    """

    def __init__(self, encoders: Sequence[Encoder], device: torch.device, cache_chunks: int = 256) -> None:
        self.encoders = tuple(encoders)
        self._device = device
        self._cache_chunks = cache_chunks
        self._cache: OrderedDict[_Key, _Read] = OrderedDict()

    def forget(self) -> None:
        """Let go of everything that was encoded."""
        self._cache.clear()

    def chunks(self, prompt: Prompt) -> tuple[Chunk, ...]:
        """The prompt as tokens and weights; at least one chunk, also for an empty prompt."""
        fitting = {word: one.words for word, one in prompt.embeddings.items() if self._fits(one)}
        vocabulary = Vocabulary.of(self.encoders[0].tokenizer.ids, fitting)
        is_literal = prompt.options.emphasis == "None"
        return chunks([Piece(prompt.text)] if is_literal else pieces(prompt.text), vocabulary)

    def encode(self, prompts: Sequence[Prompt], *, exact: bool = False) -> list[Words]:
        """One encoded text per prompt."""
        wanted = [[(self._key(chunk, prompt, exact), chunk) for chunk in self.chunks(prompt)] for prompt in prompts]
        found = self._read({key for keys in wanted for key, _ in keys})
        return [
            Words(
                torch.cat([_emphasised(found[key], chunk.weights, prompt.options) for key, chunk in keys]),
                found[keys[0][0]].summary,
            )
            for prompt, keys in zip(prompts, wanted, strict=True)
        ]

    def _fits(self, embedding: Embedding) -> bool:
        vectors = [embedding.vectors.get(encoder.name) for encoder in self.encoders]
        return 1 <= embedding.words <= CHUNK_TOKENS and all(
            vector is not None and vector.shape[1] == encoder.width
            for vector, encoder in zip(vectors, self.encoders, strict=True)
        )

    @staticmethod
    def _key(chunk: Chunk, prompt: Prompt, exact: bool) -> _Key:
        placed = tuple((one.offset, prompt.embeddings[one.name]) for one in chunk.embedded)
        return _Key(chunk.tokens, placed, prompt.options.clip_skip, exact)

    def _read(self, keys: Iterable[_Key]) -> dict[_Key, _Read]:
        found: dict[_Key, _Read] = {}
        missing: list[_Key] = []
        for key in sorted(keys, key=lambda key: key.order):
            if key in self._cache:
                self._cache.move_to_end(key)
                found[key] = self._cache[key]
            else:
                missing.append(key)
        for batch in _batches(missing):
            for key, read in zip(batch, self._run(batch), strict=True):
                found[key] = self._cache[key] = read
        while len(self._cache) > self._cache_chunks:
            self._cache.popitem(last=False)
        return found

    def _run(self, keys: Sequence[_Key]) -> list[_Read]:
        features, summaries = [], None
        for encoder in self.encoders:
            ids = torch.tensor([encoder.ids(key.tokens) for key in keys], device=self._device)
            placed = [
                (index, position + 1, embedding.vectors[encoder.name])  # behind the start
                for index, key in enumerate(keys)
                for position, embedding in key.placed
            ]
            seen, summary = encoder(ids, skip=keys[0].skip, placed=placed)
            features.append(seen)
            summaries = summary if summary is not None else summaries
        # Clones: a view would keep its whole batch in memory.
        return [
            _Read(
                tuple(seen[index].clone() for seen in features),
                None if summaries is None else summaries[index].clone(),
            )
            for index in range(len(keys))
        ]


def _emphasised(read: _Read, weights: Sequence[float], options: TextOptions) -> Tensor:
    """(77, features): what was read, each position as strong as its words are weighted.

    "Original" then scales all of it so that the mean stays what it was, as the first Stable Diffusion page did.
    """
    if options.emphasis in ("Ignore", "None") or all(weight == 1.0 for weight in weights):
        return torch.cat(read.features, dim=-1)
    everywhere = [1.0, *weights, 1.0, *[1.0] * (CHUNK_TOKENS - len(weights))]
    column = torch.tensor(everywhere, device=read.features[0].device)[:, None]
    weighted = []
    for features in read.features:
        strong = features.float() * column
        if options.emphasis == "Original":
            mean = strong.mean()
            strong = torch.where(mean == 0, strong, strong * (features.float().mean() / mean))
        weighted.append(strong.to(features.dtype))
    return torch.cat(weighted, dim=-1)


@contextmanager
def _replaced(words: nn.Module, placed: Sequence[Placed]) -> Iterator[None]:
    """While this lasts, ``words`` (ids to vectors) gives other vectors at some places."""
    if not placed:
        yield
        return

    def replace(_module: nn.Module, _ids: object, vectors: Tensor) -> Tensor:
        vectors = vectors.clone()
        for index, position, instead in placed:
            vectors[index, position : position + len(instead)] = instead.to(vectors)
        return vectors

    handle = words.register_forward_hook(replace)
    try:
        yield
    finally:
        handle.remove()


def _batches(keys: Sequence[_Key], size: int = 32) -> Iterator[list[_Key]]:
    """Keys that can be read together: with one reading of the layers, exact ones alone."""
    batch: list[_Key] = []
    for key in keys:
        if batch and (key.exact or len(batch) == size or key.skip != batch[0].skip):
            yield batch
            batch = []
        batch.append(key)
    if batch:
        yield batch
