"""Settings for operators who must keep something from being drawn."""

from pathlib import Path

from pydantic import Field

from stablehand.settings.section import Section
from stablehand.settings.values import Networks, Words


class SafetySettings(Section):
    blocked_words: Words = Field(
        default_factory=list,
        description="Words and phrases that no prompt may hold; `word*` is the beginning of one, `/…/` an RE2 pattern.",
    )
    blocklist_file: Path | None = Field(None, description="File with more of them, one a line.")
    checker: str | None = Field(
        None,
        pattern=r"^[A-Za-z_][\w.]*(:[A-Za-z_]\w*)?$",
        description="What looks at each finished picture: `package.module:factory`, or the name of an entry point of "
        "the group `stablehand.checkers`. Default: nothing does.",
    )
    fetch_networks: Networks = Field(
        default_factory=list,
        description="Networks, such as `10.1.0.0/16`, that addresses which users give may lead to although they are "
        "not public: those of pictures, and those of webhooks.",
    )
