"""What may not stand in a prompt: words and phrases, and patterns for those who need more.

Patterns are RE2's: they take time in proportion to the text, whatever the pattern and whatever the text. Python's own
regular expressions can take for ever over a few dozen characters, and here strangers write the text.
"""

import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path

import re2

from stablehand.domain.errors import BadSettings

#: what separates words; danbooru's tags have underscores
_BETWEEN = re.compile(r"[\W_]+")
#: emphasis, schedules and the like, which may stand inside a word without changing what is drawn
_SIGNS = re.compile(r"[()\[\]{}<>\\|]|:[+-]?[0-9.]+")


class Blocklist:
    """Entries are words or phrases (``word*`` begins one), and ``/patterns/`` between slashes; case does not count."""

    def __init__(self, entries: Iterable[str]) -> None:
        """Raises BadSettings for an entry that cannot be used, naming it."""
        self._phrases: list[str] = []
        self._patterns = []
        for entry in entries:
            if len(entry) > 2 and entry.startswith("/") and entry.endswith("/"):
                self._patterns.append(_pattern(entry[1:-1]))
                continue
            words = _words(_folded(entry.removesuffix("*")))
            if not words.strip():
                raise BadSettings(
                    f"The entry {entry!r} of the blocklist holds no word.",
                    hint="Write a word, a phrase, the beginning of a word and *, or a /pattern/.",
                )
            self._phrases.append(words.rstrip() if entry.endswith("*") else words)

    def blocks(self, text: str) -> bool:
        """Whether something that is listed stands in this text."""
        plain = _folded(text)
        for form in {plain, _SIGNS.sub("", plain)}:
            spaced = _words(form)
            if any(phrase in spaced for phrase in self._phrases):
                return True
            if any(pattern.search(form) for pattern in self._patterns):
                return True
        return False


def read_entries(path: Path) -> list[str]:
    """The entries of a file, one a line; empty lines and those that begin with # count for nothing.

    Raises BadSettings.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadSettings(
            f"The blocklist {path} cannot be read: {error}", hint="Correct safety.blocklist_file, or make the file."
        ) from error
    return [line.strip() for line in lines if line.strip() and not line.strip().startswith("#")]


def _pattern(text: str) -> "re2._Regexp":
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    try:
        return re2.compile(text, options)
    except re2.error as error:
        raise BadSettings(
            f"The pattern /{text}/ of the blocklist is not valid: {error}",
            hint="RE2 has no look-around and no back-references: github.com/google/re2/wiki/Syntax lists what it has.",
        ) from error


def _folded(text: str) -> str:
    """Letters that look alike as one, and without characters that nobody sees."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(character for character in folded if unicodedata.category(character) != "Cf")


def _words(text: str) -> str:
    """Words with one space around each."""
    return f" {' '.join(_BETWEEN.split(text))} ".replace("  ", " ")
