"""Reference pages made from the code, so that they cannot lag behind it."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer

from stablehand import settings
from stablehand.api import Readiness, create_app
from stablehand.api.door import COMMON_ERRORS
from stablehand.cli.dialect_pages import dialects_page
from stablehand.wiring import serving

NOTE = "<!-- Written from the code by `stablehand reference docs/reference`. -->\n"


COMMON = {str(status) for status in COMMON_ERRORS}


def document(*, accounts: bool = True) -> dict[str, Any]:
    """The OpenAPI document, without a server and without touching anybody's data."""
    with application(accounts=accounts) as app:
        spec: dict[str, Any] = app.api_doc
        return spec


@contextmanager
def application(*, accounts: bool = True) -> Iterator[Any]:
    """The application over an empty directory; with ``accounts``, as where people must sign in."""
    with tempfile.TemporaryDirectory() as folder:
        table = settings.load(data_dir=Path(folder), command_line={"api": {"authentication": accounts}})
        options = serving.options(table, readiness=lambda: Readiness(ready=True, stored=True, checks={}))
        yield create_app(serving.open_services(table), options)


def pages() -> dict[str, str]:
    """File name -> text."""
    return {
        "settings.md": _settings(),
        "routes.md": _routes(),
        "commands.md": _commands(),
        "dialects.md": _dialects(),
    }


def _dialects() -> str:
    with application() as app:
        return dialects_page(app, NOTE)


def _settings() -> str:
    lines = [
        "# Settings",
        "",
        NOTE,
        "Each can stand in `stablehand.yaml` in the data directory (or a file named with `--config`) or in the "
        "environment; the environment wins.",
        "",
        "| Key | Environment | Default | Meaning |",
        "|---|---|---|---|",
    ]
    for key, variable, default, meaning in settings.rows():
        shown = f"`{default}`" if default else ""
        lines.append(f"| `{key}` | `{variable}` | {shown} | {meaning} |")
    return "\n".join(lines) + "\n"


def _routes() -> str:
    lines = [
        "# Routes",
        "",
        NOTE,
        f"Besides the answers named here, every route under `/api` may give {', '.join(sorted(COMMON))}, in the "
        "one shape of errors. The whole document is served at `/openapi/`.",
        "",
        "| Method | Path | What it does | Answers |",
        "|---|---|---|---|",
    ]
    with application() as app:
        for path, operations in sorted(app.api_doc["paths"].items()):
            for method, operation in operations.items():
                answers = ", ".join(sorted(set(operation["responses"]) - COMMON))
                lines.append(f"| {method.upper()} | `{path}` | {operation['summary']} | {answers} |")
        lines += ["", "Agents speak the protocol of `stablehand/protocol.py`, with a bearer token:", ""]
        for rule in sorted(app.url_map.iter_rules(), key=lambda rule: str(rule.rule)):
            if rule.rule.startswith("/agent/"):
                method = min(rule.methods - {"HEAD", "OPTIONS"})
                lines.append(f"* {method} `{rule.rule.replace('<', '{').replace('>', '}')}`")
    lines += [
        "",
        "Prometheus reads `/metrics`; browsers hear of changes by Socket.IO at `/socket.io` (websocket only).",
    ]
    return "\n".join(lines) + "\n"


def _commands() -> str:
    from stablehand.cli import app

    lines = ["# Commands", "", NOTE]
    _describe(typer.main.get_command(app), "stablehand", lines)
    return "\n".join(lines) + "\n"


def _describe(group: Any, name: str, lines: list[str]) -> None:
    for child_name, child in sorted(group.commands.items()):
        if child.hidden:
            continue
        full = f"{name} {child_name}"
        if hasattr(child, "commands"):
            _describe(child, full, lines)
            continue
        arguments = " ".join(
            (param.metavar or param.name).upper() for param in child.params if param.param_type_name == "argument"
        )
        lines += [f"## `{full}{' ' + arguments if arguments else ''}`", "", str(child.help or "").strip(), ""]
        for param in child.params:
            if param.param_type_name == "option" and not param.hidden:
                lines.append(f"* `{' '.join(param.opts)}`: {param.help}")
        if lines[-1]:
            lines.append("")
