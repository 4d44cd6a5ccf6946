"""Reference pages made from the code, so that they cannot lag behind it."""

import tempfile
from pathlib import Path
from typing import Any

import click
import typer

from stablehand import settings, wiring
from stablehand.api import Readiness, create_app

NOTE = "<!-- Written from the code by `stablehand reference docs/reference`. -->\n"


def document() -> dict[str, Any]:
    """The OpenAPI document, without a server and without touching anybody's data."""
    with tempfile.TemporaryDirectory() as folder:
        table = settings.load(data_dir=Path(folder))
        options = wiring.options(table, readiness=lambda: Readiness(ready=True, stored=True, checks={}))
        app = create_app(wiring.open_services(table), options)
        spec: dict[str, Any] = app.api_doc  # type: ignore[attr-defined]
        return spec


def pages() -> dict[str, str]:
    """File name -> text."""
    return {"settings.md": _settings(), "routes.md": _routes(), "commands.md": _commands()}


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
    lines = ["# Routes", "", NOTE, "| Method | Path | What it does | Answers |", "|---|---|---|---|"]
    for path, operations in sorted(document()["paths"].items()):
        for method, operation in operations.items():
            answers = ", ".join(sorted(operation["responses"]))
            lines.append(f"| {method.upper()} | `{path}` | {operation['summary']} | {answers} |")
    return "\n".join(lines) + "\n"


def _commands() -> str:
    from stablehand.cli import app

    lines = ["# Commands", "", NOTE]
    root = typer.main.get_command(app)
    assert isinstance(root, click.Group)
    _describe(root, "stablehand", lines)
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
            param.human_readable_name.upper() for param in child.params if param.param_type_name == "argument"
        )
        lines += [f"## `{full}{' ' + arguments if arguments else ''}`", "", str(child.help or "").strip(), ""]
        for param in child.params:
            if param.param_type_name == "option" and not param.hidden:
                lines.append(f"* `{' '.join(param.opts)}`: {param.help}")
        lines.append("")
