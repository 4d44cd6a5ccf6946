import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stablehand.domain.prompts import DEPTH_MAX, Break, Part, Piece, Span, pieces, spans, split

#: Text in which brackets and their friends are as frequent as letters.
CRABBED = st.lists(
    st.sampled_from([*"ab 1.5:()[]|\\,\n", "BREAK", " AND ", "[a:b:", ":1.2)", ":.5]"]), max_size=60
).map("".join)
WORDS = st.text("abcdef ,", min_size=1, max_size=12).filter(str.strip)


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("a cat", [("a cat", 1.0)]),
        ("a cat AND a dog", [("a cat", 1.0), (" a dog", 1.0)]),
        ("a cat :1.2 AND a dog AND a penguin :2.2", [("a cat", 1.2), (" a dog", 1.0), (" a penguin", 2.2)]),
        ("a :-.5", [("a", -0.5)]),
        ("SAND ANDROID", [("SAND ANDROID", 1.0)]),
        ("a (cat:1.2)", [("a (cat:1.2)", 1.0)]),
        ("", [("", 1.0)]),
    ],
)
def test_and_joins_parts_with_weights(prompt: str, expected: list[tuple[str, float]]) -> None:
    assert [(part.text, part.weight) for part in split(prompt)] == expected


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("test", [(10, "test")]),
        ("a [b:3]", [(3, "a "), (10, "a b")]),
        ("a [b: 3]", [(3, "a "), (10, "a b")]),
        ("a [[[b]]:2]", [(2, "a "), (10, "a [[b]]")]),
        ("[(a:2):3]", [(3, ""), (10, "(a:2)")]),
        ("a [b : c : 1] d", [(1, "a b  d"), (10, "a  c  d")]),
        ("a[b:[c:d:2]:1]e", [(1, "abe"), (2, "ace"), (10, "ade")]),
        ("a [unbalanced", [(10, "a [unbalanced")]),
        ("a [b:.5] c", [(5, "a  c"), (10, "a b c")]),
        ("a [{b|d{:.5] c", [(10, "a [{b|d{:.5] c")]),
        ("((a][:b:c [d:3]", [(3, "((a][:b:c "), (10, "((a][:b:c d")]),
        ("[a|(b:1.1)]", [(step, "(b:1.1)" if step % 2 == 0 else "a") for step in range(1, 11)]),
        ("[fe|]male", [(step, "male" if step % 2 == 0 else "female") for step in range(1, 11)]),
        ("[a::4]b", [(4, "ab"), (10, "b")]),
        ("[a:20]", [(10, "")]),
        ("[a:0]b", [(10, "ab")]),
        ("[a:0.0]b", [(10, "ab")]),
        ("[a:b]", [(10, "[a:b]")]),
        ("a|b [c:3]", [(10, "a|b [c:3]")]),
        ("\\[a:b:3\\]", [(10, "\\[a:b:3\\]")]),
        ("ends with \\", [(10, "ends with \\")]),
        ("", [(10, "")]),
    ],
)
def test_words_change_in_the_course_of_the_steps(prompt: str, expected: list[tuple[int, str]]) -> None:
    assert list(spans(prompt, 10)) == [Span(last_step, text) for last_step, text in expected]


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("[a:b:0.5]", [(10, "b")]),  # long since
        ("[a:b:1.5]", [(5, "a"), (10, "b")]),
        ("[a:b:1.0]", [(10, "b")]),
        ("[a:b:2.5]", [(10, "a")]),
        ("[a:b:20]", [(10, "b")]),
        ("[a:b:23]", [(3, "a"), (10, "b")]),
    ],
)
def test_the_second_pass_counts_on_from_the_first(prompt: str, expected: list[tuple[int, str]]) -> None:
    found = spans(prompt, 10, steps_before=20)
    assert [(span.last_step, span.text) for span in found] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("normal text", [("normal text", 1.0)]),
        ("an (important) word", [("an ", 1.0), ("important", 1.1), (" word", 1.0)]),
        ("(unbalanced", [("unbalanced", 1.1)]),
        ("\\(literal\\]", [("(literal]", 1.0)]),
        ("(unnecessary)(parens)", [("unnecessaryparens", 1.1)]),
        (
            "a (((house:1.3)) [on] a (hill:0.5), sun, (((sky))).",
            [
                ("a ", 1.0), ("house", 1.573), (" ", 1.1), ("on", 1.0), (" a ", 1.1), ("hill", 0.55), (", sun, ", 1.1),
                ("sky", 1.4641), (".", 1.1),
            ],
        ),
        ("a : b", [("a : b", 1.0)]),
        ("(a:1.2.3)", [("a:1.2.3", 1.1)]),
        ("(a:-1)", [("a", -1.0)]),
        ("a:1.5)", [("a:1.5)", 1.0)]),
        ("", [("", 1.0)]),
    ],
)  # fmt: skip
def test_brackets_weigh_words(text: str, expected: list[tuple[str, float]]) -> None:
    found = pieces(text)
    assert [piece.text for piece in found if isinstance(piece, Piece)] == [words for words, _ in expected]
    assert [piece.weight for piece in found if isinstance(piece, Piece)] == pytest.approx([w for _, w in expected])


def test_break_stands_alone_and_swallows_the_space_around_it() -> None:
    assert pieces("a BREAK (b)") == (Piece("a"), Break.BREAK, Piece("b", 1.1))
    assert pieces("BREAKFAST") == (Piece("BREAKFAST"),)


@given(CRABBED, st.integers(1, 150))
def test_nothing_that_is_typed_is_refused(prompt: str, steps: int) -> None:
    for part in split(prompt):
        assert math.isfinite(part.weight)
        found = spans(part.text, steps)
        assert found[-1].last_step == steps
        assert [span.last_step for span in found] == sorted({span.last_step for span in found})
        for span in found:
            assert pieces(span.text)


@given(WORDS, st.integers(0, 12), st.integers(0, 12))
def test_nested_brackets_multiply(words: str, rounds: int, squares: int) -> None:
    (piece,) = pieces("(" * rounds + "[" * squares + words + "]" * squares + ")" * rounds)
    assert isinstance(piece, Piece)
    assert piece.text == words
    assert piece.weight == pytest.approx(1.1**rounds / 1.1**squares)


@given(st.text(st.sampled_from(list("ab()[]\\ "))), st.floats(0.1, 3.0))
def test_escaped_text_comes_back_as_it_was(words: str, weight: float) -> None:
    escaped = "".join("\\" + character if character in "()[]\\" else character for character in words)
    assert "".join(piece.text for piece in pieces(escaped) if isinstance(piece, Piece)) == words
    found = pieces(f"({escaped}:{weight:.3f})")
    if words:
        assert found == (Piece(words, float(f"{weight:.3f}")),)


@given(WORDS, WORDS, st.integers(1, 19))
def test_a_change_happens_after_its_step(before: str, after: str, when: int) -> None:
    said = {span.last_step: span.text for span in spans(f"[{before}:{after}:{when}]", 20)}
    assert said == ({20: before} if before == after else {when: before, 20: after})


@pytest.mark.parametrize(
    "prompt", ["(" * 10_000, "[" * 5_000 + "a" + ":1]" * 1_000, "(a" * 5_000, "[a|" * 3_000, ":" * 10_000]
)
def test_ten_thousand_brackets_are_read_without_effort(prompt: str) -> None:
    assert spans(prompt, 3)[-1].last_step == 3
    assert pieces(prompt)
    assert split(prompt)


def test_brackets_nested_deeper_than_anybody_means_are_literal() -> None:
    deep = "(" * (DEPTH_MAX + 1) + "[a:b:2]" + ")" * (DEPTH_MAX + 1)
    assert spans(deep, 4)[-1].text.strip("()") in ("b", "[a:b:2]")


def test_a_part_knows_its_say() -> None:
    assert split("x:2")[0] == Part("x", 2.0)
