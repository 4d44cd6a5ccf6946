"""Finds the Chromium that end-to-end tests drive, and installs one where that is possible.

Looked for in this order: ``STABLEHAND_CHROMIUM``, the PATH, Playwright's own. Absent everywhere, it is installed: as
root on a Debian system by apt, else by Playwright's download.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")

HOW_TO = """The end-to-end tests need Chromium, and none could be found or installed.
Install it (Debian: apt install chromium; else: .venv/bin/playwright install --with-deps chromium),
or set STABLEHAND_CHROMIUM to the browser's path, then run the tests again."""


class BrowserMissing(RuntimeError):
    """No browser is here and none could be installed."""


def find_browser() -> Path | None:
    """The path of an installed Chromium, or None."""
    if named := os.environ.get("STABLEHAND_CHROMIUM"):
        return Path(named) if Path(named).exists() else None
    for name in NAMES:
        if found := shutil.which(name):
            return Path(found)
    return _playwright_browser()


def ensure_browser() -> Path:
    """The path of a Chromium, installed on the way if need be; raises BrowserMissing with what to do."""
    if found := find_browser():
        return found
    for command in _installers():
        print("Installing Chromium:", " ".join(command), file=sys.stderr, flush=True)
        finished = subprocess.run(command, check=False, stdout=subprocess.DEVNULL)
        if finished.returncode == 0 and (found := find_browser()):
            return found
    raise BrowserMissing(HOW_TO)


def _installers() -> list[list[str]]:
    installers: list[list[str]] = []
    if shutil.which("apt-get") and os.geteuid() == 0:
        script = "apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends"
        installers.append(["sh", "-c", f"{script} chromium fonts-dejavu-core"])
    installers.append([sys.executable, "-m", "playwright", "install", "chromium"])
    return installers


def _playwright_browser() -> Path | None:
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - slow, and only needed on this path

    with sync_playwright() as playwright:
        path = Path(playwright.chromium.executable_path)
    return path if path.exists() else None


if __name__ == "__main__":
    try:
        print(ensure_browser())
    except BrowserMissing as missing:
        sys.exit(str(missing))
