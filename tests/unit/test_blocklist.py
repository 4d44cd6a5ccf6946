"""The blocklist: what it finds, in whatever clothes it comes, and what it leaves alone."""

import pytest

from stablehand.adapters.blocklist import Blocklist
from stablehand.domain.errors import BadSettings

LISTED = ["gore", "Severed Head", "swastika*", "straße", "/blood(y|ied)? +bath/", "血"]


@pytest.mark.parametrize(
    "prompt",
    [
        "gore",
        "a house, GORE, best quality",
        "(gore:1.3)",
        "((go)re)",
        "[gore|flowers]",
        "[flowers:gore:0.5]",
        "ｇｏｒｅ",
        "go\u200bre",
        "go\u00adre",
        "severed head",
        "severed_head",
        "SEVERED - HEAD",
        "severed\nhead",
        "swastikas",
        "STRASSE",
        "a bloody   bath",
        "BLOODBATH and blood bath",
        "(blood:1.1) bath",
        "血",
    ],
)
def test_what_is_listed_is_found(prompt: str) -> None:
    assert Blocklist(LISTED).blocks(prompt)


@pytest.mark.parametrize(
    "prompt",
    ["", "gorel", "a gorgeous head", "severed", "head severed", "swast", "strasse­nbahn", "a bath", "bloodbath"],
)
def test_what_is_not_listed_is_left_alone(prompt: str) -> None:
    assert not Blocklist(LISTED).blocks(prompt)


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|aa)+$", "(.*a){20}", "^(([a-z])+.)+[A-Z]([a-z])+$"])
def test_no_prompt_keeps_a_pattern_busy(pattern: str) -> None:
    """With Python's own expressions these would outlive the test by years."""
    assert not Blocklist([f"/{pattern}/"]).blocks("a" * 19 + " " + "b" * 9_000 + "!")
    Blocklist([f"/{pattern}/"]).blocks("a" * 9_999 + "!")
    Blocklist(["a b*"]).blocks("((((" * 2_500)


@pytest.mark.parametrize("entry", ["", "*", "!!", "/(/", r"/(a)\1/", "/(?=a)/", "/((a{1000}){1000}){1000}/"])
def test_what_cannot_be_used_is_refused_at_the_start(entry: str) -> None:
    with pytest.raises(BadSettings, match="blocklist") as refused:
        Blocklist(["gore", entry])
    assert refused.value.hint
