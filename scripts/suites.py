"""Runs the linters and the test suites, three at a time, the longest first, and says how long each took.

Two that compute and one that mostly waits fill two cores. What a suite prints is held back until it is done, unless it
runs alone. Ends with one line, ``N passed, N failed``; exits 1 when anything failed. A suite of linters counts each
linter as one.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

from scripts.browser import BrowserMissing, ensure_browser

ROOT = Path(__file__).resolve().parent.parent
PYTHON = sys.executable
BIN = Path(PYTHON).parent
NPM = [PYTHON, "-m", "scripts.npm"]

#: in the order in which they begin: mypy takes as long as all the others
CHECKS: tuple[tuple[str, list[str]], ...] = (
    ("mypy", [str(BIN / "mypy")]),
    ("ruff check", [str(BIN / "ruff"), "check", "."]),
    ("ruff format", [str(BIN / "ruff"), "format", "--check", "."]),
    ("import-linter", [str(BIN / "lint-imports"), "--no-cache"]),
    ("eslint and vue-tsc", [*NPM, "run", "--silent", "check"]),
)

#: the longest first
PYTEST_SUITES = ("store", "engine", "api", "agent", "training", "unit", "house")
#: those that wait for processes of their own more than they compute; one of them runs beside the others
WAITING_SUITES = ("fleet", "e2e")
#: how many of the others run at a time
BESIDE = min(2, os.cpu_count() or 1)


@dataclass(frozen=True, slots=True)
class Outcome:
    passed: int
    failed: int
    skipped: int = 0


#: Where a suite prints; None: to the terminal, as it goes.
Out = IO[str] | None


def run_checks(out: Out) -> Outcome:
    """Every linter, even after one has failed: all complaints in one go. Without other suites they run in pairs."""

    def run(command: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=ROOT, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    failed = 0
    with ThreadPoolExecutor(BESIDE if out is None else 1) as pool:
        running = [(name, pool.submit(run, command)) for name, command in CHECKS]
        for name, finishing in running:
            finished = finishing.result()
            print(finished.stdout, end="", file=out)
            print(f"  {'ok' if finished.returncode == 0 else 'FAILED':6} {name}", flush=True, file=out)
            failed += finished.returncode != 0
    return Outcome(len(CHECKS) - failed, failed)


def run_pytest(suite: str, out: Out) -> Outcome:
    """One folder of tests/. A suite in which nothing ran has failed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("STABLEHAND_")}
    if suite == "e2e":
        try:
            environment["STABLEHAND_CHROMIUM"] = str(ensure_browser())
        except BrowserMissing as missing:
            print(missing, flush=True, file=out)
            return Outcome(0, 1)
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [PYTHON, "-m", "pytest", "-q", f"tests/{suite}", f"--junit-xml={report}"]
        finished = subprocess.run(command, cwd=ROOT, env=environment, check=False, stdout=out, stderr=out)
        if not report.exists():
            return Outcome(0, 1)
        counts = ET.parse(report).getroot().find("testsuite")  # noqa: S314 - pytest wrote it a moment ago
    assert counts is not None
    total, skipped = int(counts.get("tests", 0)), int(counts.get("skipped", 0))
    failed = int(counts.get("failures", 0)) + int(counts.get("errors", 0))
    if finished.returncode != 0:
        failed = max(failed, 1)
    return Outcome(max(total - failed - skipped, 0), failed, skipped)


def run_vitest(out: Out) -> Outcome:
    """The page's unit tests."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [*NPM, "test", "--", "--reporter=default", "--reporter=json", f"--outputFile.json={report}"]
        finished = subprocess.run(command, cwd=ROOT, check=False, stdout=subprocess.PIPE, text=True)
        print("\n".join(re.findall(r".*(?:Tests|FAIL|Error).*", finished.stdout)), flush=True, file=out)
        if not report.exists():
            return Outcome(0, 1)
        counts = json.loads(report.read_text())
    failed = max(counts["numFailedTests"], int(finished.returncode != 0))
    return Outcome(counts["numPassedTests"], failed, counts["numPendingTests"])


def all_suites() -> dict[str, Callable[[Out], Outcome]]:
    """name -> how to run it, in the order in which they begin."""
    suites: dict[str, Callable[[Out], Outcome]] = {"check": run_checks}
    for name in (*PYTEST_SUITES, *WAITING_SUITES):
        suites[name] = partial(run_pytest, name)
    return {**suites, "web": run_vitest}


def timed(suite: Callable[[Out], Outcome], out: Out) -> tuple[Outcome, float]:
    began = time.monotonic()
    return suite(out), time.monotonic() - began


def held_back(name: str, suite: Callable[[Out], Outcome]) -> tuple[str, Outcome, float]:
    """Run a suite beside another one; what it says comes out as a whole."""
    with tempfile.TemporaryFile("w+", errors="replace") as out:
        outcome, seconds = timed(suite, out)
        out.seek(0)
        print(f"\n== {name}\n{out.read()}", flush=True)
    return name, outcome, seconds


def main() -> int:
    suites = all_suites()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", help=f"some suites, comma-separated: {', '.join(suites)}")
    wanted = (parser.parse_args().only or ",".join(suites)).split(",")
    if unknown := set(wanted) - set(suites):
        parser.error(f"there is no suite {', '.join(sorted(unknown))}; there are {', '.join(suites)}")

    rows: list[tuple[str, Outcome, float]] = []
    began = time.monotonic()
    if len(wanted) == 1:  # it may be watched
        print(f"\n== {wanted[0]}", flush=True)
        rows.append((wanted[0], *timed(suites[wanted[0]], None)))
    else:
        with ThreadPoolExecutor(BESIDE) as computing, ThreadPoolExecutor(1) as waiting:
            beside = [
                (waiting if name in WAITING_SUITES else computing).submit(held_back, name, suites[name])
                for name in wanted
            ]
            rows += [future.result() for future in beside]

    print("\nsuite        passed  failed  skipped  seconds")
    for name, outcome, seconds in rows:
        print(f"{name:12} {outcome.passed:6} {outcome.failed:7} {outcome.skipped:8} {seconds:8.1f}")
    passed = sum(outcome.passed for _, outcome, _ in rows)
    failed = sum(outcome.failed for _, outcome, _ in rows)
    skipped = sum(outcome.skipped for _, outcome, _ in rows)
    print(f"all suites took {time.monotonic() - began:.0f} seconds\n")
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
