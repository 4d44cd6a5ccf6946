"""What this dialect refuses, in the one shape that its clients know."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

_SHOWN_CHARACTERS = 100

ErrorType = Literal["invalid_request_error", "requests", "insufficient_quota", "server_error"]

#: field of our order -> the one that a client knows
NAMES: Mapping[str, str] = MappingProxyType(
    {
        "width": "size",
        "height": "size",
        "count": "n",
        "checkpoint": "model",
        "format": "output_format",
        "quality": "output_compression",
        "input": "image",
    }
)


class Refused(Exception):
    """``code``: by which programs tell it from others."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        param: str | None = None,
        code: str,
        type: ErrorType = "invalid_request_error",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.param = param
        self.code = code
        self.type: ErrorType = type

    def body(self) -> dict[str, Any]:
        return error_body(self.message, self.type, self.param, self.code)


def shown(text: str) -> str:
    """What a client sent, as far as it helps to see it again."""
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…"


def error_body(message: str, type: ErrorType, param: str | None, code: str | None) -> dict[str, Any]:
    return {"error": {"message": message, "type": type, "param": param, "code": code}}
