"""Commands of ours, run inside the test's own process: what they say and how they end, without a second of imports.

Some tests run the real thing in a process of its own, so that it is known to start.
"""

import contextlib
import io
import logging
import os
import sys
from collections.abc import Iterator
from subprocess import CompletedProcess
from unittest import mock

import structlog

from stablehand import cli


def run(*arguments: str, **environment: str) -> CompletedProcess[str]:
    """``stablehand`` with these arguments, as a shell would see it end. What it does not expect goes through."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("STABLEHAND_")}
    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch.dict(os.environ, {**inherited, **environment}, clear=True),
        mock.patch.object(sys, "argv", ["stablehand", *arguments]),
        _logs_as_they_were(),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            cli.main()
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
    return CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


@contextlib.contextmanager
def _logs_as_they_were() -> Iterator[None]:
    """A command sends the logs of its process where it likes."""
    names = (None, "stablehand", "agent")
    levels = [logging.getLogger(name).level for name in names]
    handlers = logging.getLogger().handlers[:]
    before = structlog.get_config() if structlog.is_configured() else None
    try:
        yield
    finally:
        for name, level in zip(names, levels, strict=True):
            logging.getLogger(name).setLevel(level)
        logging.getLogger().handlers[:] = handlers
        structlog.reset_defaults()
        if before is not None:
            structlog.configure(**before)
