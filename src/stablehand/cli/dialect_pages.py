"""The page of reference on dialects, made from what they say of themselves and from the routes that there are."""

from typing import Any

from stablehand.api.access import need_of
from stablehand.api.dialects import a1111, openai
from stablehand.api.dialects.description import Description, FieldNote

DESCRIPTIONS: tuple[Description, ...] = (a1111.DESCRIPTION, openai.DESCRIPTION)

_SCOPES = {"read": "`read`", "generate": "`generate`", "admin": "`admin`", "nobody": "none"}


def dialects_page(app: Any, note: str) -> str:
    """``note``: which command wrote it."""
    lines = [
        "# Dialects",
        "",
        note,
        "Existing clients of other servers work against this one, each in its own account.",
    ]
    for description in DESCRIPTIONS:
        lines += _dialect(app, description)
    return "\n".join(lines) + "\n"


def _dialect(app: Any, description: Description) -> list[str]:
    routes = sorted(
        (str(rule.rule), min(rule.methods - {"HEAD", "OPTIONS"}), str(rule.endpoint))
        for rule in app.url_map.iter_rules()
        if str(rule.endpoint).startswith(f"{description.blueprint}.")
    )
    lines = ["", f"## {description.title}", "", description.about, "", "### Different on purpose", ""]
    lines += [f"* {words}" for words in description.differences]
    lines += ["", "### Routes", "", "| Method | Path | Scope of the key |", "|---|---|---|"]
    lines += [
        f"| {method} | `{path}` | {_SCOPES.get(need_of(endpoint) or '', '')} |"
        for path, method, endpoint in routes
        if f"{method} {path}" not in description.refused
    ]
    if description.refused:
        lines += ["", "### Refused", "", "| Method | Path | Answer |", "|---|---|---|"]
        for route, why in description.refused.items():
            method, path = route.split(" ", maxsplit=1)
            lines.append(f"| {method} | `{path}` | {why} |")
    for route, fields in description.bodies.items():
        lines += ["", f"### Fields of `{route}`", "", "| Field | Default | Effect |", "|---|---|---|"]
        lines += [_field(field) for field in fields]
    return lines


def _field(field: FieldNote) -> str:
    return f"| `{field.name}` | `{field.default}` | {field.effect or 'none here'} |"
