"""What keeps something from being drawn: the blocklist and the checker that the settings name."""

import importlib
from importlib.metadata import entry_points
from typing import cast

from stablehand.adapters.blocklist import Blocklist, read_entries
from stablehand.domain.errors import BadSettings
from stablehand.ports import PictureChecker
from stablehand.settings import Settings

#: of entry points by which a package offers a checker
GROUP = "stablehand.checkers"


def open_blocklist(settings: Settings) -> Blocklist | None:
    """None when nothing is listed. Raises BadSettings."""
    entries = list(settings.safety.blocked_words)
    if settings.safety.blocklist_file is not None:
        entries += read_entries(settings.safety.blocklist_file.expanduser().absolute())
    return Blocklist(entries) if entries else None


def open_checker(settings: Settings) -> PictureChecker | None:
    """None when there is none. Raises BadSettings."""
    name = settings.safety.checker
    if name is None:
        return None
    try:
        checker = _factory(name)()
    except BadSettings:
        raise
    except Exception as error:
        raise BadSettings(
            f"The checker {name} cannot be made: {type(error).__name__}: {error}",
            hint="It must be callable without arguments, in a package that is installed beside Stablehand.",
        ) from error
    if not callable(getattr(checker, "check", None)):
        raise BadSettings(f"The checker {name} has no method `check`.", hint="See docs/howto/safety.md.")
    return cast(PictureChecker, checker)


def _factory(name: str):  # type: ignore[no-untyped-def]  # whatever is there
    if ":" in name:
        module, _, attribute = name.partition(":")
        return getattr(importlib.import_module(module), attribute)
    found = entry_points(group=GROUP, name=name)
    if not found:
        known = ", ".join(sorted(point.name for point in entry_points(group=GROUP))) or "none"
        raise BadSettings(
            f"No installed package offers the checker {name} (there: {known}).",
            hint="Install the package, or name the checker as package.module:factory.",
        )
    return next(iter(found)).load()
