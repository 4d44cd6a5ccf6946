"""What this dialect refuses, in the two shapes that its clients know."""

from typing import Any


class Refused(Exception):
    """``{"error", "detail", "body", "errors"}`` with a status. ``name``: of the exception that upstream would name."""

    def __init__(self, status: int, detail: str, *, name: str = "HTTPException", errors: str = "") -> None:
        super().__init__(detail or errors)
        self.status = status
        self.detail = detail
        self.name = name
        self.errors = errors

    def body(self) -> dict[str, str]:
        return {"error": self.name, "detail": self.detail, "body": "", "errors": self.errors}


class Invalid(Exception):
    """``{"detail": [{"loc", "msg", "type"}]}`` with 422: values that cannot be read."""

    def __init__(self, problems: list[dict[str, Any]]) -> None:
        super().__init__(f"{len(problems)} problems")
        self.problems = problems


def unknown_checkpoint(name: str) -> Refused:
    """Upstream ignores it in a request, and draws with whatever it has; here nobody gets another picture unawares."""
    return Refused(404, f"Checkpoint not found: {name}")
