"""Chunks: a prompt's tokens in the portions of 75 that a text encoder was trained to read.

Pure bookkeeping over token ids; whose tokenizer gave them does not matter here.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from stablehand.domain.prompts import Break, Piece

#: Tokens in one chunk; the encoder puts a mark before and after them.
CHUNK_TOKENS = 75

#: A chunk that would end in the middle of a phrase ends after the last comma instead, if that is so near.
COMMA_TOKENS = 20

#: Stands where the vectors of an embedding will be.
PLACEHOLDER = 0


@dataclass(frozen=True, slots=True)
class Embedded:
    """Vectors of a textual-inversion embedding in a chunk."""

    name: str
    offset: int  #: index of its first token in the chunk


@dataclass(frozen=True, slots=True)
class Chunk:
    """At most CHUNK_TOKENS tokens with a weight each; shorter ones are padded by the encoder."""

    tokens: tuple[int, ...] = ()
    weights: tuple[float, ...] = ()
    embedded: tuple[Embedded, ...] = ()


@dataclass(frozen=True, slots=True)
class Embedding:
    """What a tokenizer makes of an embedding's name, and how many vectors stand for it."""

    name: str
    tokens: tuple[int, ...]
    vectors: int


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """How words become tokens."""

    tokenize: Callable[[str], Sequence[int]]
    comma: int | None = None  #: the token of a comma between words
    embeddings: Mapping[int, Sequence[Embedding]] = field(default_factory=dict)  #: first token -> those that begin so

    @classmethod
    def of(cls, tokenize: Callable[[str], Sequence[int]], vectors: Mapping[str, int] | None = None) -> "Vocabulary":
        """``vectors``: name of each embedding -> how many vectors it has, 1 to CHUNK_TOKENS."""
        known: dict[int, list[Embedding]] = {}
        for name, count in (vectors or {}).items():
            tokens = tuple(tokenize(name))
            if tokens:
                known.setdefault(tokens[0], []).append(Embedding(name, tokens, count))
        for entries in known.values():
            entries.sort(key=lambda entry: -len(entry.tokens))  # the longest name that fits is meant
        commas = tokenize(",")
        return cls(tokenize, commas[0] if len(commas) == 1 else None, known)


def chunks(pieces: Iterable[Piece | Break], vocabulary: Vocabulary) -> tuple[Chunk, ...]:
    """The tokens of a prompt in order, BREAK beginning a new chunk; at least one chunk, also for no words."""
    packing = _Packing(vocabulary.comma)
    for piece in pieces:
        if isinstance(piece, Break):
            packing.close()
            continue
        tokens = list(vocabulary.tokenize(piece.text))
        at = 0
        while at < len(tokens):
            embedding = _embedding_at(tokens, at, vocabulary)
            if embedding is None:
                packing.add(tokens[at], piece.weight)
                at += 1
            else:
                packing.embed(embedding, piece.weight)
                at += len(embedding.tokens)
    return packing.finish()


def _embedding_at(tokens: Sequence[int], at: int, vocabulary: Vocabulary) -> Embedding | None:
    for embedding in vocabulary.embeddings.get(tokens[at], ()):
        if tuple(tokens[at : at + len(embedding.tokens)]) == embedding.tokens:
            return embedding
    return None


class _Packing:
    def __init__(self, comma: int | None) -> None:
        self._comma = comma
        self._chunks: list[Chunk] = []
        self._begin()

    def _begin(self) -> None:
        self._tokens: list[int] = []
        self._weights: list[float] = []
        self._embedded: list[Embedded] = []
        self._after_comma: int | None = None  #: how many tokens stand up to the last comma, with it

    def add(self, token: int, weight: float) -> None:
        if len(self._tokens) == CHUNK_TOKENS:
            self._make_room(token)
        self._tokens.append(token)
        self._weights.append(weight)
        if token == self._comma:
            self._after_comma = len(self._tokens)

    def embed(self, embedding: Embedding, weight: float) -> None:
        if len(self._tokens) + embedding.vectors > CHUNK_TOKENS:
            self.close()
        self._embedded.append(Embedded(embedding.name, len(self._tokens)))
        self._tokens += [PLACEHOLDER] * embedding.vectors
        self._weights += [weight] * embedding.vectors

    def _make_room(self, token: int) -> None:
        """Begin a new chunk, and let the phrase that is being said move into it as a whole."""
        cut = self._after_comma
        if token == self._comma or cut is None or CHUNK_TOKENS - cut >= COMMA_TOKENS:
            self.close()
            return
        tokens, weights = self._tokens[cut:], self._weights[cut:]
        moved = [Embedded(one.name, one.offset - cut) for one in self._embedded if one.offset >= cut]
        self._tokens, self._weights = self._tokens[:cut], self._weights[:cut]
        self._embedded = [one for one in self._embedded if one.offset < cut]
        self.close()
        self._tokens, self._weights, self._embedded = tokens, weights, moved

    def close(self) -> None:
        self._chunks.append(Chunk(tuple(self._tokens), tuple(self._weights), tuple(self._embedded)))
        self._begin()

    def finish(self) -> tuple[Chunk, ...]:
        if self._tokens or not self._chunks:
            self.close()
        return tuple(self._chunks)
