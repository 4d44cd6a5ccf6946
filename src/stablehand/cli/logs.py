"""How log lines look: readable on a terminal, JSON elsewhere. No prompt and no token is ever logged at info level."""

import logging
import sys
from collections.abc import Callable
from typing import Any

import structlog

from stablehand.settings import ObservabilitySettings


def set_up(settings: ObservabilitySettings, mask: Callable[[str], str]) -> None:
    """Send our own lines and the libraries' warnings to standard error in one form.

    ``mask``: what hides secrets that a library, or an error of one, repeats.
    """
    level = getattr(logging, settings.log_level.upper())
    as_json = settings.log_format == "json" or (settings.log_format == "auto" and not sys.stderr.isatty())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    # Tracebacks without the values of variables: among those are prompts and tokens.
    bare = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    ends: list[Any] = (
        [structlog.processors.ExceptionRenderer(bare), structlog.processors.JSONRenderer()]
        if as_json
        else [
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
        ]
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *ends,
                lambda _logger, _name, line: mask(str(line)),
            ],
            foreign_pre_chain=shared,
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name in ("stablehand", "agent"):
        logging.getLogger(name).setLevel(level)
