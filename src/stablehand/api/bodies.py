"""What every model of a body, query or path is built on."""

from functools import cache
from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator
from pydantic_core import PydanticCustomError


class Model(BaseModel):
    """Its JSON schema is made once: it is asked for on every request that has a query or a header to check."""

    @classmethod
    def model_json_schema(cls, *args: Any, **kwargs: Any) -> dict[str, Any]:
        return _json_schema(cls, args, tuple(kwargs.items()))


@cache
def _json_schema(model: type[Model], args: tuple[Any, ...], kwargs: tuple[tuple[str, Any], ...]) -> dict[str, Any]:
    return super(Model, model).model_json_schema(*args, **dict(kwargs))


class Given(Model):
    """What comes from outside."""

    @field_validator("*", mode="before")
    @classmethod
    def _can_be_stored(cls, value: Any) -> Any:
        """PostgreSQL keeps no text with a NUL in it."""
        if isinstance(value, str) and "\0" in value:
            raise PydanticCustomError("nul", "must hold no NUL character")
        return value


class In(Given):
    """Types are taken as they stand: "20" is no number here."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Query(Given):
    """Query parameters arrive as text, so they are converted; unknown ones are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Out(Model):
    model_config = ConfigDict(frozen=True)
