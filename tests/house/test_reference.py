"""The reference pages say what the code says."""

from pathlib import Path

import pytest

from stablehand.cli.reference import pages

FOLDER = Path(__file__).parents[2] / "docs" / "reference"


@pytest.mark.parametrize("name", ["settings.md", "routes.md", "commands.md", "dialects.md"])
def test_reference_pages_are_current(name: str) -> None:
    written = (FOLDER / name).read_text(encoding="utf-8")
    assert written == pages()[name], "run `stablehand reference docs/reference`"
