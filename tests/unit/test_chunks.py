from hypothesis import given
from hypothesis import strategies as st

from stablehand.domain.chunks import CHUNK_TOKENS, COMMA_TOKENS, PLACEHOLDER, Chunk, Embedded, Vocabulary, chunks
from stablehand.domain.prompts import Break, Piece, pieces

COMMA = 9


def tokenize(text: str) -> list[int]:
    """A word is its length plus ten; a comma is itself."""
    return [COMMA if word == "," else 10 + len(word) for word in text.casefold().replace(",", " , ").split()]


WORDS = Vocabulary.of(tokenize)


def test_no_words_are_one_empty_chunk() -> None:
    assert chunks(pieces(""), WORDS) == (Chunk(),)


def test_seventy_five_tokens_fill_a_chunk() -> None:
    assert [len(chunk.tokens) for chunk in chunks([Piece("a " * CHUNK_TOKENS)], WORDS)] == [75]
    assert [len(chunk.tokens) for chunk in chunks([Piece("a " * (CHUNK_TOKENS + 1))], WORDS)] == [75, 1]


def test_break_begins_a_new_chunk() -> None:
    assert chunks(pieces("a BREAK bb"), WORDS) == (Chunk((11,), (1.0,)), Chunk((12,), (1.0,)))


def test_a_phrase_moves_to_the_next_chunk_as_a_whole() -> None:
    found = chunks([Piece("a " * 69 + ", " + "bb " * 8)], WORDS)
    assert [len(chunk.tokens) for chunk in found] == [70, 8]
    assert found[0].tokens[-1] == COMMA


def test_a_long_phrase_is_cut() -> None:
    words = CHUNK_TOKENS - COMMA_TOKENS - 1
    assert [len(chunk.tokens) for chunk in chunks([Piece("a " * words + ", " + "bb " * 30)], WORDS)] == [75, 10]


def test_a_comma_that_does_not_fit_begins_the_next_chunk() -> None:
    found = chunks([Piece("a " * 70 + ", " + "bb " * 4 + ", c")], WORDS)
    assert [len(chunk.tokens) for chunk in found] == [75, 2]


def test_the_longest_name_is_the_embedding_that_is_meant() -> None:
    vocabulary = Vocabulary.of(tokenize, {"bad": 3, "bad hands": 2})
    found = chunks([Piece("x BAD hands, bad"), Piece("bad", 0.5)], vocabulary)
    assert found == (
        Chunk(
            (11, PLACEHOLDER, PLACEHOLDER, COMMA, *(PLACEHOLDER,) * 6),
            (1.0,) * 7 + (0.5,) * 3,
            (Embedded("bad hands", 1), Embedded("bad", 4), Embedded("bad", 7)),
        ),
    )


def test_an_embedding_is_never_cut() -> None:
    vocabulary = Vocabulary.of(tokenize, {"bad": 10})
    found = chunks([Piece("a " * 70 + "bad")], vocabulary)
    assert [len(chunk.tokens) for chunk in found] == [70, 10]
    assert found[1].embedded == (Embedded("bad", 0),)


PIECES = st.lists(
    st.one_of(
        st.builds(Piece, st.text("ab ,", max_size=120), st.sampled_from([1.0, 1.1, 0.5])),
        st.just(Piece("bad")),
        st.just(Break.BREAK),
    ),
    max_size=12,
)


@given(PIECES)
def test_no_token_is_lost_doubled_or_moved(prompt: list[Piece | Break]) -> None:
    vocabulary = Vocabulary.of(tokenize, {"bad": 4})
    found = chunks(prompt, vocabulary)
    assert all(len(chunk.tokens) == len(chunk.weights) <= CHUNK_TOKENS for chunk in found)
    typed = [token for piece in prompt if isinstance(piece, Piece) for token in tokenize(piece.text)]
    name = tokenize("bad")[0]
    assert sum(len(chunk.embedded) for chunk in found) == typed.count(name)
    said = [token for chunk in found for token in chunk.tokens if token != PLACEHOLDER]
    assert said == [token for token in typed if token != name]
    for chunk in found:
        for one in chunk.embedded:
            assert chunk.tokens[one.offset : one.offset + 4] == (PLACEHOLDER,) * 4
